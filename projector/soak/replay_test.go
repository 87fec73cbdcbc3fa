package soak

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"freshet/deploy/pgserver"
	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/soak/oracle"
	"freshet/projector/soak/zoo"
)

var (
	replayFlag   = flag.String("soak.replay", "", "a trace file: run it again, and shorten it where it diverges")
	togetherFlag = flag.Bool("soak.together", false, "replay with one connection for each writer, not one for all")
	shrinkFlag   = flag.Duration("soak.shrink", 3*time.Minute, "how long to look for a shorter trace")
)

// planted is a fault: some updates of products are swallowed.
const planted = `
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF (NEW.data->>'stock')::int % 5 = 3 THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER swallow BEFORE UPDATE ON tv_product FOR EACH ROW EXECUTE FUNCTION swallow()`

// stage is a server on which traces are replayed, each in its own database.
type stage struct {
	server *pgserver.Server
	base   []tableRows
	plant  string // SQL to run before the projector starts
}

// replay replays entries in a new database.
func (st *stage) replay(t *testing.T, entries []entry, together bool) (rep oracle.Report) {
	t.Helper()
	t.Run("replay", func(t *testing.T) {
		url := pgtest.DatabaseOn(t, st.server)
		conn := pgtest.Connect(t, url)
		execute(t, conn, zoo.Schema)
		if err := restore(t.Context(), conn, st.base); err != nil {
			t.Fatal(err)
		}
		s := prepare(t, url, zoo.Model)
		if st.plant != "" {
			execute(t, conn, st.plant)
		}
		var err error
		rep, err = replay(t.Context(), Config{URL: url, Slot: s.slot, Model: s.model, Command: s.command, Patience: time.Minute}, entries, together)
		if err != nil {
			t.Fatal(err)
		}
	})
	return rep
}

// TestDivergenceIsReplayed plants a fault: a run must find it, and its trace
// must lead to it again, in another database and in order; without the fault
// the same trace must not.
func TestDivergenceIsReplayed(t *testing.T) {
	t.Parallel()
	if *replayFlag != "" {
		t.Skip("another trace is replayed")
	}
	server := pgtest.Start(t, soakSettings)
	url := pgtest.DatabaseOn(t, server)
	if err := Populate(t.Context(), url, 3, 300); err != nil {
		t.Fatal(err)
	}
	s := prepare(t, url, zoo.Model)
	conn := pgtest.Connect(t, url)
	execute(t, conn, planted)
	_, err := Run(t.Context(), Config{URL: url, Slot: s.slot, Model: s.model, Seed: 3, Duration: settleTime, Writers: 2, Rate: 200,
		CheckEvery: time.Second, Patience: settleTime, Command: s.command, TraceDir: t.TempDir()})
	var found *Divergence
	if !errors.As(err, &found) {
		t.Fatalf("the run ended with %v, and did not find the fault", err)
	}
	t.Log(found.Explained)
	path := traceIn(t, found)
	base, entries := openTrace(t, path)
	st := &stage{server: server, base: base, plant: planted}
	if rep := st.replay(t, entries, false); len(rep.Differences) == 0 {
		t.Errorf("%d entries were replayed, and the fault was not found again", len(entries))
	}
	st.plant = ""
	if rep := st.replay(t, entries, true); len(rep.Differences) > 0 {
		t.Errorf("without the fault: %v", rep.Differences[0])
	}
}

func traceIn(t *testing.T, d *Divergence) string {
	t.Helper()
	if d.Trace == "" {
		t.Fatal("there is no trace")
	}
	return d.Trace
}

func openTrace(t *testing.T, path string) ([]tableRows, []entry) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	base, entries, err := readTrace(f)
	if err != nil {
		t.Fatal(err)
	}
	return base, entries
}

// TestReplay runs a trace again: make soak-replay TRACE=file.
func TestReplay(t *testing.T) {
	if *replayFlag == "" {
		t.Skip("no -soak.replay")
	}
	base, entries := openTrace(t, *replayFlag)
	st := &stage{server: pgtest.Start(t, soakSettings), base: base}
	fails := func(list []entry) bool {
		rep := st.replay(t, list, *togetherFlag)
		t.Logf("%d transactions and faults: %d documents, %d differ", len(list), rep.Documents, len(rep.Differences))
		for _, d := range rep.Differences[:min(3, len(rep.Differences))] {
			t.Log("    ", d)
		}
		return len(rep.Differences) > 0
	}
	if !fails(entries) {
		t.Log("no divergence: it may lie in how writers and faults met. Try -soak.together, and more than once")
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), *shrinkFlag)
	defer cancel()
	entries = shrink(ctx, entries, fails)
	short := *replayFlag + ".short"
	f, err := os.Create(short)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := writeTrace(f, base, entries); err != nil {
		t.Fatal(err)
	}
	t.Errorf("it diverges; %d transactions and faults are enough, in %s:", len(entries), short)
	for _, e := range entries[:min(30, len(entries))] {
		t.Log(e)
	}
}

// TestShrink shortens a list of which two entries are needed.
func TestShrink(t *testing.T) {
	var list []entry
	for i := range 100 {
		list = append(list, entry{XID: string(rune('0' + i))})
	}
	tries := 0
	short := shrink(t.Context(), list, func(l []entry) bool {
		tries++
		var a, b bool
		for _, e := range l {
			a = a || e.XID == list[17].XID
			b = b || e.XID == list[71].XID
		}
		return a && b
	})
	if len(short) != 2 || tries > 100 {
		t.Errorf("%d are left after %d tries", len(short), tries)
	}
}

// TestTraceKeepsTypes writes a trace and reads it again.
func TestTraceKeepsTypes(t *testing.T) {
	tr := &trace{on: true}
	args := []any{int(7), 2.0, 0.25, "7", nil, true}
	tr.statements("writer", []stmt{{"SELECT $1", args}})
	path := filepath.Join(t.TempDir(), "trace")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tr.write(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	_, entries := openTrace(t, path)
	got := entries[0].transaction().steps[0].args
	for i, want := range []any{int64(7), 2.0, 0.25, "7", nil, true} {
		if got[i] != want {
			t.Errorf("argument %d: %#v, want %#v", i, got[i], want)
		}
	}
}
