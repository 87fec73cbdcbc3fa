package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"freshet/deploy/pgserver/pgtest"
	"freshet/model"
	"freshet/projector"
	"freshet/projector/catalog"
	"freshet/projector/compile"
	"freshet/projector/migrate"
)

// What makes this test binary a projector process instead.
const (
	envURL   = "FRESHET_SOAK_URL"
	envModel = "FRESHET_SOAK_MODEL"
	envSlot  = "FRESHET_SOAK_SLOT"
	envFresh = "FRESHET_SOAK_RECREATE_SLOT"
	// The limit of fan-outs.
	envFanOut = "FRESHET_SOAK_FANOUT"
)

// slot is the slot's and the publication's name: slots are the server's, not
// the database's, so that tests side by side need one each.
func slot(t testing.TB) string {
	return fmt.Sprintf("soak_%d_%x", os.Getpid(), hash(t.Name()))
}

func hash(s string) uint32 {
	h := uint32(2166136261)
	for _, b := range []byte(s) {
		h = (h ^ uint32(b)) * 16777619
	}
	return h
}

func TestMain(m *testing.M) {
	if os.Getenv(envURL) != "" {
		os.Exit(project())
	}
	os.Exit(pgtest.Main(m))
}

// project runs a projector until it is told to stop, or killed.
func project() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	for {
		streamed, err := runProjector(ctx, os.Getenv(envURL), os.Getenv(envModel), os.Getenv(envSlot))
		if err == nil {
			return 0
		}
		fmt.Fprintln(os.Stderr, err)
		if streamed || !cutOff(err) && !errors.Is(err, errCompile) {
			return 1
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// cutOff says that a fault of the run hit the process while it started, which
// ends it by right: whoever supervises it starts it again.
func cutOff(err error) bool {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code == "57P01" || pgErr.Code == "57P02" || pgErr.Code == "57P03"
	}
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err)
}

// runProjector runs one engine. streamed says whether it came as far as
// streaming: from then on no fault that passes may end it.
func runProjector(ctx context.Context, url, file, slot string) (streamed bool, err error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return false, err
	}
	plan, err := compilePlan(ctx, cfg, file)
	if err != nil {
		return false, err
	}
	events := narrate()
	say := events.State
	events.State = func(s projector.State, detail string) {
		streamed = streamed || s == projector.Streaming
		say(s, detail)
	}
	fanOut, _ := strconv.Atoi(os.Getenv(envFanOut)) // 0 is the default
	err = projector.New(projector.Config{ConnConfig: cfg, Plan: plan, Slot: slot, Publication: slot, FanOut: fanOut,
		RecreateSlot: os.Getenv(envFresh) != "", Events: events}).Run(ctx)
	return streamed, err
}

// narrate prints what an operator would want to know when the process ends.
func narrate() projector.Events {
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, time.Now().UTC().Format("15:04:05.000 ")+format+"\n", args...)
	}
	return projector.Events{
		State: func(s projector.State, detail string) { say("%s %s", s, detail) },
		Retry: func(what string, err error, wait time.Duration) { say("%s again in %s: %v", what, wait, err) },
		Diverged: func(d projector.Divergence) {
			say("a stored document does not equal its definition: %+v", d)
			os.Exit(3) // ends the run: it shows what was printed
		},
		Quarantined: func(model, key string, err error) { say("quarantined %s %s: %v", model, key, err) },
	}
}

func compilePlan(ctx context.Context, cfg *pgx.ConnConfig, file string) (*compile.Plan, error) {
	m, ds, err := model.ParseFile(file)
	if err = errors.Join(err, ds.Err()); err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	cat, err := catalog.Load(ctx, conn, compile.Request(m))
	if err != nil {
		return nil, err
	}
	plan, ds := compile.Compile(m, cat)
	if ds.Err() != nil {
		return nil, fmt.Errorf("%w: %w", errCompile, ds.Err())
	}
	return plan, nil
}

// errCompile says that the model does not fit the tables, as when a fault has
// just changed them: a process that starts then is started again.
var errCompile = errors.New("the model does not fit the tables")

// subject is a database with a model that is ready for a projector.
type subject struct {
	url, file, slot string
	model           *model.Model
}

// prepare migrates a database for a model.
func prepare(t *testing.T, url, sdl string) *subject {
	t.Helper()
	s := &subject{url: url, slot: slot(t), file: filepath.Join(t.TempDir(), "model.graphql")}
	if err := os.WriteFile(s.file, []byte(sdl), 0o600); err != nil {
		t.Fatal(err)
	}
	var ds model.Diagnostics
	if s.model, ds = model.Parse(s.file, sdl); ds.Err() != nil {
		t.Fatal(ds)
	}
	if err := s.migrate(); err != nil {
		t.Fatal(err)
	}
	return s
}

// migrate does what `freshet migrate --apply` does.
func (s *subject) migrate() error {
	ctx := context.Background()
	cfg, err := pgx.ParseConfig(s.url)
	if err != nil {
		return err
	}
	plan, err := compilePlan(ctx, cfg, s.file)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	mig, err := migrate.Plan(ctx, conn, plan, migrate.Options{Slot: s.slot, Publication: s.slot})
	if err != nil {
		return err
	}
	return migrate.Apply(ctx, cfg, mig, nil)
}

// command makes the projector's process: this binary again.
func (s *subject) command() *exec.Cmd { return s.commandTo(s.url)() }

// commandTo makes processes that go to the database by another URL.
func (s *subject) commandTo(url string) func() *exec.Cmd {
	return func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), envURL+"="+url, envModel+"="+s.file, envSlot+"="+s.slot, fmt.Sprintf("%s=%d", envFanOut, *fanoutFlag))
		return cmd
	}
}
