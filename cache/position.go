package cache

import "github.com/jackc/pglogrepl"

// Position says how far the read side was in a snapshot of the database: what
// freshet.checkpoint had in it.
type Position struct {
	Watermark pglogrepl.LSN
	// Batch is the number of the last batch. It tells apart what the watermark
	// cannot: while that stands still there may be several batches. 0 is
	// unknown.
	Batch int64
}
