package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// The transports are gqlgen's by their interface, and leave its executor
// aside: they find the plan by the query's text, and write what the run has
// written. The stock ones validate again and copy each answer several times.

// post serves POST with a JSON body.
type post struct{ s *Server }

func (t post) Supports(r *http.Request) bool { return r.Method == http.MethodPost }

// Do serves the request.
func (t post) Do(w http.ResponseWriter, r *http.Request, _ graphql.GraphExecutor) {
	t.s.serve(w, r, t.read)
}

// get serves GET, which is for queries: there are no mutations.
type get struct{ s *Server }

func (t get) Supports(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// Do serves the request.
func (t get) Do(w http.ResponseWriter, r *http.Request, _ graphql.GraphExecutor) {
	t.s.serve(w, r, t.read)
}

// otherMethods refuses the rest.
type otherMethods struct{ s *Server }

func (otherMethods) Supports(*http.Request) bool { return true }

// Do serves the request.
func (t otherMethods) Do(w http.ResponseWriter, r *http.Request, _ graphql.GraphExecutor) {
	t.s.serve(w, r, func(*exchange) *refusal {
		w.Header().Set("Allow", "GET, HEAD, POST")
		return refuse(http.StatusMethodNotAllowed, "GraphQL is served to GET and POST requests.")
	})
}

// exchange is one request and its answer.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	run    *run
	media  []string // the answer's Content-Type
	strict bool     // the answer is application/graphql-response+json
	began  time.Time
	waited time.Duration
	status int
	name   string // of the operation
	body   []byte // of the request
	text   []byte // of the query
	opName []byte
	vars   []byte // as JSON
	errs   int
}

// refusal is an answer without data.
type refusal struct {
	status int
	errs   []*gqlerror.Error
}

func refuse(status int, message string) *refusal {
	return &refusal{status: status, errs: []*gqlerror.Error{{Message: message}}}
}

// serve answers a request that read takes apart.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, read func(*exchange) *refusal) {
	x := exchanges.Get().(*exchange)
	x.w, x.r, x.began, x.run = w, r, time.Now(), s.run(r.Context())
	defer s.finish(x)
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler {
				panic(v)
			}
			s.recovered(r.Context(), v)
			x.refuse(refuse(http.StatusInternalServerError, "The request could not be answered: an internal error."))
		}
	}()
	if refused := s.answer(x, read); refused != nil {
		x.refuse(refused)
	}
}

// answer takes the request from its bytes to the bytes of the answer.
func (s *Server) answer(x *exchange, read func(*exchange) *refusal) *refusal {
	if refused := x.negotiate(); refused != nil {
		return refused
	}
	d, err := demandOf(x.r.Header)
	if err != nil {
		return refuse(http.StatusBadRequest, err.Error())
	}
	if refused := read(x); refused != nil {
		return refused
	}
	if refused := s.prepare(x); refused != nil {
		return refused
	}
	if d.min != 0 || d.strong {
		began := time.Now()
		defer func() { x.waited = time.Since(began) }()
	}
	if err := s.await(x.run, d); err != nil {
		return &refusal{http.StatusServiceUnavailable, []*gqlerror.Error{err}}
	}
	x.run.execute()
	x.errs = len(x.run.errs)
	x.write(s)
	return nil
}

// prepare finds the operation and its plan.
func (s *Server) prepare(x *exchange) *refusal {
	q, errs := s.query(view(x.text))
	if errs != nil {
		return x.invalid(errs...)
	}
	op, err := q.find(view(x.opName))
	if err != nil {
		return x.invalid(err)
	}
	x.name = op.def.Name
	if errs := coerce(s.schema.AST, op.def.VariableDefinitions, x.vars, &x.run.vars); errs != nil {
		return x.invalid(errs...)
	}
	if x.run.plan, err = op.plan(s, &x.run.vars); err != nil {
		return x.invalid(err)
	}
	return nil
}

// invalid refuses a well-formed request whose GraphQL cannot be executed. By
// GraphQL over HTTP that is 200 in the older media type.
func (x *exchange) invalid(errs ...*gqlerror.Error) *refusal {
	if x.strict {
		return &refusal{http.StatusBadRequest, errs}
	}
	return &refusal{http.StatusOK, errs}
}

// read takes a POST body apart.
func (t post) read(x *exchange) *refusal {
	if !isJSON(first(x.r.Header, "Content-Type")) {
		return refuse(http.StatusUnsupportedMediaType, "The request's Content-Type must be application/json.")
	}
	if refused := x.readBody(t.s.cfg.MaxBody); refused != nil {
		return refused
	}
	if trimmed := strings.TrimLeft(view(x.body), " \t\r\n"); strings.HasPrefix(trimmed, "[") {
		return refuse(http.StatusBadRequest, "Batches are not supported: send one operation at a time.")
	}
	bad := false
	err := members(x.body, func(name, value []byte) {
		switch string(name) {
		case "query":
			bad = !text(&x.text, value) || bad
		case "operationName":
			bad = string(value) != null && !text(&x.opName, value) || bad
		case "variables":
			x.vars = value
		}
	})
	switch {
	case err != nil:
		return refuse(http.StatusBadRequest, "The request's body is not a JSON object.")
	case bad:
		return refuse(http.StatusBadRequest, "query and operationName must be strings.")
	case len(x.text) == 0:
		return refuse(http.StatusBadRequest, "The request has no query.")
	}
	return nil
}

func text(dst *[]byte, raw []byte) bool {
	out, err := appendString((*dst)[:0], raw)
	*dst = out
	return err == nil
}

// isJSON says whether a Content-Type is JSON in UTF-8.
func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, params, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/json" && (params["charset"] == "" || strings.EqualFold(params["charset"], "utf-8"))
}

func tooLarge(limit int64) *refusal {
	return refuse(http.StatusRequestEntityTooLarge, "The request's body is larger than the "+strconv.FormatInt(limit, 10)+" bytes allowed.")
}

// readBody reads the body into the exchange's buffer.
func (x *exchange) readBody(limit int64) *refusal {
	if x.r.ContentLength > limit {
		return tooLarge(limit)
	}
	body := x.body[:0]
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := x.r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		x.body = body
		if int64(len(body)) > limit {
			return tooLarge(limit)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return refuse(http.StatusBadRequest, "The request's body could not be read.")
		}
	}
}

// read takes the parameters of a URL apart.
func (t get) read(x *exchange) *refusal {
	params, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return refuse(http.StatusBadRequest, "The URL's parameters are malformed.")
	}
	x.text = append(x.text[:0], params.Get("query")...)
	x.opName = append(x.opName[:0], params.Get("operationName")...)
	x.body = append(x.body[:0], params.Get("variables")...)
	x.vars = x.body
	switch {
	case int64(len(x.r.URL.RawQuery)) > t.s.cfg.MaxBody:
		return refuse(http.StatusRequestURITooLong, "The URL is too long.")
	case len(x.text) == 0:
		return refuse(http.StatusBadRequest, "The URL has no parameter query.")
	}
	return nil
}
