package api

import (
	"mime"
	"net/http"
	"strings"
)

// Any page may make a browser send "simple" requests to any address, with the
// reader's cookies and from within the reader's network, and without a word to
// that address before. Answers cannot be read that way, but how long they take
// can. So a request without a body must have something that only a page which
// is allowed to can send: a header that makes the browser ask first (CORS'
// preflight), or the browser's own word that the page is ours. Requests with a
// body have it in their Content-Type: application/json.

// HeaderPreflight is the header that exists for no other purpose.
const HeaderPreflight = "Graphql-Require-Preflight"

// preflightHeaders are headers that no simple request has.
var preflightHeaders = []string{
	HeaderPreflight, "Apollo-Require-Preflight", "X-Apollo-Operation-Name",
	HeaderConsistency, HeaderMinLSN, HeaderOnTimeout,
}

const simpleRefused = "This request could come from any page that a browser shows. Send the header GraphQL-Require-Preflight: true, or use POST."

// preflighted says whether a request cannot have been sent by a page of
// another origin without having been asked for.
func preflighted(h http.Header) bool {
	for _, name := range preflightHeaders {
		if first(h, name) != "" {
			return true
		}
	}
	switch first(h, "Sec-Fetch-Site") {
	case "same-origin", "none": // none: typed into the address bar
		return true
	}
	return notSimple(first(h, "Content-Type"))
}

// notSimple says whether a Content-Type makes a request one that is not simple.
func notSimple(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.Contains(media, "/") {
		return false
	}
	switch media {
	case "application/x-www-form-urlencoded", "multipart/form-data", "text/plain":
		return false
	}
	return true
}
