package api

import (
	"sync/atomic"

	"github.com/vektah/gqlparser/v2/ast"

	"freshet/api/page"
)

// listQuestion is what a list's arguments ask for, and what follows from it. It
// is not changed.
type listQuestion struct {
	query    *page.Query
	prints   uint64 // of the order, for cursors
	timeless bool   // it may be answered from the cache
	key      string // names its page there
	columns  []string
}

// askedOnce keeps the question of a list without variables: it is the same each
// time.
type askedOnce struct{ p atomic.Pointer[listQuestion] }

// constant returns where to keep the question of a root field with these
// arguments, or nil if variables are among them.
func constant(args ast.ArgumentList) *askedOnce {
	for _, a := range args {
		if variable(a.Value) {
			return nil
		}
	}
	return &askedOnce{}
}

// variable reports whether a variable is part of a value.
func variable(v *ast.Value) bool {
	if v.Kind == ast.Variable {
		return true
	}
	for _, child := range v.Children {
		if variable(child.Value) {
			return true
		}
	}
	return false
}

// listQuestion returns the question of a list. Its errors are for the client.
func (s *Server) listQuestion(f *rootField, vars *variables) (*listQuestion, error) {
	if f.asked != nil {
		if asked := f.asked.p.Load(); asked != nil {
			return asked, nil
		}
	}
	q, err := s.listQuery(f, vars)
	if err != nil {
		return nil, err
	}
	asked := &listQuestion{query: q, prints: q.Table.Fingerprint(q.Order)}
	if asked.timeless = s.cfg.CacheBytes > 0 && q.Timeless(); asked.timeless {
		asked.key, asked.columns = q.Key(), q.Depends()
	}
	if f.asked != nil {
		f.asked.p.Store(asked)
	}
	return asked, nil
}
