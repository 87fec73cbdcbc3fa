package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver"
	"freshet/examples/blog"
	"freshet/projector/session"
)

type demoCmd struct {
	serveFlags
	apiFlags
	Users    int           `help:"Users to make." default:"10000" env:"-"`
	Posts    int           `help:"Posts to make." default:"50000" env:"-"`
	Comments int           `help:"Comments to make." default:"200000" env:"-"`
	Rate     int           `help:"Writes a second; 0: none." default:"100" env:"-"`
	Readers  int           `help:"GraphQL requests a second; 0: none." default:"50" env:"-"`
	Seed     uint64        `help:"Of the data." default:"1" env:"-"`
	For      time.Duration `help:"End by itself after this time of streaming; 0: at Ctrl-C." default:"0s" env:"-"`
}

// demoSettings are those of a server that anybody might run, with the one
// that logical replication needs.
var demoSettings = map[string]string{
	"wal_level":             "logical",
	"max_replication_slots": "10",
	"max_wal_senders":       "10",
	"shared_buffers":        "256MB",
	"max_wal_size":          "2GB",
	"timezone":              "UTC",
}

// Run shows the whole of Freshet on a server and data of its own, which go
// away at its end.
func (c *demoCmd) Run(ctx context.Context, a *app) (err error) {
	size := blog.Size{Users: c.Users, Posts: c.Posts, Comments: c.Comments}
	if err := size.Check(); err != nil {
		return usagef("choose larger numbers", "%s", err)
	}
	a.printf("Starting a throwaway Postgres ... ")
	server, err := pgserver.Start(ctx, pgserver.Options{Settings: demoSettings})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(pgserver.Immediate)) }()
	a.printf("port %d\n", server.Port())
	cfg, err := c.load(ctx, a, server, size)
	if err != nil {
		return err
	}
	return c.show(ctx, a, cfg, server)
}

// load makes the database with its data.
func (c *demoCmd) load(ctx context.Context, a *app, server *pgserver.Server, size blog.Size) (*pgx.ConnConfig, error) {
	began := time.Now()
	a.printf("Loading a blog: %s users, %s posts, %s comments ... ",
		humanize.Comma(int64(size.Users)), humanize.Comma(int64(size.Posts)), humanize.Comma(int64(size.Comments)))
	cfg, err := parseURL(server.URL("postgres"))
	if err != nil {
		return nil, err
	}
	conn, err := session.Connect(ctx, cfg, "demo")
	if err != nil {
		return nil, explain(err)
	}
	defer session.Close(conn)
	if _, err := conn.Exec(ctx, blog.Schema); err != nil {
		return nil, fmt.Errorf("create the blog's tables: %w", err)
	}
	if err := blog.Load(ctx, conn, size, c.Seed); err != nil {
		return nil, err
	}
	a.printf("%s\n", time.Since(began).Round(100*time.Millisecond))
	return cfg, nil
}

// show runs projector and API with a writer and a reader beside them.
func (c *demoCmd) show(ctx context.Context, a *app, cfg *pgx.ConnConfig, server *pgserver.Server) error {
	path := filepath.Join(server.Dir(), "model.graphql")
	if err := os.WriteFile(path, []byte(blog.Model), 0o644); err != nil {
		return fmt.Errorf("write the model file: %w", err)
	}
	if a.cli.LogLevel == "info" {
		a.cli.LogLevel = "warn" // the demo tells by itself what goes on
	}
	s, err := a.newService()
	if err != nil {
		return err
	}
	defer s.close()
	sc := newScene(c, a, s, cfg)
	s.watch = append(s.watch, sc.events())
	if err := s.build(ctx, cfg, path, &projectorFlags{Migrate: true}, &c.apiFlags); err != nil {
		return err
	}
	if err := s.listen(c.Admin, &c.apiFlags); err != nil {
		return err
	}
	s.parts = append([]part{{name: "demo", run: sc.run}}, s.parts...)
	return s.run(ctx)
}
