package api

import (
	"context"
	"errors"

	"github.com/jackc/pglogrepl"

	"freshet/api/page"
	"freshet/api/served"
	"freshet/cache"
)

// Store reads documents from where they are kept. What it is given must not be
// kept or changed; bytes and strings that it hands out are valid during the
// call only, unless said otherwise. Every answer is from one snapshot, whose
// position is returned with it.
type Store interface {
	// Documents calls visit for each of the keys that has a document.
	Documents(ctx context.Context, t *served.Type, keys []string, visit func(key string, data []byte) error) (cache.Position, error)
	// Lookup calls visit with the document whose column has the value, if any.
	Lookup(ctx context.Context, t *served.Type, c *page.Column, value string, visit func(key string, data []byte) error) (cache.Position, error)
	// Page calls visit for each row of a page, in the order in which the
	// statement yields them: at most q.Limit+1, from the end if q.Backward.
	Page(ctx context.Context, q *page.Query, visit func(PageRow) error) (PageSummary, error)
	// Watermark returns the watermark, and the models that it does not speak for.
	Watermark(ctx context.Context) (pglogrepl.LSN, cache.Lags, error)
}

// PageRow is a row of a page.
type PageRow struct {
	Key   string
	Data  []byte    // nil unless Query.Documents
	Order []*string // by term of Query.Order; may be kept
}

// PageSummary is what is said of a list as a whole.
type PageSummary struct {
	Watermark pglogrepl.LSN
	Batch     int64 // 0 unknown: see cache.Position
	Count     int64 // if Query.Count
	Beyond    bool  // if Query.Beyond
	// Aggregates are those of the query as JSON, nil for null; they may be kept.
	Aggregates [][]byte
}

// errBadValue says that a value in the arguments is not one of its column's.
var errBadValue = errors.New("a value does not fit its column")
