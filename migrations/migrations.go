// Package migrations holds Freshet's own tables, in schema freshet, as numbered
// SQL files, and brings a database to their newest version.
//
// Guarantees: each file runs in a transaction with the row that counts it, so
// that it is there whole or not at all; two that migrate at once take turns;
// and a database that a newer Freshet has migrated is refused, never changed
// back.
package migrations

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/tern/v2/migrate"
)

//go:embed *.sql
var files embed.FS

// Schema is where Freshet's own tables are.
const Schema = "freshet"

// versionTable counts the files that have run.
const versionTable = Schema + ".schema_version"

// ErrNewer says that the database was migrated by a newer Freshet.
var ErrNewer = errors.New("the tables in schema freshet were made by a newer Freshet")

// File is one migration.
type File struct {
	Number int
	Name   string // "001_freshet.sql"
	SQL    string
}

// All returns the migrations in order.
func All() ([]File, error) {
	names, err := migrate.FindMigrations(files)
	if err != nil {
		return nil, fmt.Errorf("list the migrations: %w", err)
	}
	all := make([]File, len(names))
	for i, name := range names {
		sql, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read the migration %s: %w", name, err)
		}
		all[i] = File{Number: i + 1, Name: name, SQL: string(sql)}
	}
	return all, nil
}

// Version returns how many migrations the database has had, 0 for none.
func Version(ctx context.Context, conn *pgx.Conn) (int, error) {
	var there bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (
		SELECT FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'schema_version')`, Schema).Scan(&there)
	if err != nil {
		return 0, fmt.Errorf("look for %s: %w", versionTable, err)
	}
	if !there {
		return 0, nil
	}
	var version int
	if err := conn.QueryRow(ctx, `SELECT version FROM `+versionTable).Scan(&version); err != nil {
		return 0, fmt.Errorf("read %s: %w", versionTable, err)
	}
	return version, nil
}

// Pending returns the migrations that the database lacks. It changes nothing.
// The error is ErrNewer when it has had more than there are.
func Pending(ctx context.Context, conn *pgx.Conn) ([]File, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	version, err := Version(ctx, conn)
	if err != nil {
		return nil, err
	}
	if version > len(all) {
		return nil, fmt.Errorf("%w (version %d, this one knows %d)", ErrNewer, version, len(all))
	}
	return all[version:], nil
}

// Apply runs the migrations that the database lacks, each in a transaction of
// its own. The session's settings are reset between them.
func Apply(ctx context.Context, conn *pgx.Conn) error {
	pending, err := Pending(ctx, conn)
	if err != nil || len(pending) == 0 {
		return err
	}
	if err := createSchema(ctx, conn); err != nil {
		return err
	}
	m, err := migrate.NewMigrator(ctx, conn, versionTable)
	if err != nil {
		return fmt.Errorf("prepare %s: %w", versionTable, err)
	}
	// It has no key: under somebody's publication FOR ALL TABLES an update of it
	// would fail without this.
	if _, err := conn.Exec(ctx, `ALTER TABLE `+versionTable+` REPLICA IDENTITY FULL`); err != nil {
		return fmt.Errorf("prepare %s: %w", versionTable, err)
	}
	if err := m.LoadMigrations(files); err != nil {
		return fmt.Errorf("load the migrations: %w", err)
	}
	if err := m.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate schema %s: %w", Schema, err)
	}
	return nil
}

// createSchema makes the schema where it is missing. It looks first: CREATE
// SCHEMA IF NOT EXISTS would ask for the privilege even where there is nothing
// to do.
func createSchema(ctx context.Context, conn *pgx.Conn) error {
	var there bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)`, Schema).Scan(&there)
	if err != nil {
		return fmt.Errorf("look for schema %s: %w", Schema, err)
	}
	if there {
		return nil
	}
	_, err = conn.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+Schema)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "23505" {
		return nil // somebody else made it in this moment
	}
	if err != nil {
		return fmt.Errorf("create schema %s: %w", Schema, err)
	}
	return nil
}
