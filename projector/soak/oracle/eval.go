package oracle

import (
	"fmt"

	"freshet/model"
)

// wholeDocument is the selection of a stored type's own document: every field,
// relations as far as they are embedded.
func wholeDocument(t *model.Type) *model.Selection {
	s := &model.Selection{Type: t}
	for _, f := range t.Fields {
		if f.Kind == model.FirstOf {
			continue // its relations are the document's
		}
		item := model.SelectionItem{Field: f}
		if f.Relation != nil {
			item.Sub = f.Relation.Embed
		}
		s.Items = append(s.Items, item)
	}
	return s
}

// documents evaluates every document of a stored type, by its key's text.
func (w *world) documents(t *model.Type) (map[string]any, error) {
	key := w.keyColumns(t)
	if err := must(len(key) == 1, "%s has no single key column", t.Name); err != nil {
		return nil, err
	}
	sel := wholeDocument(t)
	docs := map[string]any{}
	for _, r := range w.types[t].rows {
		k := *r.col(key[0]).text
		doc, err := w.object(r, sel)
		if err != nil {
			return nil, fmt.Errorf("document %s %s: %w", t.Name, k, err)
		}
		docs[k] = doc
	}
	return docs, nil
}

// object evaluates a selection for a row. Results are shared: one embedded
// object may stand in many documents.
func (w *world) object(r *row, sel *model.Selection) (any, error) {
	mk := memoKey{r, sel}
	if v, ok := w.memo[mk]; ok {
		return v, nil
	}
	doc := make(map[string]any, len(sel.Items))
	for i := range sel.Items {
		v, err := w.value(r, &sel.Items[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sel.Items[i].Field.Name, err)
		}
		doc[sel.Items[i].Field.Name] = v
	}
	w.memo[mk] = doc
	return doc, nil
}

func (w *world) value(r *row, item *model.SelectionItem) (any, error) {
	f := item.Field
	switch f.Kind {
	case model.Aggregate:
		return w.aggregate(r, f)
	case model.Relates:
		return w.embed(r, f.Relation, item.Sub)
	default:
		c, t := r.field(f)
		return encode(f.Type, t, c)
	}
}

func (w *world) embed(r *row, rel *model.Relation, sel *model.Selection) (any, error) {
	rows, err := w.related(r, rel)
	if err != nil {
		return nil, err
	}
	rows = w.sorted(rows, rel)
	if !rel.ToMany() {
		if len(rows) == 0 {
			return nil, nil
		}
		return w.object(rows[0], sel)
	}
	if rel.Limit > 0 && len(rows) > rel.Limit {
		rows = rows[:rel.Limit]
	}
	list := make([]any, len(rows))
	for i, t := range rows {
		if list[i], err = w.object(t, sel); err != nil {
			return nil, err
		}
	}
	return list, nil
}
