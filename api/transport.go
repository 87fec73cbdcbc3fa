package api

import (
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
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

// get serves GET and HEAD, which are for queries.
type get struct{ s *Server }

func (t get) Supports(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// Do serves the request.
func (t get) Do(w http.ResponseWriter, r *http.Request, _ graphql.GraphExecutor) {
	t.s.serve(w, r, t.read)
}

const allowed = "GET, HEAD, POST"

// otherMethods refuses the rest.
type otherMethods struct{ s *Server }

func (otherMethods) Supports(*http.Request) bool { return true }

// Do serves the request.
func (t otherMethods) Do(w http.ResponseWriter, r *http.Request, _ graphql.GraphExecutor) {
	t.s.serve(w, r, func(*exchange) *refusal {
		w.Header().Set("Allow", allowed)
		return refuse(http.StatusMethodNotAllowed, "GraphQL is served to GET and POST requests.")
	})
}

// exchange is one request and its answer.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	run    *run
	media  []string // the answer's Content-Type, if it is a success
	strict bool     // the answer is application/graphql-response+json
	safe   bool     // the method is GET or HEAD
	began  time.Time
	waited time.Duration
	status int
	name   string // of the operation
	body   []byte // of the request
	text   []byte // of the query
	opName []byte
	docID  []byte // in the place of text
	hash   string // of the text, by the client's word
	inside bool   // the gate
	op     *operation
	events bool   // the client takes an event stream
	apart  bool   // a subscription's answers are not counted as one request's
	vars   []byte // as JSON
	ext    []byte // as JSON
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

var internalError = refuse(http.StatusInternalServerError, "The request could not be answered: an internal error.")

// serve answers a request that read takes apart.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, read func(*exchange) *refusal) {
	x := exchanges.Get().(*exchange)
	x.w, x.r, x.began, x.run = w, r, time.Now(), s.run(r.Context())
	x.safe = r.Method == http.MethodGet || r.Method == http.MethodHead
	defer s.finish(x)
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler {
				panic(v)
			}
			s.recovered(r.Context(), v)
			x.refuse(internalError)
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
	if x.safe && !preflighted(x.r.Header) && !s.streamAllowed(x) {
		return refuse(http.StatusBadRequest, simpleRefused)
	}
	if refused := read(x); refused != nil {
		return refused
	}
	if refused := s.document(x); refused != nil {
		return refused
	}
	if refused := s.enter(x); refused != nil {
		return refused
	}
	defer s.leave(x)
	if refused := s.prepare(x); refused != nil {
		return refused
	}
	if refused := x.streamable(); refused != nil {
		return refused
	}
	if x.streams() {
		return s.stream(x)
	}
	if refused := s.wait(x, d); refused != nil {
		return refused
	}
	if late := x.run.execute(); late != nil {
		return &refusal{http.StatusServiceUnavailable, []*gqlerror.Error{late}}
	}
	x.errs = len(x.run.errs)
	s.leave(x) // how fast the client reads is its own affair
	x.write(s)
	return nil
}

// enter waits until the request may be answered.
func (s *Server) enter(x *exchange) *refusal {
	if err := s.gate.enter(x.r.Context(), func() string { return s.cfg.Client(x.r) }); err != nil {
		return &refusal{http.StatusServiceUnavailable, []*gqlerror.Error{coded(codeBusy, "There are too many requests just now.")}}
	}
	x.inside, x.run.x = true, x
	return nil
}

// leave makes place for the next request.
func (s *Server) leave(x *exchange) {
	if x.inside {
		x.inside = false
		s.gate.leave()
	}
}

// wait waits for the freshness asked for. Meanwhile others are answered.
func (s *Server) wait(x *exchange, d demand) *refusal {
	waits := d.min != 0 || d.strong
	if waits {
		s.leave(x)
		began := time.Now()
		defer func() { x.waited = time.Since(began) }()
	}
	if err := s.await(x.run, d); err != nil {
		return &refusal{http.StatusServiceUnavailable, []*gqlerror.Error{err}}
	}
	if waits {
		return s.enter(x)
	}
	return nil
}

// prepare finds the operation and its plan.
func (s *Server) prepare(x *exchange) *refusal {
	q, refused := s.query(view(x.text))
	if refused != nil {
		if x.safe && writes(view(x.text), view(x.opName)) {
			return x.notByGet()
		}
		return refused
	}
	if x.hash != "" {
		s.apq.add(x.hash, q.text)
	}
	op, err := q.find(view(x.opName))
	if err != nil {
		return invalid(err)
	}
	if x.safe && op.def.Operation == ast.Mutation {
		return x.notByGet()
	}
	x.op, x.name = op, op.def.Name
	if errs := s.coerce(op.def.VariableDefinitions, x.vars, &x.run.vars); errs != nil {
		return invalid(errs...)
	}
	if x.run.plan, err = op.plan(s, &x.run.vars); err != nil {
		return invalid(err)
	}
	return nil
}

func (x *exchange) notByGet() *refusal {
	x.w.Header().Set("Allow", http.MethodPost)
	return refuse(http.StatusMethodNotAllowed, "A mutation cannot be sent with GET.")
}

// invalid refuses a well-formed request whose GraphQL cannot be executed.
func invalid(errs ...*gqlerror.Error) *refusal {
	return &refusal{status: http.StatusUnprocessableEntity, errs: errs}
}
