package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/projector/batch"
	"freshet/projector/compile"
)

// DefaultFanOut is how many documents of a read model one changed row may lead
// to within its batch: where it leads to more, they become a fan-out.
const DefaultFanOut = 2000

// WholeModel is the path of a fan-out to every document of a read model that is
// filled beside the batches.
const WholeModel = "*"

// FanOut is a row of freshet.fanout: changed rows whose documents are done in
// chunks beside the batches that follow the one that found them.
type FanOut struct {
	ID    int64
	Model string
	Path  string     // compile.Path.Name
	Start [][]string // an array for each column of the path's start, in step
	Since pglogrepl.LSN
}

// Chunk is a part of the documents of fan-outs.
type Chunk struct {
	Model *compile.ReadModel
	Path  *compile.Path // nil: the documents are rebuilt whole
	Keys  []string
	IDs   []int64 // the fan-outs
	Last  bool    // with it they are done
	Fill  bool    // it is of a read model that is being filled: with the last one it is ready
}

// overflow is the start values of a path that lead to too many documents.
type overflow part

// putOff adds start values of a path to the batch's fan-outs.
func (w *writer) putOff(path *compile.Path, values []batch.Value) {
	for i := range w.overflows {
		if w.overflows[i].path == path {
			w.overflows[i].values = append(w.overflows[i].values, values...)
			return
		}
	}
	w.overflows = append(w.overflows, overflow{path, values})
}

const insertFanOut = `
INSERT INTO freshet.fanout (slot, model, path, start, since_lsn, created_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`

// queueFanOuts adds to the last statements of a batch what it has put off.
// Its documents may lack the batch's transactions from the first one on.
func (w *writer) queueFanOuts(b *pgx.Batch) error {
	a := w.applier
	w.result.FanOuts = make([]FanOut, len(w.overflows))
	for i, o := range w.overflows {
		start, err := columns(o.path, o.values)
		if err != nil {
			return err
		}
		text, err := json.Marshal(start)
		if err != nil {
			return fmt.Errorf("write down a fan-out: %w", err)
		}
		f := &w.result.FanOuts[i]
		*f = FanOut{Model: o.path.Model.Name, Path: o.path.Name, Start: start, Since: w.since()}
		b.Queue(insertFanOut, a.slot, f.Model, f.Path, string(text), f.Since, a.now()).
			QueryRow(func(row pgx.Row) error { return row.Scan(&f.ID) })
	}
	return nil
}

// since is the first commit whose effect a document of this batch's fan-outs
// may lack.
func (w *writer) since() pglogrepl.LSN {
	if w.work.Batch.FirstLSN == 0 {
		return w.work.Batch.Watermark
	}
	return w.work.Batch.FirstLSN
}

// queueChunk books the chunk of a batch: that much of its fan-outs is done, or
// all of it.
func (w *writer) queueChunk(b *pgx.Batch) {
	c := w.work.Chunk
	switch {
	case c == nil:
	case c.Last && c.Fill:
		w.queueReady(b, c)
	case c.Last:
		b.Queue("DELETE FROM freshet.fanout WHERE id = ANY ($1)", c.IDs)
	default:
		b.Queue("UPDATE freshet.fanout SET documents = documents + $2 WHERE id = ANY ($1)", c.IDs, len(c.Keys))
	}
}

// endFill makes a read model ready, and logs that any of its documents may be
// another. Where its row is gone, somebody has asked for all of it again: then
// it is not ready yet.
const endFill = `
WITH ended AS (DELETE FROM freshet.fanout WHERE id = ANY ($1) RETURNING model, documents, created_at),
made AS (
    UPDATE freshet.models SET state = 'ready', filled_at = now(), paused_lsn = NULL, paused_at = NULL, error = NULL, waits = NULL
    WHERE state = 'backfilling' AND name IN (SELECT model FROM ended) RETURNING name),
logged AS (
    INSERT INTO freshet.sync_log (slot, batch, model, operation, whole, moved, upserted, watermark, started_at, duration_ms)
    SELECT $2, $3, model, 'backfill', true, '{*}', max(documents) + $4::bigint, $5, min(created_at), extract(epoch FROM clock_timestamp() - min(created_at)) * 1000
    FROM ended WHERE model IN (SELECT name FROM made) GROUP BY model)
SELECT name FROM made`

func (w *writer) queueReady(b *pgx.Batch, c *Chunk) {
	b.Queue(endFill, c.IDs, w.applier.slot, w.work.Number, len(c.Keys), w.work.Batch.Watermark).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&w.result.Filled); err != nil {
				return fmt.Errorf("mark a read model as ready: %w", err)
			}
		}
		return rows.Err()
	})
}

// complete is the watermark below which nothing is put off.
func (w *writer) complete() pglogrepl.LSN {
	lsn := w.work.Batch.Watermark
	if w.work.Waiting > 0 {
		lsn = min(lsn, w.work.Waiting-1)
	}
	if len(w.overflows) > 0 {
		lsn = min(lsn, w.since()-1)
	}
	return lsn
}

// spread does the batch's chunk of a fan-out. What the batch has rebuilt
// already is right. Where the change shows at one place of the document, only
// that place is written; a careful try rebuilds, and so finds the documents
// that cannot be built.
func (w *writer) spread(ctx context.Context) error {
	c := w.work.Chunk
	if c == nil {
		return nil
	}
	start := time.Now()
	if err := w.applyChunk(ctx, c); err != nil {
		return compile.OfModel(c.Model.Name, fmt.Errorf("fan-out: %w", err))
	}
	w.result.Spread = time.Since(start)
	return nil
}

func (w *writer) applyChunk(ctx context.Context, c *Chunk) error {
	keys := make([]string, 0, len(c.Keys))
	for _, k := range c.Keys {
		// What is known to fail is tried in its own time, a few with each batch.
		fails := c.Fill && w.applier.held[PendingKey{c.Model.Name, k}]
		if !fails && (w.last == nil || !w.last.has(c.Model.ID, k)) {
			keys = append(keys, k)
		}
	}
	path := c.Path
	if path != nil && path.Patch == "" {
		path = nil
	}
	return w.chunks(ctx, piecesOf(c.Model, path, keys))
}

// FanOuts reads the fan-outs that are under way, after a start: each begins
// anew.
func FanOuts(ctx context.Context, conn *pgx.Conn, slot string) ([]FanOut, error) {
	rows, err := conn.Query(ctx, `
WITH anew AS (UPDATE freshet.fanout SET documents = 0 WHERE slot = $1 RETURNING id, model, path, start, since_lsn)
SELECT id, model, path, start, since_lsn FROM anew ORDER BY id`, slot)
	if err != nil {
		return nil, fmt.Errorf("read freshet.fanout: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[FanOut])
	if err != nil {
		return nil, fmt.Errorf("read freshet.fanout: %w", err)
	}
	return list, nil
}
