package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// checkpointColumns are those of head.fields: the watermark, and in the same
// snapshot the models that it does not speak for. The expression is one of the
// whole statement, worked out once however many rows there are.
const checkpointColumns = `c.system_id, c.timeline, c.database, c.batch, c.watermark, c.commit_time, c.updated_at,
    c.complete, ` + LagsSQL

// headSQL reads where the log stands. 0 as an id is an empty log.
const headSQL = `SELECT ` + checkpointColumns + `,
    coalesce((SELECT min(id) FROM freshet.sync_log), 0),
    coalesce((SELECT max(id) FROM freshet.sync_log), 0),
    (SELECT logged_at FROM freshet.sync_log ORDER BY id DESC LIMIT 1),
    (SELECT logged_at FROM freshet.sync_log WHERE id = $2)
FROM freshet.checkpoint c WHERE c.slot = $1`

// pageSQL reads the next rows and the checkpoint in one snapshot, so that the
// watermark counts once the rows are done. Rows of every slot are read: what a
// row says of a document is true whoever wrote it.
const pageSQL = `SELECT ` + checkpointColumns + `,
    l.id, l.batch, l.model, l.operation, l.keys, l.deleted_keys, l.whole, l.moved,
    coalesce(l.watermark, '0/0'), coalesce(l.last_lsn, '0/0'), l.committed_at, l.logged_at
FROM freshet.checkpoint c
LEFT JOIN LATERAL (SELECT * FROM freshet.sync_log WHERE id > $2 ORDER BY id LIMIT $3) l ON true
WHERE c.slot = $1
ORDER BY l.id`

// head is the checkpoint, and the ends of the log.
type head struct {
	systemID    string
	timeline    int32
	database    string
	batch       int64
	watermark   pglogrepl.LSN
	committedAt time.Time
	updatedAt   time.Time
	complete    pglogrepl.LSN // every commit at or before it is reflected in every document of models that are not paused
	lagText     []byte        // freshet.lag as LagsSQL yields it
	lags        Lags          // the same
	minID       int64
	maxID       int64
	maxAt       time.Time // when the row maxID was logged
	lastAt      time.Time // when the last row that the feed has read was logged, if it still stands
	began       time.Time // before it was read
}

// moved tells why h cannot be a later state of old, or "".
func (h head) moved(old head) string {
	switch {
	case h.systemID != old.systemID || h.database != old.database:
		return "it is another database"
	case h.timeline != old.timeline:
		return "it is another timeline"
	case h.batch < old.batch || h.watermark < old.watermark:
		return "the checkpoint went back"
	}
	return ""
}

// fields are the scan targets of the checkpoint's columns.
func (h *head) fields(committedAt **time.Time) []any {
	return []any{&h.systemID, &h.timeline, &h.database, &h.batch, &h.watermark, committedAt, &h.updatedAt, &h.complete, &h.lagText}
}

// parseLags takes lagText apart, unless it is what it was.
func (h *head) parseLags(old *head) (err error) {
	if string(h.lagText) == string(old.lagText) {
		h.lags = old.lags
		return nil
	}
	if h.lags, err = ParseLags(h.lagText); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	return nil
}

func (f *Feed) readHead(ctx context.Context, conn *pgx.Conn) (head, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
	defer cancel()
	h := head{began: time.Now()}
	var committedAt, maxAt, lastAt *time.Time
	err := conn.QueryRow(ctx, headSQL, f.cfg.Slot, f.pos.last).Scan(append(h.fields(&committedAt), &h.minID, &h.maxID, &maxAt, &lastAt)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return h, describe("slot "+f.cfg.Slot, errNoCheckpoint)
	}
	if err != nil {
		return h, describe("read the checkpoint", err)
	}
	h.committedAt, h.maxAt, h.lastAt = orZero(committedAt), orZero(maxAt), orZero(lastAt)
	return h, h.parseLags(&f.pos.head)
}

// catchUp reads pages until one is not full: then all rows of its snapshot are
// done, and the watermark read with it is the local one.
func (f *Feed) catchUp(ctx context.Context, conn *pgx.Conn) error {
	began, sum := time.Now(), page{}
	for {
		p, err := f.readPage(ctx, conn)
		if err != nil {
			return err
		}
		sum.rows += p.rows
		sum.keys += p.keys
		if p.rows < f.cfg.Page {
			f.advance(p, sum, began)
			return nil
		}
	}
}

// page is what one statement has brought.
type page struct {
	head head
	rows int
	keys int
}

