package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"freshet/migrations"
	"freshet/projector/compile"
)

// Check looks for everything about the database that would go wrong, before it
// does: server settings, the role and its privileges, the source tables,
// publication, slot, checkpoint, and the tables that the model needs. It
// changes nothing. The worst come first; an empty list says that all is well.
func Check(ctx context.Context, conn *pgx.Conn, cp *compile.Plan, opts Options) []Finding {
	c := &checker{ctx: ctx, conn: conn, plan: cp, opts: opts.withDefaults()}
	c.server()
	c.role()
	c.state()
	slices.SortStableFunc(c.found, func(a, b Finding) int { return cmp.Compare(a.Severity, b.Severity) })
	return c.found
}

// checker adds up findings.
type checker struct {
	ctx   context.Context
	conn  *pgx.Conn
	plan  *compile.Plan
	opts  Options
	found []Finding

	settings serverSettings
	self     roleRights
}

// add appends a finding.
func (c *checker) add(s Severity, where, what, remedy string) {
	c.found = append(c.found, Finding{Severity: s, Where: where, What: what, Remedy: remedy})
}

// failed records that something could not be looked at.
func (c *checker) failed(what string, err error) {
	c.add(Fault, what, "could not be checked: "+err.Error(), "")
}

// state checks what a migration would change, and the slot.
func (c *checker) state() {
	s, err := readState(c.ctx, c.conn, c.plan, c.opts.Slot, c.opts.Publication)
	if errors.Is(err, migrations.ErrNewer) {
		c.add(Fault, "schema freshet", err.Error(), "Use the newer Freshet.")
		return
	}
	if sqlState(err) == "42501" {
		c.add(Fault, "role "+c.self.Name, "may not read Freshet's own tables: "+err.Error(), fmt.Sprintf("GRANT USAGE ON SCHEMA freshet TO %[1]s; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA freshet TO %[1]s;", quoteName(c.self.Name)))
		return
	}
	if err != nil {
		c.failed("the state of the database", err)
		return
	}
	c.privileges(s)
	c.found = append(c.found, s.sourceFindings(c.plan)...)
	c.models(s)
	c.publication(s)
	c.slot(s)
	c.checkpoint(s)
}

// models checks the tv_* tables and those of the catalog.
func (c *checker) models(s *state) {
	if len(s.pending) > 0 && len(s.models) == 0 {
		c.add(Fault, "schema freshet", "Freshet's own tables are not there yet, nor are the tv_* tables", runMigrate)
		return
	}
	if len(s.pending) > 0 {
		c.add(Fault, "schema freshet", fmt.Sprintf("Freshet's own tables lack %s", s.pending[0].Name), runMigrate)
	}
	c.found = append(c.found, s.modelFindings(c.plan)...)
	for name, row := range s.models {
		if (&planner{plan: c.plan}).readModel(name) == nil {
			c.add(Note, row.table().String(), fmt.Sprintf("read model %s is no longer in the model file: its table is kept up to date no more", name), "freshet migrate --prune --apply drops it.")
		}
	}
}

// publication checks that every source table is published, whole.
func (c *checker) publication(s *state) {
	where := "publication " + c.opts.Publication
	if s.publication == nil {
		c.add(Fault, where, "it does not exist", "freshet migrate --apply creates it.")
		return
	}
	for _, src := range c.plan.Sources {
		if s.publication.lacks(src.Table) != "" {
			c.found = append(c.found, publicationFault(s.publication, src.Table, c.opts.Publication))
		}
	}
	if s.publication.AllTables {
		c.add(Note, where, "it is FOR ALL TABLES: changes of other tables are read and thrown away", "")
	}
}

// checkpoint checks that the progress is of this database.
func (c *checker) checkpoint(s *state) {
	if s.checkpoint == nil {
		return
	}
	if other := s.checkpoint.foreign(); other != "" {
		c.add(Fault, "freshet.checkpoint", "the progress of slot "+c.opts.Slot+" belongs to "+other+
			": this database was restored from a backup, copied, or promoted from a standby, and changes may be missing in between", recreate)
	}
}
