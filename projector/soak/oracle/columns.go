package oracle

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"freshet/model"
)

// layout is the part of freshet.models.layout that says which column of a
// tv_* table serves which index path.
type layout struct {
	Columns []struct {
		Path   string `json:"path"`
		Column string `json:"column"`
	} `json:"columns"`
}

// compareColumns compares the typed columns of a tv_* table with the source.
// Rows that are missing or too many were reported with the documents.
func (w *world) compareColumns(ctx context.Context, tx pgx.Tx, t *model.Type) ([]Difference, error) {
	var raw []byte
	err := tx.QueryRow(ctx, `SELECT layout FROM freshet.models WHERE name = $1`, t.Name).Scan(&raw)
	if err != nil {
		return nil, fmt.Errorf("read layout: %w", err)
	}
	var lay layout
	if err := json.Unmarshal(raw, &lay); err != nil {
		return nil, fmt.Errorf("read layout: %w", err)
	}
	var ds []Difference
	for _, c := range lay.Columns {
		path := indexPath(t, c.Path)
		if err := must(path != nil, "%s has no index path %s", t.Name, c.Path); err != nil {
			return nil, err
		}
		d, err := w.compareColumn(ctx, tx, t, c.Column, path)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Column, err)
		}
		ds = append(ds, d...)
	}
	return ds, nil
}

func indexPath(t *model.Type, path string) []*model.Field {
	for _, i := range t.Indexes {
		for _, p := range i.Fields {
			if p.String() == path {
				return p.Path
			}
		}
	}
	return nil
}

func (w *world) compareColumn(ctx context.Context, tx pgx.Tx, t *model.Type, col string, path []*model.Field) ([]Difference, error) {
	key := w.keyColumns(t)[0]
	rows, err := tx.Query(ctx, fmt.Sprintf("SELECT %s::text, %s FROM %s",
		pgx.Identifier{key}.Sanitize(), text(pgx.Identifier{col}.Sanitize()), w.stored(t)))
	if err != nil {
		return nil, err
	}
	stored := map[string]*string{}
	var k string
	var v *string
	_, err = pgx.ForEachRow(rows, []any{&k, &v}, func() error {
		stored[k] = v
		return nil
	})
	if err != nil {
		return nil, err
	}
	var ds []Difference
	for _, r := range w.types[t].rows {
		k := *r.col(key).text
		got, ok := stored[k]
		want, err := w.pathText(r, path)
		if err != nil {
			return nil, err
		}
		if ok && !sameText(want, got) {
			ds = append(ds, Difference{t.Name, k, "column " + col, show(want), show(got)})
		}
	}
	return ds, nil
}

// pathText returns the text of what an index path leads to, nil for NULL. It
// is an approx for a value whose last digits may differ.
func (w *world) pathText(r *row, path []*model.Field) (any, error) {
	for _, f := range path {
		switch f.Kind {
		case model.Aggregate:
			return w.aggregateText(r, f)
		case model.Column, model.Computed:
			c, _ := r.field(f)
			return c.text, nil
		}
		rows, err := w.related(r, f.Relation)
		if err != nil || len(rows) == 0 {
			return (*string)(nil), err
		}
		r = w.sorted(rows, f.Relation)[0]
	}
	return r.col(w.keyColumns(path[len(path)-1].Relation.Target)[0]).text, nil
}

func (w *world) aggregateText(r *row, f *model.Field) (any, error) {
	v, err := w.aggregate(r, f)
	switch v := v.(type) {
	case nil:
		return (*string)(nil), err
	case approx:
		return v, err
	case string:
		return &v, err
	}
	s := fmt.Sprint(v)
	return &s, err
}

func sameText(want any, got *string) bool {
	if a, ok := want.(approx); ok {
		a.asText = true
		return got != nil && a.equals(*got)
	}
	w := want.(*string)
	if w == nil || got == nil {
		return w == nil && got == nil
	}
	return *w == *got
}
