package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/projector/migrate"
	"freshet/projector/session"
)

type destroyCmd struct {
	Yes      bool          `help:"Do not ask: for scripts." env:"-"`
	LockWait time.Duration `help:"How long to try for a lock that somebody holds." default:"1m"`
}

// Help is shown by --help.
func (c *destroyCmd) Help() string {
	return `Removes the replication slot, the publication, the tv_* tables that Freshet made,
schema freshet, and the indexes that it made to be replica identities, which go
back to DEFAULT. Your own tables and rows are not touched, nothing is dropped by
CASCADE, and what Freshet cannot know to be its own is left and named.

  freshet destroy                 says what it would do, and asks for the database's name
  freshet destroy < /dev/null     says what it would do
  freshet destroy --yes           does not ask

It refuses while a projector runs. It may be stopped at any time, and run again.`
}

// Run says what it would do, asks, and does it.
func (c *destroyCmd) Run(ctx context.Context, a *app) error {
	conn, err := a.connect(ctx, "destroy")
	if err != nil {
		return err
	}
	defer session.Close(conn)
	m, err := migrate.Removal(ctx, conn, migrate.Options{Slot: a.cli.Slot, Publication: a.cli.Publication, LockWait: c.LockWait})
	if err != nil {
		return inTheWay(err)
	}
	if m.Empty() {
		for _, n := range m.Notes {
			a.printf("%s\n", n)
		}
		a.printf("There is nothing of Freshet's in database %s.\n", conn.Config().Database)
		return nil
	}
	if !c.Yes {
		if err := confirm(ctx, a, conn, m); err != nil {
			return err
		}
	}
	return applyPlan(ctx, conn, m, a.Stdout)
}

// inTheWay words what keeps Freshet's things from being removed.
func inTheWay(err error) error {
	var notReady *migrate.NotReady
	if !errors.As(err, &notReady) {
		return err
	}
	var lines []string
	for _, f := range notReady.Findings {
		lines = append(lines, f.Where+": "+withRemedy(f.What, indent(f.Remedy)))
	}
	return &explained{message: "nothing was removed:\n" + strings.Join(lines, "\n"), cause: err}
}

// confirm has the database's name typed.
func confirm(ctx context.Context, a *app, conn *pgx.Conn, m *migrate.Migration) error {
	var name string
	if err := conn.QueryRow(ctx, "SELECT current_database()::text").Scan(&name); err != nil {
		return fmt.Errorf("read the database's name: %w", err)
	}
	for _, s := range m.Steps {
		a.printf("will %s\n", s.What)
	}
	a.printf("\nThis cannot be undone, but freshet run --migrate builds it all again.\nType the name of the database, %s, to do it: ", name)
	line, err := readLine(ctx, a.Stdin)
	if errors.Is(err, context.Canceled) {
		return err
	}
	if strings.TrimSpace(line) != name {
		a.printf("\n")
		return usagef("type "+name+", or give --yes", "nothing was removed")
	}
	return nil
}

// readLine reads a line, unless ctx ends first: the reader is then left to the
// end of the process.
func readLine(ctx context.Context, r io.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := bufio.NewReader(r).ReadString('\n')
		read <- result{line, err}
	}()
	select {
	case got := <-read:
		return got.line, got.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