// readPage reads and carries out the next rows.
func (f *Feed) readPage(ctx context.Context, conn *pgx.Conn) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
	defer cancel()
	p := page{head: head{began: time.Now()}}
	rows, err := conn.Query(ctx, pageSQL, f.cfg.Slot, f.pos.last, f.cfg.Page)
	if err != nil {
		return p, describe("read sync_log", err)
	}
	defer rows.Close()
	found := false
	for rows.Next() {
		var r row
		if err := rows.Scan(r.fields(&p.head)...); err != nil {
			return p, describe("read sync_log", err)
		}
		if !found {
			found = true
			if reason := p.head.moved(f.pos.head); reason != "" {
				return p, &missedError{reason}
			}
		}
		p.head.committedAt = orZero(r.headCommittedAt)
		f.carryOut(&r, &p)
	}
	if err := rows.Err(); err != nil {
		return p, describe("read sync_log", err)
	}
	if !found {
		f.pos.gone = true
		return p, &missedError{"the checkpoint was removed"}
	}
	return p, p.head.parseLags(&f.pos.head)
}

// row is one of pageSQL; without a row of the log all after the checkpoint is
// NULL.
type row struct {
	headCommittedAt *time.Time
	id              *int64
	batch           *int64
	model           *string
	operation       *string
	keys            []string
	deletedKeys     []string
	whole           *bool
	moved           []string
	watermark       pglogrepl.LSN
	last            pglogrepl.LSN
	committedAt     *time.Time
	loggedAt        *time.Time
}

func (r *row) fields(h *head) []any {
	return append(h.fields(&r.headCommittedAt),
		&r.id, &r.batch, &r.model, &r.operation, &r.keys, &r.deletedKeys, &r.whole, &r.moved,
		&r.watermark, &r.last, &r.committedAt, &r.loggedAt)
}

// carryOut invalidates what a row names. A row of failure names nothing; if it
// did, forgetting it would do no harm.
func (f *Feed) carryOut(r *row, p *page) {
	if r.id == nil {
		return
	}
	f.pos.last, f.pos.lastAt = *r.id, orZero(r.loggedAt)
	f.pos.untold = true
	p.rows++
	p.keys += len(r.keys) + len(r.deletedKeys)
	ch := r.change()
	if !ch.Whole && len(ch.Keys)+len(ch.DeletedKeys) == 0 {
		return
	}
	for _, t := range f.targets {
		invalidate(t, ch)
	}
	for _, l := range f.listening() {
		if l.Change != nil {
			l.Change(ch)
		}
	}
}

func invalidate(t Invalidator, ch Change) {
	if ch.Whole {
		t.InvalidateModel(ch.Model, ch.Watermark)
		return
	}
	if len(ch.Keys) > 0 {
		t.Invalidate(ch.Model, ch.Keys, ch.Watermark)
	}
	if len(ch.DeletedKeys) > 0 {
		t.Invalidate(ch.Model, ch.DeletedKeys, ch.Watermark)
	}
	if len(ch.Moved) > 0 {
		t.InvalidatePages(ch.Model, ch.Moved, ch.Watermark)
	}
}

func (r *row) change() Change {
	if len(r.deletedKeys) > 0 && !slices.Contains(r.moved, AnyColumn) {
		r.moved = append(r.moved, AnyColumn) // whoever wrote the row
	}
	return Change{
		ID: *r.id, Batch: *r.batch, Model: *r.model, Operation: *r.operation,
		Keys: r.keys, DeletedKeys: r.deletedKeys, Whole: *r.whole, Moved: r.moved,
		Watermark: r.watermark, Last: r.last, CommittedAt: orZero(r.committedAt),
	}
}

// come tells the caches which batch they have come to, before the watermark
// tells their readers.
func (f *Feed) come(batch int64) {
	for _, t := range f.targets {
		t.Advance(batch)
	}
}

// advance lets the watermark follow the rows that are done.
func (f *Feed) advance(p page, sum page, began time.Time) {
	moved := p.head.watermark != f.pos.head.watermark
	f.pos.head, f.pos.readAt = p.head, p.head.began
	f.touched(p.head.began, p.head, sum.rows, sum.keys) // before those who wait for the watermark go on
	f.setLags(&p.head)
	f.come(p.head.batch)
	f.watermark.set(p.head.watermark)
	if !moved && !f.pos.untold { // a reading that failed behind its rows may have left some
		return
	}
	f.pos.untold = false
	for _, l := range f.listening() {
		if l.Advanced != nil {
			l.Advanced(p.head.watermark)
		}
	}
	if f.cfg.Events.Batch != nil {
		f.cfg.Events.Batch(Reading{Rows: sum.rows, Keys: sum.keys, Watermark: p.head.watermark, Elapsed: time.Since(began)})
	}
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
