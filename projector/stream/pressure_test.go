package stream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// A consumer that takes nothing for four times the server's patience loses
// neither the connection nor a transaction, and what it has not taken is not
// read.
func TestBackPressure(t *testing.T) {
	s := newSource(t).ready()
	cfg := s.config()
	cfg.Conn.RuntimeParams["wal_sender_timeout"] = "1000"
	f := s.follow(cfg)
	if f.interval != 333*time.Millisecond && f.interval != time.Second/3 {
		t.Errorf("status interval %s", f.interval)
	}
	const n = 50
	for i := range n {
		s.exec(fmt.Sprintf("INSERT INTO tb_post VALUES (%d, 't', repeat(md5('%d'), 20000))", i, i)) // far more than socket buffers hold
	}
	time.Sleep(4 * time.Second) // the one thing here that only time can show
	if received := f.Received(); received > f.Resumed()+(8<<20) {
		t.Errorf("read on to %s with nobody taking", received)
	}
	for i := range n {
		if tx := f.next(); show(tx) != fmt.Sprintf("post[%d] 1 changes", i) {
			t.Fatalf("transaction %d: %s", i, show(tx))
		}
	}
	f.stop()
}

// A huge transaction comes in parts, of which the consumer sees none before
// the last; statuses go out meanwhile.
func TestHugeTransaction(t *testing.T) {
	s := newSource(t).ready()
	cfg := s.config()
	cfg.Conn.RuntimeParams["wal_sender_timeout"] = "1000"
	f := s.follow(cfg)
	s.exec("INSERT INTO tb_post SELECT i, 't' FROM generate_series(1, 100000) i")
	tx := f.next()
	if tx.Changes != 100_000 || tx.Dirty.Len(pathPost) != 100_000 {
		t.Errorf("%d changes, %d values", tx.Changes, tx.Dirty.Len(pathPost))
	}
}

func TestCancelWhileBlocked(t *testing.T) {
	s := newSource(t).ready()
	f := s.follow(s.config())
	s.exec("INSERT INTO tb_post VALUES (1)")
	eventually(t, "the transaction is received", func() bool { return f.Received() > f.Resumed() })
	f.stop()
}

func TestCancelBeforeRun(t *testing.T) {
	s := newSource(t).ready()
	stream, err := s.open(s.config())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := stream.Run(ctx, make(chan Event)); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	if err := stream.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	eventually(t, "the slot is free", func() bool {
		return s.text("SELECT active::text FROM pg_replication_slots WHERE slot_name = '"+s.slot+"'") == "false"
	})
}

func TestTimings(t *testing.T) {
	for _, c := range []struct {
		cfg              Config
		sender           time.Duration
		interval, silent time.Duration
	}{
		{Config{}, time.Minute, 10 * time.Second, time.Minute},
		{Config{}, 6 * time.Second, 2 * time.Second, 10 * time.Second},
		{Config{}, 0, 10 * time.Second, time.Minute},
		{Config{StatusInterval: time.Second, Watchdog: 3 * time.Second}, time.Minute, time.Second, 3 * time.Second},
	} {
		if i, w := statusInterval(c.cfg, c.sender), watchdog(c.cfg, c.sender); i != c.interval || w != c.silent {
			t.Errorf("%+v with %s: every %s, silent after %s", c.cfg, c.sender, i, w)
		}
	}
}
