package migrate

import (
	"fmt"
	"slices"
	"strings"

	"freshet/migrations"
	"freshet/projector/compile"
)

// roleRights are what the connecting role may do.
type roleRights struct {
	Name        string
	Replication bool // or one of the roles that hosting providers have for it
	Temporary   bool
	CreateHere  bool // schemas and publications in this database
	OwnSchema   bool // schema freshet is there
	UseOwn      bool // and may be used
}

const rightsSQL = `
SELECT r.rolname,
       r.rolsuper OR r.rolreplication
         OR EXISTS (SELECT FROM pg_roles g WHERE g.rolname IN ('rds_replication', 'rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin', 'alloydbsuperuser')
                                             AND pg_has_role(r.oid, g.oid, 'MEMBER')),
       has_database_privilege(current_database(), 'TEMPORARY'), has_database_privilege(current_database(), 'CREATE'),
       EXISTS (SELECT FROM pg_namespace WHERE nspname = $1),
       coalesce((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1), false)
  FROM pg_roles r WHERE r.rolname = current_user`

// role checks what the role may do anywhere.
func (c *checker) role() {
	r := &c.self
	err := c.conn.QueryRow(c.ctx, rightsSQL, migrations.Schema).Scan(&r.Name, &r.Replication, &r.Temporary, &r.CreateHere, &r.OwnSchema, &r.UseOwn)
	if err != nil {
		c.failed("the role's rights", err)
		return
	}
	where, name := "role "+r.Name, quoteName(r.Name)
	if !r.Replication {
		c.add(Fault, where, "it may not use replication", fmt.Sprintf("ALTER ROLE %[1]s REPLICATION; (Amazon RDS: GRANT rds_replication TO %[1]s;)", name))
	}
	if !r.Temporary {
		c.add(Fault, where, "it may not create temporary tables, by which the model's expressions are checked",
			fmt.Sprintf("GRANT TEMPORARY ON DATABASE %s TO %s;", quoteName(c.conn.Config().Database), name))
	}
	if !r.OwnSchema && !r.CreateHere {
		c.add(Fault, where, "schema freshet is not there, and it may not create it",
			fmt.Sprintf("CREATE SCHEMA freshet AUTHORIZATION %s; as somebody who may.", name))
	}
}

const sourceRightsSQL = `
SELECT has_schema_privilege(c.relnamespace, 'USAGE'),
       has_table_privilege(c.oid, 'SELECT') OR (cardinality($2::text[]) > 0 AND NOT EXISTS (
           SELECT FROM unnest($2::text[]) u (name) WHERE NOT has_column_privilege(c.oid, u.name, 'SELECT'))),
       row_security_active(c.oid), pg_has_role(c.relowner, 'USAGE')
  FROM pg_class c WHERE c.oid = $1`

// privileges checks what the role may do with sources and tv_* tables.
func (c *checker) privileges(s *state) {
	for _, src := range c.plan.Sources {
		if s.sources[src.Table.Name] != nil {
			c.source(s, src)
		}
	}
	seen := map[string]bool{}
	for _, rm := range c.plan.ReadModels {
		if rel := s.relations[rm.Table]; rel != nil {
			c.target(rm)
		} else if !seen[rm.Table.Schema] {
			seen[rm.Table.Schema] = true
			c.targetSchema(rm.Table.Schema)
		}
	}
}

// source checks the role's rights on a source table.
func (c *checker) source(s *state, src *compile.Source) {
	t, name := s.sources[src.Table.Name], quoteName(c.self.Name)
	var usage, read, hidden, owner bool
	columns := slices.DeleteFunc(slices.Clone(src.Reads), func(col string) bool { return t.Column(col) == nil })
	if err := c.conn.QueryRow(c.ctx, sourceRightsSQL, t.OID, columns).Scan(&usage, &read, &hidden, &owner); err != nil {
		c.failed(t.Name.String(), err)
		return
	}
	if !usage {
		c.add(Fault, "schema "+t.Name.Schema, fmt.Sprintf("role %s may not use it", c.self.Name), fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;", quoteName(t.Name.Schema), name))
	}
	if !read {
		c.add(Fault, t.Name.String(), fmt.Sprintf("role %s may not read it", c.self.Name), fmt.Sprintf("GRANT SELECT ON %s TO %s;", quote(t.Name), name))
	}
	if hidden {
		c.add(Fault, t.Name.String(), fmt.Sprintf("row-level security hides rows of it from role %s: documents would lack them", c.self.Name), fmt.Sprintf("ALTER ROLE %s BYPASSRLS;", name))
	}
	if !owner && (!s.covered(src) || s.publication.lacks(t) != "") {
		c.add(Warning, t.Name.String(), fmt.Sprintf("role %s does not own it, and can set neither its replica identity nor publish it", c.self.Name),
			fmt.Sprintf("Have %s, or a superuser, run freshet migrate --apply once; the projector itself needs no such right.", t.Owner))
	}
}

// target checks the role's rights on a tv_* table.
func (c *checker) target(rm *compile.ReadModel) {
	var lacking []string
	err := c.conn.QueryRow(c.ctx, `SELECT coalesce(array_agg(p ORDER BY ord) FILTER (WHERE NOT has_table_privilege($1::text::regclass, p)), '{}')
		FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) WITH ORDINALITY u (p, ord)`, quote(rm.Table)).Scan(&lacking)
	if err != nil {
		c.failed(rm.Table.String(), err)
		return
	}
	if len(lacking) > 0 {
		c.add(Fault, rm.Table.String(), fmt.Sprintf("role %s lacks %s on it", c.self.Name, strings.Join(lacking, ", ")),
			fmt.Sprintf("ALTER TABLE %s OWNER TO %s;", quote(rm.Table), quoteName(c.self.Name)))
	}
}

// targetSchema checks that tv_* tables can be made in a schema.
func (c *checker) targetSchema(schema string) {
	var create bool
	err := c.conn.QueryRow(c.ctx, `SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = $1`, schema).Scan(&create)
	if err != nil {
		c.failed("schema "+schema, err)
		return
	}
	if !create {
		c.add(Fault, "schema "+schema, fmt.Sprintf("role %s may not create tv_* tables in it", c.self.Name),
			fmt.Sprintf("GRANT CREATE ON SCHEMA %s TO %s; or run freshet migrate --apply as a role that may.", quoteName(schema), quoteName(c.self.Name)))
	}
}
