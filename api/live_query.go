package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/live"
)

// liveQuery is a subscription's operation: a query that is answered again and
// again, by the same runs as others.
type liveQuery struct {
	s    *Server
	plan *plan
	vars variables
}

// liveQuery returns the operation that a run was prepared for, and what names
// it: operations with the same key have the same answers.
func (r *run) liveQuery(op *operation) (*liveQuery, live.Key) {
	q := &liveQuery{s: r.s, plan: r.plan, vars: variables{defs: r.vars.defs, values: slices.Clone(r.vars.values)}}
	h := sha256.New()
	for _, text := range []string{op.query.text, op.def.Name} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(text)))
		h.Write(size[:])
		h.Write([]byte(text))
	}
	for _, v := range r.vars.values {
		text := []byte("-")
		if _, gone := v.(missing); !gone {
			text, _ = json.Marshal(v) // values came as JSON
		}
		h.Write(append(text, 0))
	}
	return q, live.Key(h.Sum(nil))
}

// errAgain stands for an answer with an error that will pass. What it was is
// told to OnError where it comes up.
var errAgain = errors.New("a subscription could not be answered now")

// passing are the codes of errors that say nothing of the request.
var passing = []string{codeTimeout, codeUnavailable, codeStale, codeBusy}

// Evaluate implements live.Query.
func (q *liveQuery) Evaluate(ctx context.Context) (live.Answer, error) {
	r := q.s.run(ctx)
	defer q.s.release(r)
	r.plan = q.plan
	r.vars = variables{defs: q.vars.defs, values: append(r.vars.values[:0], q.vars.values...)}
	q.s.freshness(r)
	if r.execute() != nil || slices.ContainsFunc(r.errs, passes) {
		return live.Answer{}, errAgain
	}
	return r.answer(), nil
}

// answer is what the run has written, with what it depends on.
func (r *run) answer() live.Answer {
	a := live.Answer{Body: bytes.Clone(r.out), Depends: r.depends()}
	if r.lsn != maxLSN {
		a.LSN = r.lsn
	}
	// Arguments that cannot be used will not become better.
	a.Final = slices.ContainsFunc(r.errs, func(e *gqlerror.Error) bool { return hasCode(e, codeBadInput) })
	return a
}

func passes(e *gqlerror.Error) bool {
	return slices.ContainsFunc(passing, func(code string) bool { return hasCode(e, code) })
}

func hasCode(e *gqlerror.Error, code string) bool {
	have, _ := e.Extensions["code"].(string)
	return have == code
}

// appendMessage appends an answer as it is sent to a subscriber: with what it
// can go on from.
func appendMessage(dst []byte, m live.Message) []byte {
	dst = append(dst, m.Body[:len(m.Body)-1]...)
	dst = append(dst, `,"extensions":{"lsn":"`...)
	dst = append(dst, m.ID.LSN.String()...)
	dst = append(dst, `","eventId":"`...)
	dst = append(dst, m.ID.String()...)
	return append(dst, `"}}`...)
}
