package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/projector/compile"
)

// Traces are how source tables stand in the catalog, by quoted name. What the
// stream of changes does not tell leaves a trace there, even where all is as
// it was when it is looked at again: a table that was dropped and created
// again, or taken out of the publication and put back, or whose rows were
// written anew by ALTER TABLE.
type Traces map[string]Trace

// Trace is how one table stands.
type Trace struct {
	OID uint32 `json:"oid"`
	// Published are the rows of the publication's catalogs by which it is
	// published: one that is deleted and made again is another.
	Published []string `json:"published"`
	// File changes when the table is written anew.
	File int64 `json:"file"`
	// Columns are those that a plan reads, by name.
	Columns map[string]ColumnTrace `json:"columns"`
}

// ColumnTrace is how one column stands.
type ColumnTrace struct {
	Num     int    `json:"num"`     // one that is dropped and added again has another
	Version string `json:"version"` // changes with every ALTER of the column
}

const traceSQL = `
SELECT n.nspname, c.relname, c.oid, c.relfilenode::bigint,
       ARRAY(SELECT 'publication ' || p.oid || ' ' || p.xmin FROM pg_catalog.pg_publication p WHERE p.pubname = $3
             UNION ALL
             SELECT 'table ' || r.oid FROM pg_catalog.pg_publication_rel r
               JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE p.pubname = $3 AND r.prrelid = c.oid
             %s
             ORDER BY 1),
       (SELECT coalesce(json_object_agg(a.attname, json_build_object('num', a.attnum, 'version', a.xmin::text)), '{}')
          FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
  FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name`

// traceSchemas is the part that servers before version 15 do not have.
const traceSchemas = `UNION ALL
             SELECT 'schema ' || s.oid FROM pg_catalog.pg_publication_namespace s
               JOIN pg_catalog.pg_publication p ON p.oid = s.pnpubid WHERE p.pubname = $3 AND s.pnnspid = n.oid`

// readTraces reads how the plan's source tables stand.
func readTraces(ctx context.Context, conn *pgx.Conn, cp *compile.Plan, publication string) (Traces, error) {
	part := traceSchemas
	if v := conn.PgConn().ParameterStatus("server_version"); strings.HasPrefix(v, "14") {
		part = ""
	}
	wanted := map[string][]string{}
	var schemas, names []string
	for _, src := range cp.Sources {
		n := src.Table.Name
		schemas, names = append(schemas, n.Schema), append(names, n.Name)
		wanted[quote(n)] = columnsOf(src)
	}
	rows, err := conn.Query(ctx, fmt.Sprintf(traceSQL, part), schemas, names, publication)
	if err != nil {
		return nil, fmt.Errorf("read how the source tables stand: %w", err)
	}
	traces := Traces{}
	var schema, name string
	var t Trace
	var columns []byte
	_, err = pgx.ForEachRow(rows, []any{&schema, &name, &t.OID, &t.File, &t.Published, &columns}, func() error {
		all := map[string]ColumnTrace{}
		if err := json.Unmarshal(columns, &all); err != nil {
			return err
		}
		key := pgx.Identifier{schema, name}.Sanitize()
		one := Trace{OID: t.OID, File: t.File, Published: slices.Clone(t.Published), Columns: map[string]ColumnTrace{}}
		for _, c := range wanted[key] {
			if trace, ok := all[c]; ok {
				one.Columns[c] = trace
			}
		}
		traces[key] = one
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read how the source tables stand: %w", err)
	}
	return traces, nil
}

// Since returns what was done to the source tables since earlier traces were
// taken that the stream has not told, by read model. A table that has no
// earlier trace, or none now, says nothing.
func (t Traces) Since(earlier Traces, cp *compile.Plan) map[string][]Finding {
	found := map[string][]Finding{}
	for _, src := range cp.Sources {
		key := quote(src.Table.Name)
		was, known := earlier[key]
		is, there := t[key]
		if !known || !there {
			continue
		}
		what, columns := was.until(is)
		if what == "" {
			continue
		}
		models := src.Models()
		if columns != nil {
			models = src.ModelsReading(columns)
		}
		for _, m := range models {
			found[m] = append(found[m], Finding{Where: src.Table.Name.String(), What: what, Remedy: "The documents are filled again by themselves."})
		}
	}
	return found
}

// until says what was done between two traces, and to which columns where it
// concerns only some.
func (t Trace) until(now Trace) (what string, columns []string) {
	if t.OID != now.OID {
		return "it was dropped and created again", nil
	}
	if !slices.Equal(t.Published, now.Published) {
		return "it was taken out of the publication and put back, or the publication was altered", nil
	}
	var added, altered []string
	for name, was := range t.Columns {
		is, there := now.Columns[name]
		switch {
		case !there: // its absence is told elsewhere
		case is.Num != was.Num:
			added = append(added, name)
		case is.Version != was.Version && t.File != now.File:
			altered = append(altered, name)
		}
	}
	slices.Sort(added)
	slices.Sort(altered)
	if len(added) > 0 {
		return "column " + strings.Join(added, ", ") + " was dropped and added again", added
	}
	if len(altered) > 0 {
		return "its rows were written anew by ALTER TABLE (" + strings.Join(altered, ", ") + ")", altered
	}
	return "", nil
}
