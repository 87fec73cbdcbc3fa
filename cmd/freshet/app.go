package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/model"
	"freshet/projector/catalog"
	"freshet/projector/compile"
	"freshet/projector/session"
)

// app is what commands run with.
type app struct {
	*Main
	cli *cli
}

func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.Stdout, format, args...) }

// connConfig reads the database's URL.
func (a *app) connConfig() (*pgx.ConnConfig, error) {
	url := a.cli.DatabaseURL
	if url == "" {
		url = a.Getenv("DATABASE_URL")
	}
	if url == "" {
		return nil, usagef("give --database-url postgres://USER:PASSWORD@HOST:PORT/DATABASE, or set FRESHET_DATABASE_URL or DATABASE_URL",
			"no database was named")
	}
	cfg, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 10 * time.Second
	}
	return cfg, nil
}

// connect opens the first connection of a command: what is wrong with the
// database shows here.
func (a *app) connect(ctx context.Context, purpose string) (*pgx.Conn, error) {
	cfg, err := a.connConfig()
	if err != nil {
		return nil, err
	}
	conn, err := session.Connect(ctx, cfg, purpose)
	if err != nil {
		return nil, explain(err)
	}
	return conn, nil
}

// parseModel reads the model file. Warnings do not stop it, and come back
// with a model that is good to use.
func parseModel(path string) (*model.Model, model.Diagnostics, error) {
	if path == "" {
		return nil, nil, usagef("give --model FILE, or set FRESHET_MODEL", "no model file was named")
	}
	m, ds, err := model.ParseFile(path)
	if err != nil {
		return nil, nil, usagef("check the path in --model", "%s", err)
	}
	return m, ds, nil
}

// plan reads the model file, checks it against the catalog and compiles it.
// All faults of both come in one error.
func (a *app) plan(ctx context.Context, conn *pgx.Conn, path string) (*compile.Plan, model.Diagnostics, error) {
	m, faults, err := parseModel(path)
	if err != nil {
		return nil, nil, err
	}
	plan, more, err := compiled(ctx, conn, m)
	if err != nil {
		return nil, nil, err
	}
	faults = append(faults, more...)
	if err := faults.Err(); err != nil {
		return nil, nil, err
	}
	return plan, faults, nil
}

func compiled(ctx context.Context, conn *pgx.Conn, m *model.Model) (*compile.Plan, model.Diagnostics, error) {
	cat, err := catalog.Load(ctx, conn, compile.Request(m))
	if err != nil {
		return nil, nil, err
	}
	plan, ds := compile.Compile(m, cat)
	return plan, ds, nil
}
