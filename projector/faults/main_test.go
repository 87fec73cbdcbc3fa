package faults_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
	"freshet/projector"
	"freshet/projector/catalog"
	"freshet/projector/compile"
)

var (
	rounds = flag.Int("faults.rounds", 6, "how often a test with a random part breaks things")
	seed   = flag.Uint64("faults.seed", 0, "of the random parts; 0: another one each time")
)

// What makes this test binary a projector process instead.
const (
	envURL   = "FRESHET_FAULTS_URL"
	envSlot  = "FRESHET_FAULTS_SLOT"
	envLease = "FRESHET_FAULTS_LEASE"
)

func TestMain(m *testing.M) {
	if os.Getenv(envURL) != "" {
		os.Exit(project())
	}
	flag.Parse()
	// Nearly all of the time here is spent waiting for something to run out.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(pgtest.Runner{M: m})
}

// random returns a generator whose seed is told where the test fails.
func random(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("-faults.seed %d", s)
		}
	})
	return rand.New(rand.NewPCG(s, 0))
}

// project runs a projector until it is told to stop, or killed.
func project() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := projectWith(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func projectWith(ctx context.Context) error {
	cfg, err := pgx.ParseConfig(os.Getenv(envURL))
	if err != nil {
		return err
	}
	plan, err := compilePlan(ctx, cfg)
	if err != nil {
		return err
	}
	lease, err := time.ParseDuration(os.Getenv(envLease))
	if err != nil {
		return err
	}
	return projector.New(projector.Config{
		ConnConfig: cfg, Plan: plan, Slot: os.Getenv(envSlot), Workers: 2, Lease: lease, Events: narrate(),
	}).Run(ctx)
}

// narrate prints what the tests wait for.
func narrate() projector.Events {
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, time.Now().UTC().Format("15:04:05.000 ")+format+"\n", args...)
	}
	return projector.Events{
		State: func(s projector.State, detail string) { say("[%s] %s", s, detail) },
		Retry: func(what string, err error, wait time.Duration) { say("%s again in %s: %v", what, wait, err) },
		Batch: func(b projector.BatchEvent) { say("committed batch %d", b.Number) },
	}
}

func compilePlan(ctx context.Context, cfg *pgx.ConnConfig) (*compile.Plan, error) {
	m, ds := model.Parse("model.graphql", file)
	if err := ds.Err(); err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c, err := catalog.Load(ctx, conn, compile.Request(m))
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		return nil, err
	}
	plan, ds := compile.Compile(m, c)
	return plan, ds.Err()
}
