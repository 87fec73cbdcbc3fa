package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jackc/pgx/v5"

	"freshet/projector/session"
	"freshet/projector/status"
)

type statusCmd struct {
	JSON bool `help:"Print JSON." env:"-"`
}

// Run prints the state that the database knows, whether or not a projector
// runs.
func (c *statusCmd) Run(ctx context.Context, a *app) error {
	conn, err := a.connectInstalled(ctx, "status")
	if err != nil {
		return err
	}
	defer session.Close(conn)
	s, err := status.Read(ctx, conn, a.cli.Slot)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Stdout, s)
	}
	return printStatus(a.Stdout, s)
}

// connectInstalled connects to a database that has Freshet's own tables.
func (a *app) connectInstalled(ctx context.Context, purpose string) (*pgx.Conn, error) {
	conn, err := a.connect(ctx, purpose)
	if err != nil {
		return nil, err
	}
	var installed bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('freshet.checkpoint') IS NOT NULL").Scan(&installed); err != nil {
		session.Close(conn)
		return nil, fmt.Errorf("look for Freshet's tables: %w", err)
	}
	if !installed {
		session.Close(conn)
		return nil, &explained{
			message: fmt.Sprintf("database %s has no Freshet tables", conn.Config().Database),
			remedy:  "freshet migrate --apply makes them",
		}
	}
	return conn, nil
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func printStatus(w io.Writer, s status.Database) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "slot %s\t%s\n", s.Slot.Name, slotLine(s.Slot))
	fmt.Fprintf(t, "projector\t%s\n", projectorLine(s))
	fmt.Fprintf(t, "leader\t%s\n", leaderText(s))
	if c := s.Checkpoint; c != nil {
		fmt.Fprintf(t, "watermark\t%s, %s behind the server's %s\n", c.Watermark, size(c.LagBytes), s.WriteLSN)
		fmt.Fprintf(t, "complete\t%s\n", completeLine(s))
	}
	fmt.Fprintf(t, "self-check\t%s\n", selfCheckLine(s))
	fmt.Fprintf(t, "\nMODEL\tTABLE\tSTATE\tDOCUMENTS\tSIZE\tLAST CHANGE\tPENDING\tQUARANTINED\n")
	for _, m := range s.Models {
		fmt.Fprintf(t, "%s\t%s\t%s\t~%s\t%s\t%s\t%d\t%d\n", m.Name, m.Table, m.State,
			humanize.Comma(m.Documents), size(m.Bytes), ago(s.Now, m.LastBatch), m.Pending, m.Quarantined)
	}
	printFanOuts(t, s)
	for _, text := range pausedTexts(s.Models, s.Now) {
		fmt.Fprintf(t, "\n%s\n", text)
	}
	if len(s.Pending) > 0 {
		fmt.Fprintf(t, "\nWAITS\tKEY\tWHY\tTRIES\tNEXT\tERROR\n")
	}
	for _, p := range s.Pending {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\n", p.Model, p.Key, p.Reason, p.Attempts, p.NextTry.Format(time.TimeOnly), or(p.Error, ""))
	}
	return t.Flush()
}

// printFanOuts lists the large changes that are under way, and those that wait.
func printFanOuts(w io.Writer, s status.Database) {
	if len(s.FanOuts) == 0 {
		return
	}
	fmt.Fprintf(w, "\nLARGE CHANGE\tBY\tSTATE\tSINCE\tDONE\tMAY LACK\n")
	for _, f := range s.FanOuts {
		state, by := "waits", f.Path
		if f.Runs && s.Slot.Active {
			state = "runs"
		}
		if f.Filling() {
			by = "all of it is filled"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\tcommits from %s on\n", f.Model, by, state, ago(s.Now, &f.Since), humanize.Comma(f.Documents), f.SinceLSN)
	}
}

// completeLine compares the two watermarks.
func completeLine(s status.Database) string {
	c := s.Checkpoint
	if c.Complete == c.Watermark || len(s.FanOuts) == 0 {
		return c.Complete
	}
	return c.Complete + ": large changes since then are not in all documents yet"
}

func selfCheckLine(s status.Database) string {
	if text := divergedText(s.Diverged.Documents, "in the last 24 hours"); text != "" {
		return text
	}
	return "no document was found wrong in the last 24 hours"
}

func slotLine(s status.Slot) string {
	if !s.Exists {
		return "does not exist: freshet run makes it"
	}
	line := "nobody reads it"
	if s.Active {
		line = "read by process " + fmt.Sprint(or(s.PID, 0))
	}
	line += ", WAL " + or(s.WALStatus, "unknown")
	if s.RetainedBytes != nil {
		line += ", keeps " + size(*s.RetainedBytes)
	}
	if s.SafeWALBytes != nil {
		line += ", lost after another " + size(*s.SafeWALBytes)
	}
	return line
}

func projectorLine(s status.Database) string {
	c := s.Checkpoint
	if c == nil {
		return "has never run"
	}
	doing := c.State
	if !s.Slot.Active {
		doing = "down"
	} else if text := fanOutText(s.FanOuts); text != "" {
		doing += "; " + text
	}
	return fmt.Sprintf("%s, batch %d, last seen %s", doing, c.Batch, ago(s.Now, &c.UpdatedAt))
}

func size(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

func ago(now time.Time, t *time.Time) string {
	if t == nil {
		return "never"
	}
	return humanize.RelTime(*t, now, "ago", "from now")
}

func or[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}
