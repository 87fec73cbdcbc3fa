package api

import (
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Codes of errors in extensions.code, where a client may want to branch.
const (
	codeStale       = "STALE"       // not as fresh as the request asks for
	codeTimeout     = "TIMEOUT"     // the request took too long
	codeUnavailable = "UNAVAILABLE" // the data could not be read
	codeBadInput    = "BAD_INPUT"   // an argument's value cannot be used
	codeTooComplex  = "TOO_COMPLEX" // the query could yield too much
	codeBusy        = "BUSY"        // too many requests at once
	codeNotFound    = "PERSISTED_QUERY_NOT_FOUND"
	codeUntrusted   = "UNTRUSTED" // none of the trusted documents
)

// appendErrors writes a list of errors in the order of members that graphql-js
// has: message, locations, path, extensions.
func appendErrors(out []byte, errs []*gqlerror.Error) []byte {
	out = append(out, '[')
	for i, e := range errs {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendError(out, e)
	}
	return append(out, ']')
}

func appendError(out []byte, e *gqlerror.Error) []byte {
	out = append(out, `{"message":`...)
	out = appendText(out, e.Message)
	if len(e.Locations) > 0 {
		out = append(out, `,"locations":[`...)
		for i, l := range e.Locations {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, `{"line":`...)
			out = strconv.AppendInt(out, int64(l.Line), 10)
			out = append(out, `,"column":`...)
			out = strconv.AppendInt(out, int64(l.Column), 10)
			out = append(out, '}')
		}
		out = append(out, ']')
	}
	if e.Path != nil {
		out = append(out, `,"path":`...)
		out = appendPath(out, e.Path)
	}
	return append(appendExtensions(out, e.Extensions), '}')
}

func appendPath(out []byte, path ast.Path) []byte {
	out = append(out, '[')
	for i, p := range path {
		if i > 0 {
			out = append(out, ',')
		}
		switch p := p.(type) {
		case ast.PathIndex:
			out = strconv.AppendInt(out, int64(p), 10)
		case ast.PathName:
			out = appendText(out, string(p))
		}
	}
	return append(out, ']')
}

// extensionOrder is the order of the members that errors of this API carry.
var extensionOrder = []string{"code", "watermark", "wanted"}

func appendExtensions(out []byte, extensions map[string]any) []byte {
	sep := `,"extensions":{`
	for _, name := range extensionOrder {
		if s, ok := extensions[name].(string); ok {
			out = append(out, sep...)
			out = append(appendText(out, name), ':')
			out = appendText(out, s)
			sep = ","
		}
	}
	if sep == "," {
		out = append(out, '}')
	}
	return out
}

// coded makes an error with a code.
func coded(code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Extensions: map[string]any{"code": code}}
}

// at puts an error where a field stands.
func (p *place) at(e *gqlerror.Error, path ast.Path) *gqlerror.Error {
	located := *e
	located.Locations = p.locations
	located.Path = path
	return &located
}
