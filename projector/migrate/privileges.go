package migrate

import (
	"fmt"
	"slices"
	"strings"

	"freshet/projector/catalog"
	"freshet/projector/compile"
)

// Privileges writes SQL, with comments, that sets up two roles with no more
// rights than they need: freshet_projector, which follows the WAL and writes
// the tv_* tables, and freshet_api, which only reads them. It is to be run by a
// superuser, or the owner of the tables, after freshet migrate --apply, and
// may be run again. Passwords are left to whoever runs it.
func Privileges(cp *compile.Plan) string {
	var sources, targets []catalog.Name
	for _, s := range cp.Sources {
		sources = append(sources, s.Table.Name)
	}
	for _, rm := range cp.ReadModels {
		targets = append(targets, rm.Table)
	}
	b := &strings.Builder{}
	b.WriteString(rolesSQL)
	b.WriteString("\n-- The projector reads the sources …\n")
	writeEach(b, schemasOf(sources), "GRANT USAGE ON SCHEMA %s TO freshet_projector;\n")
	writeEach(b, names(sources), "GRANT SELECT ON %s TO freshet_projector;\n")
	b.WriteString("\n-- … and owns the tv_* tables: it makes their indexes when it has filled them.\n")
	writeEach(b, schemasOf(targets), "GRANT USAGE, CREATE ON SCHEMA %s TO freshet_projector;\n")
	writeEach(b, names(targets), "ALTER TABLE %s OWNER TO freshet_projector;\n")
	b.WriteString(ownSQL)
	b.WriteString("\n-- The API reads tv_* tables, those that are made again later included.\n")
	writeEach(b, schemasOf(targets), "GRANT USAGE ON SCHEMA %s TO freshet_api;\n")
	writeEach(b, names(targets), "GRANT SELECT ON %s TO freshet_api;\n")
	writeEach(b, schemasOf(targets), "ALTER DEFAULT PRIVILEGES FOR ROLE freshet_projector IN SCHEMA %s GRANT SELECT ON TABLES TO freshet_api;\n")
	return b.String()
}

const rolesSQL = `-- Least-privilege roles for Freshet. Give them passwords with \password.
-- Row-level security on a source table: the projector must see every row, so
-- ALTER ROLE freshet_projector BYPASSRLS as well.
-- On Amazon RDS use GRANT rds_replication TO freshet_projector instead of REPLICATION.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'freshet_projector') THEN
        CREATE ROLE freshet_projector LOGIN REPLICATION;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'freshet_api') THEN
        CREATE ROLE freshet_api LOGIN;
    END IF;
    -- Temporary tables: the model's SQL expressions are checked on empty copies.
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO freshet_projector', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO freshet_api', current_database());
END $$;
-- To name who holds a lock or a slot.
GRANT pg_read_all_stats TO freshet_projector;
`

const ownSQL = `
-- Freshet's own tables, and the view, which reads them as its owner.
ALTER SCHEMA freshet OWNER TO freshet_projector;
DO $$
DECLARE t regclass;
BEGIN
    FOR t IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'freshet'::regnamespace AND c.relkind IN ('r', 'p', 'v') LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO freshet_projector', t);
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA freshet TO freshet_api;
GRANT SELECT ON ALL TABLES IN SCHEMA freshet TO freshet_api;
ALTER DEFAULT PRIVILEGES FOR ROLE freshet_projector IN SCHEMA freshet GRANT SELECT ON TABLES TO freshet_api;
`

// writeEach writes the line for each name.
func writeEach(b *strings.Builder, quoted []string, line string) {
	for _, q := range quoted {
		fmt.Fprintf(b, line, q)
	}
}

// names quotes names.
func names(list []catalog.Name) []string {
	quoted := make([]string, len(list))
	for i, n := range list {
		quoted[i] = quote(n)
	}
	return quoted
}

// schemasOf returns the quoted schemas of the names, each once.
func schemasOf(list []catalog.Name) []string {
	var schemas []string
	for _, n := range list {
		if q := quoteName(n.Schema); !slices.Contains(schemas, q) {
			schemas = append(schemas, q)
		}
	}
	return schemas
}
