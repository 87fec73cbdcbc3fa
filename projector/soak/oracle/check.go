package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"

	"freshet/model"
)

// Difference is one tv_* row that is not what it must be.
type Difference struct {
	Model string
	Key   string
	Path  string // within the document: ".author.name", ".lines[2]"; empty for the row as a whole
	Want  string // JSON
	Got   string // JSON
}

// String returns the difference on one line.
func (d Difference) String() string {
	return fmt.Sprintf("%s %s: at %q: want %s, got %s", d.Model, d.Key, d.Path, d.Want, d.Got)
}

// Report is the result of a comparison.
type Report struct {
	Documents   int // that must be, over all read models
	Differences []Difference
}

// session fixes how Postgres writes values, as the projector's sessions do.
const session = `SET LOCAL TimeZone = 'UTC'; SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL datestyle = 'ISO';
	SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL jit = off`

// Check compares every tv_* table of the model with the source tables, under
// one snapshot of its own on conn. It returns all differing rows, each with
// its first difference.
func Check(ctx context.Context, conn *pgx.Conn, m *model.Model) (Report, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return Report{}, fmt.Errorf("begin check: %w", err)
	}
	defer tx.Rollback(ctx) // nothing was written
	if _, err := tx.Exec(ctx, session); err != nil {
		return Report{}, fmt.Errorf("set up check: %w", err)
	}
	return check(ctx, tx, m)
}

func check(ctx context.Context, tx pgx.Tx, m *model.Model) (Report, error) {
	var rep Report
	w, err := load(ctx, tx, m)
	if err != nil {
		return rep, err
	}
	for _, t := range m.Types {
		if !t.Stored {
			continue
		}
		docs, err := w.documents(t)
		if err != nil {
			return rep, err
		}
		rep.Documents += len(docs)
		ds, err := w.compareType(ctx, tx, t, docs)
		if err != nil {
			return rep, fmt.Errorf("compare %s: %w", t.Name, err)
		}
		rep.Differences = append(rep.Differences, ds...)
	}
	return rep, nil
}

func (w *world) compareType(ctx context.Context, tx pgx.Tx, t *model.Type, docs map[string]any) ([]Difference, error) {
	stored, err := w.readStored(ctx, tx, t)
	if err != nil {
		return nil, err
	}
	var ds []Difference
	report := func(key string, d *difference) {
		ds = append(ds, Difference{t.Name, key, d.path, show(d.want), show(d.got)})
	}
	for _, key := range sortedKeys(docs) {
		got, ok := stored[key]
		if !ok {
			report(key, &difference{"", docs[key], absent{}})
		} else if d := diff("", docs[key], got); d != nil {
			report(key, d)
		}
	}
	for _, key := range sortedKeys(stored) {
		if _, ok := docs[key]; !ok {
			report(key, &difference{"", absent{}, stored[key]})
		}
	}
	cols, err := w.compareColumns(ctx, tx, t)
	return append(ds, cols...), err
}

// readStored returns the documents of the tv_* table.
func (w *world) readStored(ctx context.Context, tx pgx.Tx, t *model.Type) (map[string]any, error) {
	key := pgx.Identifier{w.keyColumns(t)[0]}.Sanitize()
	rows, err := tx.Query(ctx, "SELECT "+key+"::text, data::text FROM "+w.stored(t))
	if err != nil {
		return nil, err
	}
	stored := map[string]any{}
	var k, data string
	_, err = pgx.ForEachRow(rows, []any{&k, &data}, func() error {
		v, err := decode([]byte(data))
		stored[k] = v
		return err
	})
	return stored, err
}

// stored returns the quoted name of a type's tv_* table.
func (w *world) stored(t *model.Type) string {
	return pgx.Identifier{w.types[t].table.schema, "tv_" + snake(t.Name)}.Sanitize()
}

// snake writes a type's name in snake case.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// show writes a value for people, cut where it is long.
func show(v any) string {
	switch v := v.(type) {
	case absent:
		return v.String()
	case approx:
		return fmt.Sprintf("about %v", v.value)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(b) > 400 {
		return string(b[:400]) + "…"
	}
	return string(b)
}

// MarshalJSON lets an approximate number be shown within a document.
func (a approx) MarshalJSON() ([]byte, error) { return json.Marshal(a.value) }
