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
	one  map[*served.Type]string // the same for a single key: planned once, where an array is planned anew each time
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
// together with the watermark: also when there are none, in one row of NULLs.
func selectSQL(t *page.Table, where string) string {
	return fmt.Sprintf("SELECT t.%s::text, t.data::text, w.lsn FROM (SELECT (SELECT watermark::text FROM freshet.checkpoint WHERE slot = $2::text) AS lsn) w LEFT JOIN %s t ON %s",
		t.Key.SQL(), t.SQL(), where)
}

// documentsSQL reads documents by $1 keys. A key is compared in a type without
// modifier: a cast to varchar(5) would cut it off and find another one.
func documentsSQL(t *page.Table) string {
	return selectSQL(t, "t."+t.Key.SQL()+" = ANY("+t.Key.Params("$1")+")")
}

func (s *pgStore) Documents(ctx context.Context, t *served.Type, keys []string, visit func(string, []byte) error) (pglogrepl.LSN, error) {
	sql, args := s.byID[t], []any{keys, s.slot}
	if len(keys) == 1 {
		sql, args = s.one[t], []any{keys[0], s.slot}
	}
	lsn, err := s.documents(ctx, sql, args, visit)
	if err != nil {
		return 0, fmt.Errorf("read documents of %s: %w", t.Model.Name, err)
	}
	return lsn, nil
}

func (s *pgStore) Lookup(ctx context.Context, t *served.Type, c *page.Column, value string, visit func(string, []byte) error) (pglogrepl.LSN, error) {
	sql := selectSQL(t.Table, "t."+c.SQL()+" = "+c.Param("$1"))
	lsn, err := s.documents(ctx, sql, []any{value, s.slot}, visit)
	if err != nil {
		return 0, fmt.Errorf("look up %s by %s: %w", t.Model.Name, c.Path, err)
	}
	return lsn, nil
}

// documents runs a statement of selectSQL.
func (s *pgStore) documents(ctx context.Context, sql string, args []any, visit func(string, []byte) error) (lsn pglogrepl.LSN, err error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return 0, classify(err)
	}
	defer rows.Close()
	for rows.Next() {
		raw := rows.RawValues()
		if lsn == 0 {
			if lsn, err = parseLSN(view(raw[2])); err != nil {
				return 0, fmt.Errorf("watermark of the checkpoint: %w", err)
			}
		}
		if raw[0] == nil {
			continue
		}
		if err := visit(string(raw[0]), raw[1]); err != nil {
			return 0, err
		}
	}
	return lsn, classify(rows.Err())
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
	if sum.Watermark, err = parseLSN(view(raw[page.ColumnWatermark])); err != nil {
		return sum, fmt.Errorf("watermark of the checkpoint: %w", err)
	}
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

func texts(raw [][]byte) []*string {
	out := make([]*string, len(raw))
	for i, b := range raw {
		if b != nil {
			s := string(b)
			out[i] = &s
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
