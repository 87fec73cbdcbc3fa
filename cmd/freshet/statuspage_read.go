package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/projector/session"
	"freshet/projector/status"
	"freshet/projector/synclog"
)

const (
	readEvery   = time.Second     // at most, whatever the number of viewers
	readTimeout = 2 * time.Second // of a reading, connecting included
	readIdle    = 15 * time.Second
	logRows     = 20
	logKeys     = 50 // of each kind in one row
)

// logFilter says which rows of sync_log a viewer wants.
type logFilter struct {
	Model  string `json:"model"`  // "": all
	Failed bool   `json:"failed"` // only failures
}

// logRow is a row of sync_log. Of long lists of keys it has the first 50.
type logRow struct {
	ID           int64      `json:"id"`
	Batch        int64      `json:"batch"`
	Model        string     `json:"model"`
	Operation    string     `json:"operation"`
	Keys         []string   `json:"keys"`
	DeletedKeys  []string   `json:"deletedKeys"`
	KeysLeftOut  int        `json:"keysLeftOut"` // of both lists
	Whole        bool       `json:"whole"`       // any key of the model may have changed
	Upserted     int64      `json:"upserted"`
	Deleted      int64      `json:"deleted"`
	Unchanged    int64      `json:"unchanged"`
	Transactions int64      `json:"transactions"`
	LastLSN      *string    `json:"lastLsn"`
	CommittedAt  *time.Time `json:"committedAt"`
	LoggedAt     time.Time  `json:"loggedAt"`
	DurationMS   float64    `json:"durationMs"`
	Success      bool       `json:"success"`
	Error        *string    `json:"error"`
}

// reading is what one look at the database found.
type reading struct {
	state status.Database
	log   map[logFilter][]logRow
}

// source reads the database; one call at a time.
type source interface {
	read(ctx context.Context, filters []logFilter) (reading, error)
	// close gives back what is held between readings.
	close()
}

// database is the source with a connection of its own, which can only read.
type database struct {
	cfg  *pgx.ConnConfig
	slot string
	conn *pgx.Conn // nil: none
}

var readOnly = map[string]string{"default_transaction_read_only": "on", "statement_timeout": "2s"}

func (d *database) read(ctx context.Context, filters []logFilter) (r reading, err error) {
	if d.conn == nil {
		if d.conn, err = session.Connect(ctx, d.cfg, "status page", readOnly); err != nil {
			return r, err
		}
	}
	defer func() {
		if err != nil {
			d.close() // the next reading finds out whether it was the connection
		}
	}()
	if r.state, err = status.Read(ctx, d.conn, d.slot); err != nil {
		return r, err
	}
	r.log = make(map[logFilter][]logRow, len(filters))
	for _, f := range filters {
		entries, err := synclog.Query(ctx, d.conn, synclog.Filter{Model: f.Model, Failed: f.Failed, Limit: logRows})
		if err != nil {
			return r, err
		}
		r.log[f] = newLogRows(entries)
	}
	return r, nil
}

func (d *database) close() {
	session.Close(d.conn)
	d.conn = nil
}

func newLogRows(entries []synclog.Entry) []logRow {
	rows := make([]logRow, len(entries))
	for i, e := range entries {
		keys, deleted := first(e.Keys, logKeys), first(e.DeletedKeys, logKeys)
		rows[i] = logRow{ID: e.ID, Batch: e.Batch, Model: e.Model, Operation: e.Operation, Keys: keys, DeletedKeys: deleted,
			KeysLeftOut: len(e.Keys) + len(e.DeletedKeys) - len(keys) - len(deleted), Whole: e.Whole,
			Upserted: e.Upserted, Deleted: e.Deleted, Unchanged: e.Unchanged, Transactions: e.Transactions, LastLSN: e.LastLSN,
			CommittedAt: e.CommittedAt, LoggedAt: e.LoggedAt, DurationMS: e.DurationMS, Success: e.Success, Error: e.Error}
	}
	return rows
}

// first never is nil: JSON has a list where a list is promised.
func first(keys []string, n int) []string {
	return append([]string{}, keys[:min(n, len(keys))]...)
}

// readAll reads whenever somebody asks for it, at most once a second, and
// gives the connection back when nobody has asked for a while.
func (b *board) readAll(ctx context.Context) error {
	defer b.source.close()
	idle := time.NewTimer(readIdle)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-idle.C:
			b.source.close()
			continue
		case <-b.want:
		}
		began := time.Now()
		b.readOnce(ctx, began)
		idle.Reset(readIdle)
		if pause(ctx, time.Until(began.Add(readEvery))) != nil {
			return nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (b *board) readOnce(ctx context.Context, began time.Time) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	filters := b.filters()
	r, err := b.source.read(ctx, filters)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tried, b.asked = began, filters
	b.fault = ""
	if err != nil {
		b.fault = faultText(err)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			b.fault = fmt.Sprintf("no answer within %s", readTimeout)
		}
	} else {
		b.last, b.readAt = &r, began
		b.note(began, r.state.WriteLSN)
	}
	close(b.read)
	b.read = make(chan struct{})
	b.notify()
}

// faultText is an error in one line, its remedy a sentence of its own.
func faultText(err error) string {
	var e *explained
	if errors.As(explain(err), &e) {
		return oneLineText(sentence(e.message) + " Remedy: " + e.remedy)
	}
	return oneLine(err)
}

// written is where the server's log was at a moment.
type written struct {
	at  time.Time
	lsn pglogrepl.LSN
}

// note keeps where the server's log was, for ten minutes of readings. b.mu is
// held.
func (b *board) note(at time.Time, text string) {
	lsn, err := pglogrepl.ParseLSN(text)
	if err != nil {
		return // of the server's own text: cannot be
	}
	b.writes = append(b.writes, written{at, lsn})
	if len(b.writes) > 600 {
		b.writes = slices.Delete(b.writes, 0, len(b.writes)-600)
	}
}
