package api

import (
	"context"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/document"
	"freshet/cache"
)

// run is one operation being executed. Its buffers are used again.
type run struct {
	s      *Server
	ctx    context.Context
	cancel context.CancelFunc // of the deadline, once there is one
	plan   *plan
	vars   variables

	out   []byte
	errs  []*gqlerror.Error
	path  []step
	roots []rootResult
	docs  map[docID]loaded

	lsn     pglogrepl.LSN // every document is at least as fresh
	min     pglogrepl.LSN // what the request asks for
	lags    cache.Lags    // models that are not as fresh as the watermark: see lag.go
	bypass  bool          // the cache is not to be trusted now
	unknown bool          // lsn and lags are yet to be asked of the database
	stale   bool          // the answer is older than asked for, as the caller allows
	queries int           // reads that the cache did not answer

	metaValues int // of the introspection schema, written so far

	x       *exchange       // leaves the gate while the run waits; nil without one
	left    time.Duration   // for waiting
	lenient bool            // an older answer is better than none
	wanted  pglogrepl.LSN   // where the watermark was once the last wanted documents were there
	late    *gqlerror.Error // what is asked for did not come in time: there is no answer
}

// step is an element of the path to where the run is writing.
type step struct {
	name  string
	index int // if name is empty
}

// rootResult is what was read for a root field.
type rootResult struct {
	doc  *document.Document
	docs []loaded   // of several keys
	sel  *selection // of doc, where it may be of any type
	page *pageResult
	err  *gqlerror.Error
}

// docID names a document.
type docID struct {
	typ int
	key string
}

// loaded is the outcome of loading a document; neither is set if it is absent.
type loaded struct {
	doc *document.Document
	err *gqlerror.Error
}

// reset makes the run ready for its next use.
func (r *run) reset() {
	if r.cancel != nil {
		r.cancel()
	}
	clear(r.roots)
	clear(r.vars.values)
	clear(r.errs)
	*r = run{
		s: r.s, out: r.out[:0], errs: r.errs[:0], path: r.path[:0], roots: r.roots[:0],
		vars: variables{values: r.vars.values[:0]},
	}
}

// dbContext returns the context for reading, with the request's deadline. Runs
// that are answered from the cache never ask for it.
func (r *run) dbContext() context.Context {
	if r.cancel == nil {
		r.ctx, r.cancel = context.WithTimeout(r.ctx, r.s.cfg.RequestTimeout)
	}
	return r.ctx
}

// execute reads what the plan needs and writes {"data":…} into out, or
// {"errors":…,"data":…}. Its error is that of a request without an answer: it
// would be older than asked for.
func (r *run) execute() *gqlerror.Error {
	r.read()
	if r.late != nil {
		return r.late
	}
	start := len(r.out)
	r.out = append(r.out, `{"data":`...)
	body := len(r.out)
	if !r.writeQuery() {
		r.out = append(r.out[:body], "null"...)
	}
	if len(r.errs) > 0 {
		data := string(r.out[start+1:])
		r.out = append(r.out[:start], `{"errors":`...)
		r.out = append(appendErrors(r.out, r.errs), ',')
		r.out = append(r.out, data...)
	}
	r.out = append(r.out, '}')
	return nil
}

// pathOf returns the path to where the run is writing, with what is below it.
func (r *run) pathOf(last ...step) ast.Path {
	path := make(ast.Path, 0, len(r.path)+len(last))
	for _, steps := range [][]step{r.path, last} {
		for _, s := range steps {
			if s.name == "" {
				path = append(path, ast.PathIndex(s.index))
			} else {
				path = append(path, ast.PathName(s.name))
			}
		}
	}
	return path
}
