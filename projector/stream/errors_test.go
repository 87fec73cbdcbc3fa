package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"freshet/deploy/pgserver"
	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/batch"
)

func TestSlotActiveNamesTheHolder(t *testing.T) {
	s := newSource(t).ready()
	f := s.follow(s.config())
	_, err := s.open(s.config())
	var active *SlotActiveError
	if !errors.As(err, &active) || !errors.Is(err, ErrSlotActive) {
		t.Fatalf("%v, not ErrSlotActive", err)
	}
	if active.PID != int(f.PID()) || active.Slot != s.slot || !strings.HasPrefix(active.Holder, "freshet (user postgres) from 127.0.0.1 since 20") {
		t.Errorf("%+v, held by %d", active, f.PID())
	}
	if sqlState(err) != "55006" || !strings.Contains(err.Error(), fmt.Sprint(f.PID())) {
		t.Errorf("%v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	s := newSource(t).ready()
	other := newSource(t).ready()
	s.exec("SELECT pg_create_logical_replication_slot('" + s.slot + "_td', 'test_decoding'), pg_create_physical_replication_slot('" + s.slot + "_p')")
	s.exec("CREATE ROLE " + s.slot + " LOGIN")
	t.Cleanup(func() {
		s.exec("SELECT pg_drop_replication_slot('" + s.slot + "_p')")
		s.exec("DROP ROLE " + s.slot)
	})
	for name, c := range map[string]struct {
		change func(*Config)
		want   error
	}{
		"no slot":            {func(c *Config) { c.Slot = "nothing" }, ErrSlotMissing},
		"no slot name":       {func(c *Config) { c.Slot = "" }, ErrSlotName},
		"injected slot name": {func(c *Config) { c.Slot = `x" LOGICAL` }, ErrSlotName},
		"another database's": {func(c *Config) { c.Slot = other.slot }, ErrSlotForeign},
		"another plugin's":   {func(c *Config) { c.Slot += "_td" }, ErrSlotForeign},
		"a physical slot":    {func(c *Config) { c.Slot += "_p" }, ErrSlotForeign},
		"no publication":     {func(c *Config) { c.Publication = `no'"thing` }, ErrPublicationMissing},
		"unnamed":            {func(c *Config) { c.Publication = "" }, ErrPublicationMissing},
		"rewound":            {func(c *Config) { c.Start = 1 << 60 }, ErrRewound},
		"not allowed":        {func(c *Config) { c.Conn.User = s.slot }, ErrPrivilege},
		"no such role":       {func(c *Config) { c.Conn.User = "nobody"; c.Conn.Password = "sesame" }, ErrLogin},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := s.config()
			c.change(&cfg)
			_, err := s.open(cfg)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, not %v", err, c.want)
			}
			if strings.Contains(fmt.Sprint(err), "sesame") {
				t.Errorf("it tells the password: %v", err)
			}
		})
	}
}

func TestQuotedPublication(t *testing.T) {
	s := newSource(t).ready()
	s.exec(`ALTER PUBLICATION freshet RENAME TO "odd, 'na""me"`)
	cfg := s.config()
	cfg.Publication = `odd, 'na"me`
	f := s.follow(cfg)
	s.exec("INSERT INTO tb_post VALUES (1)")
	f.next()
}

func TestPublicationDropped(t *testing.T) {
	s := newSource(t).ready()
	f := s.follow(s.config())
	s.exec("DROP PUBLICATION freshet; INSERT INTO tb_post VALUES (1)")
	if err := f.fails(); !errors.Is(err, ErrPublicationMissing) {
		t.Errorf("%v, not ErrPublicationMissing", err)
	}
}

func TestTerminated(t *testing.T) {
	s := newSource(t).ready()
	f := s.follow(s.config())
	s.exec(fmt.Sprintf("SELECT pg_terminate_backend(%d)", f.PID()))
	if err := f.fails(); !errors.Is(err, ErrServerClosed) {
		t.Errorf("%v, not ErrServerClosed", err)
	}
}

// A slot whose WAL the server gave up is lost, while it is streamed from and
// when it is opened.
func TestSlotLost(t *testing.T) {
	server := pgtest.Start(t, map[string]string{"max_slot_wal_keep_size": "1MB", "min_wal_size": "32MB", "max_wal_size": "32MB"})
	s := sourceAt(t, pgtest.DatabaseOn(t, server)).ready()
	for range 6 {
		s.exec("SELECT pg_logical_emit_message(false, 'x', 'x'); SELECT pg_switch_wal()")
		s.exec("CHECKPOINT")
	}
	if _, err := s.open(s.config()); !errors.Is(err, ErrSlotLost) {
		t.Errorf("%v, not ErrSlotLost", err)
	}
}

func TestServerRefuses(t *testing.T) {
	server := pgtest.Start(t, map[string]string{"max_wal_senders": "1", "max_replication_slots": "1", "wal_level": "logical"})
	s := sourceAt(t, pgtest.DatabaseOn(t, server)).ready()
	f := s.follow(s.config())
	if _, err := s.open(s.config()); !errors.Is(err, ErrTooManySenders) {
		t.Errorf("%v, not ErrTooManySenders", err)
	}
	f.stop()
	eventually(t, "its process is gone", func() bool {
		return s.text("SELECT count(*)::text FROM pg_stat_activity WHERE backend_type = 'walsender'") == "0"
	})
	cfg := s.config()
	cfg.Slot = "second"
	if _, err := CreateSlot(context.Background(), cfg); !errors.Is(err, ErrNoFreeSlot) {
		t.Errorf("%v, not ErrNoFreeSlot", err)
	}
}

func TestWALLevel(t *testing.T) {
	server := pgtest.Start(t, map[string]string{"wal_level": "replica"})
	s := sourceAt(t, pgtest.DatabaseOn(t, server))
	if _, err := s.open(s.config()); !errors.Is(err, ErrWALLevel) {
		t.Errorf("Open: %v, not ErrWALLevel", err)
	}
	if _, err := CreateSlot(context.Background(), s.config()); !errors.Is(err, ErrWALLevel) {
		t.Errorf("CreateSlot: %v, not ErrWALLevel", err)
	}
}

// A server that shuts down waits until everything has been confirmed, and asks
// for it: a consumer that confirms what it is told lets it go.
func TestShutdown(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := sourceAt(t, pgtest.DatabaseOn(t, server)).ready()
	f := s.follow(s.config())
	s.exec("INSERT INTO tb_post VALUES (1)")
	f.Confirm(f.next().EndLSN)
	_ = s.conn.Close(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- server.Halt(pgserver.Fast) }()
	t.Cleanup(func() { // its databases are dropped at the end
		if err := server.Resume(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for {
		select {
		case e := <-f.out:
			f.Confirm(e.Idle)
			continue
		case err := <-f.done:
			if !errors.Is(err, ErrServerClosed) {
				t.Errorf("%v, not ErrServerClosed", err)
			}
			f.close()
		case <-time.After(patience):
			t.Fatal("the server does not end the stream")
		}
		break
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestOpenUnreachable(t *testing.T) {
	cfg, err := pgconn.ParseConfig("postgres://freshet:sesame@127.0.0.1:1/db?connect_timeout=2")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(context.Background(), Config{Conn: cfg, Slot: "freshet", Publication: "freshet"}, batch.NewAssembler(plan(), batch.Options{}))
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) || strings.Contains(err.Error(), "sesame") {
		t.Errorf("%v", err)
	}
}
