package api

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/cespare/xxhash/v2"
)

var (
	revalidate = []string{"private, no-cache"}
	varyAccept = "Accept"
)

// unchanged sets the headers that let a client keep an answer to a GET, and
// says whether it has this very one: it is then answered 304, without a body.
// The answer is always worked out: only that tells whether it is the same.
func (x *exchange) unchanged() bool {
	h := x.w.Header()
	tag := x.tag()
	h["Etag"] = []string{tag}
	h["Cache-Control"] = revalidate
	h.Add("Vary", varyAccept)
	return matches(x.r.Header["If-None-Match"], tag)
}

// tag is the entity tag of the answer: of its bytes and its media type.
func (x *exchange) tag() string {
	var sum [8]byte
	binary.BigEndian.PutUint64(sum[:], xxhash.Sum64(x.run.out))
	kind := "j"
	if x.strict {
		kind = "g"
	}
	return `"` + kind + hex.EncodeToString(sum[:]) + `"`
}

// matches says whether an If-None-Match header names the tag, by the weak
// comparison that RFC 9110 asks for.
func matches(headers []string, tag string) bool {
	for _, h := range headers {
		for t := range strings.SplitSeq(h, ",") {
			t = strings.TrimSpace(t)
			if t == "*" || strings.TrimPrefix(t, "W/") == tag {
				return true
			}
		}
	}
	return false
}
