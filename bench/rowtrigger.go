package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"freshet/projector/compile"
)

// rowTrigger is the SQL of a trigger that keeps all documents that read a
// table: what people write who want read models without Freshet, only that
// this one is made out of the plan, so that it keeps the same documents.
func rowTrigger(source *compile.Source) string {
	var body strings.Builder
	for _, m := range modelsOf(source) {
		body.WriteString("  bench_keys := '{}';\n")
		for _, p := range source.Paths {
			if p.Model == m {
				body.WriteString(collect(p))
			}
		}
		body.WriteString(rebuildInTrigger(m))
	}
	name := source.Table.Name.Name
	return fmt.Sprintf(`
CREATE FUNCTION bench_%[1]s() RETURNS trigger LANGUAGE plpgsql AS $bench$
DECLARE
  bench_keys text[];
  bench_row record;
BEGIN
%[2]s  RETURN NULL;
END $bench$;
CREATE TRIGGER bench AFTER INSERT OR UPDATE OR DELETE ON %[1]s FOR EACH ROW EXECUTE FUNCTION bench_%[1]s()`, name, body.String())
}

// modelsOf are the read models that a table's rows lead to.
func modelsOf(source *compile.Source) []*compile.ReadModel {
	var models []*compile.ReadModel
	for _, p := range source.Paths {
		if !slices.Contains(models, p.Model) {
			models = append(models, p.Model)
		}
	}
	return models
}

// collect adds the keys that a path leads to, from the old row and the new.
func collect(p *compile.Path) string {
	changed := make([]string, len(p.Reads))
	for i, c := range p.Reads {
		changed[i] = fmt.Sprintf("OLD.%[1]s IS DISTINCT FROM NEW.%[1]s", c)
	}
	return fmt.Sprintf(`  IF TG_OP <> 'UPDATE' OR %s THEN
    IF TG_OP <> 'INSERT' THEN bench_keys := bench_keys || %s; END IF;
    IF TG_OP <> 'DELETE' THEN bench_keys := bench_keys || %s; END IF;
  END IF;
`, strings.Join(changed, " OR "), keysFrom(p, "OLD"), keysFrom(p, "NEW"))
}

func keysFrom(p *compile.Path, row string) string {
	if p.Direct {
		return fmt.Sprintf("%s.%s::text", row, p.Start[0])
	}
	sql := p.SQL
	for i, c := range p.Start {
		sql = strings.ReplaceAll(sql, fmt.Sprintf("$%d", i+1), fmt.Sprintf("ARRAY[%s.%s::text]", row, c))
	}
	return "ARRAY(" + strings.TrimSuffix(strings.TrimSpace(sql), ";") + ")"
}

// rebuildInTrigger rebuilds the documents of the keys. Their rows are locked
// first: two transactions that touch one document would otherwise lose what
// the other has done.
func rebuildInTrigger(m *compile.ReadModel) string {
	table, key := pgx.Identifier{m.Table.Schema, m.Table.Name}.Sanitize(), pgx.Identifier{m.Key.Column}.Sanitize()
	apply := strings.NewReplacer("$1", "bench_keys", "$2", "'0/0'", "$3", "now()").Replace(strings.TrimSuffix(strings.TrimSpace(m.Apply), ";"))
	return fmt.Sprintf(`  IF cardinality(bench_keys) > 0 THEN
    PERFORM FROM %s WHERE %s = ANY(bench_keys::%s[]) ORDER BY %[2]s FOR UPDATE;
    FOR bench_row IN %[4]s LOOP END LOOP;
  END IF;
`, table, key, m.Key.SQL, apply)
}

// sampledKeys are how many documents of each read model are compared.
const sampledKeys = 2000

// compare makes sure that documents are what they should be.
func (w *world) compare(ctx context.Context, database string, plan *compile.Plan) error {
	return w.with(ctx, database, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "SET timezone = 'UTC'"); err != nil {
			return err
		}
		for _, m := range plan.ReadModels {
			keys, err := keysOf(ctx, conn, pgx.Identifier{m.Root.Table.Name.Schema, m.Root.Table.Name.Name}.Sanitize())
			if err != nil {
				return err
			}
			var wrong int
			sql := "SELECT count(*) FROM (" + strings.TrimSuffix(strings.TrimSpace(m.Differences), ";") + ") AS d"
			if err := conn.QueryRow(ctx, sql, keys[:min(sampledKeys, len(keys))]).Scan(&wrong); err != nil {
				return err
			}
			if wrong > 0 {
				return fmt.Errorf("%d of %d documents of %s are wrong", wrong, min(sampledKeys, len(keys)), m.Name)
			}
		}
		return nil
	})
}
