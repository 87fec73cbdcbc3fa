package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"freshet/api/page"
	"freshet/api/served"
	"freshet/cache"
)

// pgStore reads from Postgres. Statements are prepared once for each
// connection by pgx.
type pgStore struct {
	pool *pgxpool.Pool
	slot string
	byID map[*served.Type]string // the statement of Documents
	one  map[*served.Type]string // the same for a single key: it is cheaper than an array of one
}

func newPGStore(pool *pgxpool.Pool, slot string, schema *served.Schema) *pgStore {
	s := &pgStore{pool: pool, slot: slot, byID: map[*served.Type]string{}, one: map[*served.Type]string{}}
	for _, t := range schema.Types {
		if t.Stored() {
			s.byID[t] = documentsSQL(t.Table)
			s.one[t] = selectSQL(t.Table, "t."+t.Table.Key.SQL()+" = "+t.Table.Key.Param("$1"))
		}
	}
	return s
}

// selectSQL reads the documents of a table for which the condition holds,
// together with the position: also when there are none, in one row of NULLs.
func selectSQL(t *page.Table, where string) string {
	return fmt.Sprintf("SELECT t.%s::text, t.data::text, w.lsn FROM (SELECT (SELECT "+page.Position+" FROM freshet.checkpoint WHERE slot = $2::text) AS lsn) w LEFT JOIN %s t ON %s",
		t.Key.SQL(), t.SQL(), where)
}

// documentsSQL reads documents by $1 keys. A key is compared in a type without
// modifier: a cast to varchar(5) would cut it off and find another one. The
// keys stand in a subquery so that the planner cannot look at them: it would
// make a plan for each number of keys, every time, which takes longer than to
// find eight documents.
func documentsSQL(t *page.Table) string {
	return selectSQL(t, "t."+t.Key.SQL()+" = ANY((SELECT "+t.Key.Params("$1")+")::"+t.Key.Cast()+"[])")
}

func (s *pgStore) Documents(ctx context.Context, t *served.Type, keys []string, visit func(string, []byte) error) (cache.Position, error) {
	sql, args := s.byID[t], []any{keys, s.slot}
	if len(keys) == 1 {
		sql, args = s.one[t], []any{keys[0], s.slot}
	}
	at, err := s.documents(ctx, sql, args, visit)
	if err != nil {
		return at, fmt.Errorf("read documents of %s: %w", t.Model.Name, err)
	}
	return at, nil
}

func (s *pgStore) Lookup(ctx context.Context, t *served.Type, c *page.Column, value string, visit func(string, []byte) error) (cache.Position, error) {
	sql := selectSQL(t.Table, "t."+c.SQL()+" = "+c.Param("$1"))
	at, err := s.documents(ctx, sql, []any{value, s.slot}, visit)
	if err != nil {
		return at, fmt.Errorf("look up %s by %s: %w", t.Model.Name, c.Path, err)
	}
	return at, nil
}

// documents runs a statement of selectSQL.
func (s *pgStore) documents(ctx context.Context, sql string, args []any, visit func(string, []byte) error) (at cache.Position, err error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return at, classify(err)
	}
	defer rows.Close()
	for rows.Next() {
		raw := rows.RawValues()
		if at.Watermark == 0 {
			if at, err = parsePosition(view(raw[2])); err != nil {
				return at, fmt.Errorf("position of the checkpoint: %w", err)
			}
		}
		if raw[0] == nil {
			continue
		}
		if err := visit(string(raw[0]), raw[1]); err != nil {
			return at, err
		}
	}
	return at, classify(rows.Err())
}

func (s *pgStore) Page(ctx context.Context, q *page.Query, visit func(PageRow) error) (PageSummary, error) {
	q.Slot = s.slot
	sql, args := q.SQL()
	sum, err := s.page(ctx, q, sql, args, visit)
	if err != nil {
		return PageSummary{}, fmt.Errorf("read a page of %s: %w", q.Table.Type, err)
	}
	return sum, nil
}

