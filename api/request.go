package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// The parameters of a request are taken apart as GraphQL over HTTP says: what
// is no JSON is a bad request (400), and JSON that is none of this protocol's
// requests cannot be processed (422).

// malformed refuses a request that is not a well-formed GraphQL-over-HTTP one.
func malformed(message string) *refusal { return refuse(http.StatusUnprocessableEntity, message) }

// read takes a POST body apart.
func (t post) read(x *exchange) *refusal {
	if !isJSON(first(x.r.Header, "Content-Type")) {
		return refuse(http.StatusUnsupportedMediaType, "The request's Content-Type must be application/json.")
	}
	if refused := x.readBody(t.s.cfg.MaxBody, t.s.cfg.BodyTimeout); refused != nil {
		return refused
	}
	return x.parameters()
}

// parameters takes a body apart.
func (x *exchange) parameters() *refusal {
	wrong := ""
	err := members(x.body, func(name, value []byte) {
		if !x.parameter(name, value) && wrong == "" {
			wrong = string(name)
		}
	})
	switch {
	case errors.Is(err, errNested):
		return malformed("The request's JSON is nested too deep.")
	case err != nil || len(x.body) == 0:
		return notObject(x.body)
	case wrong == "variables" || wrong == "extensions":
		return malformed(wrong + " must be a JSON object.")
	case wrong != "":
		return malformed(wrong + " must be a string.")
	}
	return nil
}

// parameter takes over one member of a request; ok is false if it is of the
// wrong type. Members that the protocol does not have are passed over.
func (x *exchange) parameter(name, value []byte) (ok bool) {
	isNull := string(value) == null
	switch string(name) {
	case "query":
		return isNull || text(&x.text, value)
	case "documentId":
		return isNull || text(&x.docID, value)
	case "operationName":
		return isNull || text(&x.opName, value)
	case "variables":
		x.vars = value
		return isNull || value[0] == '{'
	case "extensions":
		x.ext = value
		return isNull || value[0] == '{'
	}
	return true
}

// notObject refuses a body that is no JSON object.
func notObject(body []byte) *refusal {
	switch {
	case !json.Valid(body):
		return refuse(http.StatusBadRequest, "The request's body is not well-formed JSON.")
	case strings.HasPrefix(strings.TrimLeft(view(body), " \t\r\n"), "["):
		return malformed("Batches are not supported: send one operation at a time.")
	}
	return malformed("The request's body is not a JSON object.")
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

// readBody reads the body into the exchange's buffer, as far as it comes in time.
func (x *exchange) readBody(limit int64, patience time.Duration) *refusal {
	if x.r.ContentLength > limit {
		return tooLarge(limit)
	}
	// A writer that has no deadlines, as in tests, goes without.
	conn := http.NewResponseController(x.w)
	_ = conn.SetReadDeadline(time.Now().Add(patience))
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
			_ = conn.SetReadDeadline(time.Time{}) // the connection is for further requests
			return nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return refuse(http.StatusRequestTimeout, "The request's body did not come in time.")
		}
		if err != nil {
			return refuse(http.StatusBadRequest, "The request's body could not be read.")
		}
	}
}

// read takes the parameters of a URL apart. An empty one is as good as none.
func (t get) read(x *exchange) *refusal {
	if int64(len(x.r.URL.RawQuery)) > t.s.cfg.MaxBody {
		return refuse(http.StatusRequestURITooLong, "The URL is too long: use POST.")
	}
	params, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return refuse(http.StatusBadRequest, "The URL's parameters are malformed.")
	}
	x.text = append(x.text[:0], params.Get("query")...)
	x.opName = append(x.opName[:0], params.Get("operationName")...)
	x.docID = append(x.docID[:0], params.Get("documentId")...)
	for _, p := range []struct {
		name string
		dst  *[]byte
	}{{"variables", &x.vars}, {"extensions", &x.ext}} {
		raw := []byte(params.Get(p.name))
		if len(raw) == 0 {
			continue
		}
		if !json.Valid(raw) {
			return refuse(http.StatusBadRequest, "The parameter "+p.name+" is not well-formed JSON.")
		}
		if members(raw, func(_, _ []byte) {}) != nil {
			return malformed("The parameter " + p.name + " must be a JSON object.")
		}
		*p.dst = raw
	}
	return nil
}
