package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"freshet/projector/session"
	"freshet/projector/synclog"
)

type logCmd struct {
	Model  string        `help:"Entries of this read model only." placeholder:"TYPE" env:"-"`
	Failed bool          `help:"Failures only." env:"-"`
	Since  time.Duration `help:"No older than this: 1h." placeholder:"DURATION" env:"-"`
	Key    string        `help:"Entries that wrote or deleted this key." env:"-"`
	Limit  int           `help:"How many, the newest." default:"100" env:"-"`
	JSON   bool          `help:"Print JSON, one entry a line." env:"-"`
}

// Run prints entries of sync_log, the oldest first.
func (c *logCmd) Run(ctx context.Context, a *app) error {
	conn, err := a.connectInstalled(ctx, "log")
	if err != nil {
		return err
	}
	defer session.Close(conn)
	f := synclog.Filter{Model: c.Model, Key: c.Key, Failed: c.Failed, Limit: c.Limit}
	if c.Since > 0 {
		f.Since = time.Now().Add(-c.Since)
	}
	entries, err := synclog.Query(ctx, conn, f)
	if err != nil {
		return err
	}
	if c.JSON {
		return printEntriesJSON(a.Stdout, entries)
	}
	return printEntries(a.Stdout, entries)
}

func printEntriesJSON(w io.Writer, entries []synclog.Entry) error {
	e := json.NewEncoder(w)
	for i := len(entries) - 1; i >= 0; i-- {
		if err := e.Encode(entries[i]); err != nil {
			return err
		}
	}
	return nil
}

func printEntries(w io.Writer, entries []synclog.Entry) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "ID\tTIME\tBATCH\tMODEL\tOPERATION\tWRITTEN\tDELETED\tSAME\tTOOK\tKEYS\n")
	for i := len(entries) - 1; i >= 0; i-- {
		e := entries[i]
		took := time.Duration(e.DurationMS * float64(time.Millisecond)).Round(10 * time.Microsecond)
		fmt.Fprintf(t, "%d\t%s\t%d\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", e.ID, e.LoggedAt.Format("2006-01-02 15:04:05.000"),
			e.Batch, e.Model, e.Operation, e.Upserted, e.Deleted, e.Unchanged, took, outcome(e))
	}
	return t.Flush()
}

// outcome is the first keys, after the error if there was one.
func outcome(e synclog.Entry) string {
	text := firstKeys(e)
	if e.Success {
		return text
	}
	fault := "FAILED: " + or(e.Error, "unknown")
	if text != "" {
		fault += " (" + text + ")"
	}
	return fault
}

func firstKeys(e synclog.Entry) string {
	if e.Whole {
		return "(all)"
	}
	keys := append(append([]string(nil), e.Keys...), e.DeletedKeys...)
	const shown = 2
	text := ""
	for i, k := range keys {
		if i == shown {
			return text + fmt.Sprintf(" and %d more", len(keys)-shown)
		}
		if i > 0 {
			text += " "
		}
		text += k
	}
	return text
}
