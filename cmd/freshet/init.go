package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"freshet/projector/draft"
	"freshet/projector/session"
)

type initCmd struct {
	Schema []string `help:"Look at the tables of this schema; may be given again. Default: those of the search path." placeholder:"SCHEMA" env:"-"`
	Output string   `short:"o" help:"File to write; - prints it." default:"model.graphql" placeholder:"FILE" env:"-"`
	Force  bool     `help:"Write over a file that is there." env:"-"`
}

// Help is shown by --help.
func (c *initCmd) Help() string {
	return `Looks at a database and writes a first model file: a type for each table, a
relation in both directions for each foreign key, lists bounded and ordered,
join tables as many-to-many. It changes nothing in the database, and the file
compiles as it is. Columns that look like secrets are commented out.

  freshet init --database-url postgres://me@127.0.0.1/shop
  freshet check -m model.graphql
  freshet run -m model.graphql --migrate`
}

// Run writes the file.
func (c *initCmd) Run(ctx context.Context, a *app) error {
	if err := c.free(); err != nil {
		return err
	}
	conn, err := a.connect(ctx, "init")
	if err != nil {
		return err
	}
	defer session.Close(conn)
	d, err := draft.Write(ctx, conn, draft.Options{Schemas: c.Schema, File: c.Output})
	if errors.Is(err, draft.ErrNoTables) {
		return &explained{message: fmt.Sprintf("database %s has no tables to make a model of", conn.Config().Database),
			remedy: "check the database in --database-url; tables of another schema need --schema; the role must be allowed to read them", cause: err}
	}
	if err != nil {
		return err
	}
	if c.Output == "-" {
		a.printf("%s", d.Text)
		return nil
	}
	if err := os.WriteFile(c.Output, []byte(d.Text), 0o644); err != nil {
		return fmt.Errorf("write the model file: %w", err)
	}
	a.printf("Wrote %s with %s.\n", c.Output, plural(d.Types, "type"))
	if n := len(d.Warnings); n > 0 {
		a.printf("freshet check --model %s has %s, such as indexes that are missing.\n", c.Output, plural(n, "hint"))
	}
	a.printf("Next: look it through, then freshet run --migrate --model %s\n", c.Output)
	return nil
}

// free says whether the file may be written.
func (c *initCmd) free() error {
	if c.Output == "-" || c.Force {
		return nil
	}
	_, err := os.Stat(c.Output)
	switch {
	case err == nil:
		return usagef("give --output FILE, or --force to write over it", "%s is there already", c.Output)
	case !errors.Is(err, fs.ErrNotExist):
		return usagef("check the path in --output", "%s", err)
	}
	return nil
}
