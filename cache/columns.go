package cache

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/jackc/pglogrepl"
)

// AnyColumn among the columns of Change.Moved says that documents came or went,
// or that it is not known which columns have moved.
const AnyColumn = "*"

// marks are the last invalidations of the columns that the pages of a model may
// depend on: one for each column that a batch has moved so far. They are
// immutable, and nil at first. Their names come from the log, which has those of
// a table's columns, and so are few.
type marks map[string]*stamp

// unmoved stands for a column that no batch has moved yet.
var unmoved = &stamp{}

// of returns the mark of a column. Its address tells one invalidation from the
// next.
func (m *marks) of(column string) *stamp {
	if m != nil {
		if s, ok := (*m)[column]; ok {
			return s
		}
	}
	return unmoved
}

// moved returns the marks after some columns have moved.
func (m *marks) moved(columns []string, lsn pglogrepl.LSN, tick uint64) *marks {
	next := make(marks, len(columns))
	if m != nil {
		next = maps.Clone(*m)
	}
	for _, c := range columns {
		s := *m.of(c)
		s.raise(lsn, tick)
		next[c] = &s
	}
	return &next
}

// InvalidatePages forgets the pages of a model that depend on any of the
// columns, which a batch with the watermark lsn has moved: all of them if
// AnyColumn is among the columns.
func (c *Cache[V]) InvalidatePages(model string, columns []string, lsn pglogrepl.LSN) {
	c.inval.Lock()
	defer c.inval.Unlock()
	m := c.pagesOf(model)
	m.wholes.Add(1)
	if slices.Contains(columns, AnyColumn) {
		c.forget(m, lsn)
		return
	}
	m.columns.Store(m.columns.Load().moved(columns, lsn, c.tick.Add(1)))
}

// forget invalidates all that is held of a model, in constant time.
func (c *Cache[V]) forget(m *modelInfo, lsn pglogrepl.LSN) {
	next := *m.whole.Load()
	tick := c.tick.Add(1)
	next.raise(lsn, tick)
	m.whole.Store(&next)
	m.touched.Store(tick)
}

// localBatch is the number of the last batch whose invalidations are done.
type localBatch struct{ n atomic.Int64 }

// UnknownBatch is the batch of a value of which it is not known what it was
// read at: no feed ever comes to it.
const UnknownBatch = 1<<63 - 1

// known returns the batch, or UnknownBatch where it was not read.
func known(batch int64) int64 {
	if batch == 0 {
		return UnknownBatch
	}
	return batch
}

func (l *localBatch) reached(batch int64) bool { return batch <= l.n.Load() }

// Advance says that all invalidations up to a batch are done: what was read at
// that batch is not ahead of them. A lower one is taken too: the database may be
// another.
func (c *Cache[V]) Advance(batch int64) { c.local.n.Store(batch) }
