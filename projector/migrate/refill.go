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

// refills plans what has to be filled again, though its table may stay: read
// models of tables whose changes may have been missed, or that were rewritten
// without a word in the WAL. It comes before the repairs: a migration that is
// killed in between has lost nothing.
func (p *planner) refills() {
	for _, rm := range p.plan.ReadModels {
		row := p.state.models[rm.Name]
		if row == nil {
			continue
		}
		if why, _ := p.state.mustBuild(rm); why != "" {
			continue
		}
		if reasons := p.missed(rm, row); len(reasons) > 0 {
			p.refill(rm, reasons)
		}
	}
}

// missed says why documents of a read model may be wrong.
func (p *planner) missed(rm *compile.ReadModel, row *modelRow) []string {
	var reasons []string
	if !sameSources(row.Sources, sourcesOf(p.plan, rm)) {
		reasons = append(reasons, "source columns have other types than it was built from")
	}
	if row.State != "ready" && !row.Begun {
		return reasons // whatever it missed, all of it is yet to be filled
	}
	for _, src := range p.plan.Sources {
		if _, reads := readsFor(src, rm); !reads {
			continue
		}
		if !p.state.covered(src) {
			reasons = append(reasons, fmt.Sprintf("the replica identity of %s did not cover what it needs", src.Table.Name))
		}
		if why := p.state.publication.lacks(src.Table); why != "" {
			reasons = append(reasons, fmt.Sprintf("changes of %s were not all published", src.Table.Name))
		}
	}
	return reasons
}

// refill plans that a read model is filled again, over what is there.
func (p *planner) refill(rm *compile.ReadModel, reasons []string) {
	sources := sourcesOf(p.plan, rm)
	p.add(Step{
		Kind: KindRefill,
		What: fmt.Sprintf("have read model %s filled again, since %s; the projector must be restarted, and does it while the old documents are served",
			rm.Name, strings.Join(slices.Compact(reasons), " and ")),
		SQL: fmt.Sprintf("UPDATE freshet.models SET state = 'backfilling', sources = …, filled_at = NULL WHERE name = %[1]s;\nDELETE FROM freshet.backfill WHERE model = %[1]s;\nDELETE FROM freshet.fanout WHERE model = %[1]s", literal(rm.Name)),
		do: func(ctx context.Context, w *worker) error {
			return w.transaction(ctx, func(tx pgx.Tx) error { return refill(ctx, tx, rm.Name, sources) })
		},
	})
}

// refill marks a read model as not filled.
func refill(ctx context.Context, tx pgx.Tx, name string, sources []sourceShape) error {
	text, err := json.Marshal(sources)
	if err != nil {
		return err
	}
	for _, table := range []string{"backfill", "fanout"} { // one that is filling it begins anew
		if _, err := tx.Exec(ctx, `DELETE FROM freshet.`+table+` WHERE model = $1`, name); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `UPDATE freshet.models SET state = 'backfilling', sources = $2, filled_at = NULL WHERE name = $1`, name, string(text))
	return err
}