func (s *pgStore) page(ctx context.Context, q *page.Query, sql string, args []any, visit func(PageRow) error) (sum PageSummary, err error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return sum, classify(err)
	}
	defer rows.Close()
	aggregates := page.ColumnOrder + len(q.Order)
	for rows.Next() {
		raw := rows.RawValues()
		if raw[page.ColumnKey] == nil {
			if sum, err = summary(raw, aggregates); err != nil {
				return sum, err
			}
			continue
		}
		row := PageRow{Key: string(raw[page.ColumnKey]), Data: raw[page.ColumnData], Order: texts(raw[page.ColumnOrder:aggregates])}
		if err := visit(row); err != nil {
			return sum, err
		}
	}
	return sum, classify(rows.Err())
}

// summary reads the row about the list as a whole.
func summary(raw [][]byte, aggregates int) (sum PageSummary, err error) {
	at, err := parsePosition(view(raw[page.ColumnPosition]))
	if err != nil {
		return sum, fmt.Errorf("position of the checkpoint: %w", err)
	}
	sum.Watermark, sum.Batch = at.Watermark, at.Batch
	if raw[page.ColumnCount] != nil {
		if sum.Count, err = strconv.ParseInt(string(raw[page.ColumnCount]), 10, 64); err != nil {
			return sum, fmt.Errorf("count of the list: %w", err)
		}
	}
	sum.Beyond = string(raw[page.ColumnBeyond]) == "true"
	for _, v := range raw[aggregates:] {
		sum.Aggregates = append(sum.Aggregates, bytes.Clone(v))
	}
	return sum, nil
}

// texts returns values as strings, nil for NULL. They share their memory.
func texts(raw [][]byte) []*string {
	var room [128]byte
	all := room[:0]
	for _, b := range raw {
		all = append(all, b...)
	}
	rest, values := string(all), make([]string, len(raw))
	out := make([]*string, len(raw))
	for i, b := range raw {
		if b != nil {
			values[i], rest = rest[:len(b)], rest[len(b):]
			out[i] = &values[i]
		}
	}
	return out
}

// watermarkSQL reads both in one snapshot: the lag of an earlier one would
// leave out what the watermark has passed since.
const watermarkSQL = "SELECT watermark::text, " + cache.LagsSQL + " FROM freshet.checkpoint WHERE slot = $1::text"

func (s *pgStore) Watermark(ctx context.Context) (pglogrepl.LSN, cache.Lags, error) {
	var text string
	var lag []byte
	err := s.pool.QueryRow(ctx, watermarkSQL, s.slot).Scan(&text, &lag)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read the watermark: %w", err)
	}
	lsn, err := parseLSN(text)
	if err != nil {
		return 0, nil, fmt.Errorf("read the watermark: %w", err)
	}
	lags, err := cache.ParseLags(lag)
	return lsn, lags, err
}

// classify marks errors that come of a client's values: class 22, data exception.
func classify(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && strings.HasPrefix(pg.Code, "22") {
		return fmt.Errorf("%w: %w", errBadValue, err)
	}
	return err
}

// parsePosition parses "0/16B3748 12"; the empty text, of a NULL, is the zero
// position.
func parsePosition(s string) (at cache.Position, err error) {
	if s == "" {
		return at, nil
	}
	lsn, batch, _ := strings.Cut(s, " ")
	if at.Watermark, err = parseLSN(lsn); err != nil {
		return at, err
	}
	if at.Batch, err = strconv.ParseInt(batch, 10, 64); err != nil {
		return at, fmt.Errorf("%q is not the number of a batch: %w", batch, err)
	}
	return at, nil
}

// parseLSN parses "0/16B3748"; the empty text, of a NULL, is 0.
func parseLSN(s string) (pglogrepl.LSN, error) {
	if s == "" {
		return 0, nil
	}
	high, low, ok := strings.Cut(s, "/")
	if !ok || len(high) > 8 || len(low) > 8 {
		return 0, fmt.Errorf("%q is not an LSN such as 0/16B3748", s)
	}
	h, err1 := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("%q is not an LSN such as 0/16B3748", s)
	}
	return pglogrepl.LSN(h<<32 | l), nil
}
