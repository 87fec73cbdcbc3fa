package soak

import (
	"context"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgproxy"
	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/soak/zoo"
)

// The flags of a long run, for which FRESHET_SOAK is the duration too:
//
//	FRESHET_SOAK=10m go test ./projector/soak -run 'TestSoak$' -timeout 0 -v -args -soak.seed 7 -soak.writers 8
var (
	seedFlag     = flag.Uint64("soak.seed", 1, "seed of the workload; 0 takes one from the clock")
	durationFlag = flag.Duration("soak.duration", 0, "how long the load lasts; default 8s")
	writersFlag  = flag.Int("soak.writers", 4, "how many connections write")
	rateFlag     = flag.Float64("soak.rate", 200, "transactions a second that the writers together aim at")
	faultsFlag   = flag.String("soak.faults", "", "what happens: kinds of faults, net, all, none, or -kind to leave one out; default in a long run all")
	everyFlag    = flag.Duration("soak.every", 0, "mean time between two faults; default 1s, in a long run 5s")
	holdFlag     = flag.Duration("soak.hold", 0, "the longest time that a projector is frozen; default 1.5s, in a long run 40s")
	checkFlag    = flag.Duration("soak.check", 0, "mean time between two comparisons of every document; default 2s, in a long run 1m")
	fanoutFlag   = flag.Int("soak.fanout", 400, "documents that a change may lead to before it is a fan-out")
	memoryFlag   = flag.Int64("soak.memory", 0, "MB of memory of the projector at which a run fails; 0: any")
	traceFlag    = flag.String("soak.trace", os.TempDir(), "directory for the trace of a divergence")
)

// fallback returns the first value that is set.
func fallback[T comparable](v, otherwise T) T {
	var zero T
	if v != zero {
		return v
	}
	return otherwise
}

// scope returns what this run is, short of its database.
func scope(t *testing.T) Config {
	t.Helper()
	cfg := Config{Duration: 8 * time.Second, FaultEvery: time.Second, Hold: 1500 * time.Millisecond, CheckEvery: 2 * time.Second, Patience: time.Minute}
	faults := "kill,cut,schema,fanout,truncate,huge,freeze,standby,net-cut,net-flap,lock,poison,prepared,long"
	if long := os.Getenv("FRESHET_SOAK"); long != "" {
		d, err := time.ParseDuration(long)
		if err != nil {
			t.Fatalf("FRESHET_SOAK: %v", err)
		}
		cfg = Config{Duration: d, FaultEvery: 5 * time.Second, Hold: 40 * time.Second, CheckEvery: time.Minute, Patience: 5 * time.Minute}
		faults = "all"
	}
	cfg.Duration = fallback(*durationFlag, cfg.Duration)
	cfg.FaultEvery = fallback(*everyFlag, cfg.FaultEvery)
	cfg.Hold = fallback(*holdFlag, cfg.Hold)
	cfg.CheckEvery = fallback(*checkFlag, cfg.CheckEvery)
	cfg.Seed = fallback(*seedFlag, uint64(time.Now().UnixNano()))
	cfg.Writers, cfg.Rate, cfg.Memory, cfg.TraceDir, cfg.Log = *writersFlag, *rateFlag, *memoryFlag<<20, *traceFlag, t.Logf
	var err error
	if cfg.Faults, err = ParseFaults(fallback(*faultsFlag, faults)); err != nil {
		t.Fatalf("-soak.faults: %v", err)
	}
	return cfg
}

// soakSettings are the server's: what writers run into is not logged, and a
// replication connection that is dead is given up soon.
var soakSettings = map[string]string{
	"log_min_messages":        "fatal",
	"log_min_error_statement": "panic",
	"wal_sender_timeout":      "10s",
}

// TestSoak is the differential test.
func TestSoak(t *testing.T) {
	t.Parallel()
	cfg := scope(t)
	server := pgtest.Start(t, soakSettings)
	cfg.URL = pgtest.DatabaseOn(t, server)
	t.Logf("replay with -soak.seed %d; faults are %v", cfg.Seed, cfg.Faults)
	if err := Populate(context.Background(), cfg.URL, cfg.Seed, 1000); err != nil {
		t.Fatal(err)
	}
	s := prepare(t, cfg.URL, zoo.Model)
	proxy, through, err := pgproxy.StartFor(cfg.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	cfg.Slot, cfg.Model, cfg.Proxy, cfg.Restarter = s.slot, s.model, proxy, restarter(server)
	cfg.Command = s.commandTo(through)
	began := time.Now()
	result, err := Run(context.Background(), cfg)
	t.Logf("seed %d, %s:%s", cfg.Seed, time.Since(began).Round(time.Second), result)
	if err != nil {
		t.Fatalf("seed %d: %v", cfg.Seed, err)
	}
}

func TestParseFaults(t *testing.T) {
	for list, want := range map[string]int{"none": 0, "": 0, "all": len(kinds), "kill, cut": 2, "net": 4, "all,-net": len(kinds) - 4, "kill,kill": 1} {
		got, err := ParseFaults(list)
		if err != nil || len(got) != want {
			t.Errorf("%q: %v, %v; want %d of them", list, got, err, want)
		}
	}
	if _, err := ParseFaults("kill,bill"); err == nil {
		t.Error("bill is taken for a fault")
	}
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
	for _, change := range quietChanges {
		execute(t, conn, change("tb_person", 3))
	}
	for _, b := range breaks {
		if b.publication {
			continue
		}
		execute(t, conn, b.hurt)
		execute(t, conn, b.mend)
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
