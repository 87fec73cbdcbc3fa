package soak

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/soak/zoo"
)

// The flags of a long run, for which FRESHET_SOAK is the duration too:
//
//	FRESHET_SOAK=10m go test ./projector/soak -args -soak.seed 7 -soak.writers 8
var (
	seedFlag     = flag.Uint64("soak.seed", 1, "seed of the workload; 0 takes one from the clock")
	durationFlag = flag.Duration("soak.duration", 0, "how long the load lasts; default 15s")
	writersFlag  = flag.Int("soak.writers", 4, "how many connections write")
	rateFlag     = flag.Float64("soak.rate", 60, "transactions a second that each writer aims at")
	faultsFlag   = flag.String("soak.faults", "", "what happens: any of kill, terminate, restart; or none; default kill,terminate, in a long run all")
)

// scope returns the duration and the faults of this run.
func scope(t *testing.T) (time.Duration, Faults) {
	t.Helper()
	duration, faults := 15*time.Second, "kill,terminate"
	if long := os.Getenv("FRESHET_SOAK"); long != "" {
		d, err := time.ParseDuration(long)
		if err != nil {
			t.Fatalf("FRESHET_SOAK: %v", err)
		}
		duration, faults = d, "kill,terminate,restart"
	}
	if *durationFlag > 0 {
		duration = *durationFlag
	}
	if *faultsFlag != "" {
		faults = *faultsFlag
	}
	return duration, parseFaults(t, faults)
}

// TestSoak is the differential test.
func TestSoak(t *testing.T) {
	t.Parallel()
	duration, faults := scope(t)
	server := pgtest.Start(t, nil)
	url := pgtest.DatabaseOn(t, server)
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -soak.seed %d", seed)
	if err := Populate(context.Background(), url, seed, 1000); err != nil {
		t.Fatal(err)
	}
	s := prepare(t, url, zoo.Model)
	began := time.Now()
	result, err := Run(context.Background(), Config{
		URL: url, Slot: s.slot, Model: s.model, Seed: seed, Duration: duration,
		Writers: *writersFlag, Rate: *rateFlag,
		CheckEvery: 1500 * time.Millisecond, FaultEvery: 1500 * time.Millisecond, Faults: faults, Patience: time.Minute,
		Command: s.command, Restarter: restarter(server), Log: t.Logf,
	})
	t.Logf("%s: %s", time.Since(began).Round(time.Second), result)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
}

func parseFaults(t *testing.T, list string) (f Faults) {
	t.Helper()
	for name := range strings.SplitSeq(list, ",") {
		switch strings.TrimSpace(name) {
		case "kill":
			f.Kill = true
		case "terminate":
			f.Terminate = true
		case "restart":
			f.Restart = true
		case "none", "":
		default:
			t.Fatalf("-soak.faults: %q is none of kill, terminate, restart, none", name)
		}
	}
	return f
}

// TestDrawing runs every kind of statement that can be drawn at least once,
// and finds none that fails in a way a writer would not expect.
func TestDrawing(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	ctx := context.Background()
	if err := Populate(ctx, url, 1, 500); err != nil {
		t.Fatal(err)
	}
	conn := pgtest.Connect(t, url)
	random := (&run{}).generator(1)
	for _, o := range ops {
		for range 5 {
			runAlone(t, conn, "op", o.draw(random))
		}
	}
	for _, b := range bigs {
		runAlone(t, conn, b.name, b.draw(random))
	}
}

func runAlone(t *testing.T, conn *pgx.Conn, kind string, stmts []stmt) {
	t.Helper()
	tx := &transaction{kind: kind, begin: "BEGIN", end: commit}
	for _, s := range stmts {
		tx.steps = append(tx.steps, step{stmt: s})
	}
	if _, err := tx.run(context.Background(), conn, ""); err != nil {
		t.Fatal(err)
	}
}
