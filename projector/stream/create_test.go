package stream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
)

func (s *source) slots() string {
	s.t.Helper()
	return s.text("SELECT count(*)::text FROM pg_replication_slots WHERE slot_name = '" + s.slot + "'")
}

// What the snapshot sees the stream does not send, and the other way round.
func TestCreateSlot(t *testing.T) {
	s := newSource(t)
	ctx := context.Background()
	s.exec("INSERT INTO tb_post VALUES (1)")
	created, err := CreateSlot(ctx, s.config())
	if err != nil {
		t.Fatal(err)
	}
	if created.Slot != s.slot || created.ConsistentPoint == 0 || created.System.Database != s.slot || created.System.Version < minVersion {
		t.Errorf("%+v", created)
	}
	s.exec("INSERT INTO tb_post VALUES (2)")
	reader := pgtest.Connect(t, s.url)
	tx, err := reader.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+created.Snapshot+"'"); err != nil {
		t.Fatal(err)
	}
	if err := created.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	var ids []int64
	if err := tx.QueryRow(ctx, "SELECT array_agg(id) FROM tb_post").Scan(&ids); err != nil || fmt.Sprint(ids) != "[1]" {
		t.Errorf("the snapshot sees %v, %v", ids, err)
	}
	_ = tx.Rollback(ctx)
	f := s.follow(s.config())
	if f.Resumed() != created.ConsistentPoint {
		t.Errorf("resumed at %s, created at %s", f.Resumed(), created.ConsistentPoint)
	}
	if got := show(f.next()); got != "post[2] 1 changes" {
		t.Errorf("the stream begins with %s", got)
	}
}

func TestCreateSlotTwice(t *testing.T) {
	s := newSource(t).ready()
	if _, err := CreateSlot(context.Background(), s.config()); !errors.Is(err, ErrSlotExists) {
		t.Errorf("%v, not ErrSlotExists", err)
	}
	cfg := s.config()
	cfg.Slot = "UPPER"
	if _, err := CreateSlot(context.Background(), cfg); !errors.Is(err, ErrSlotName) {
		t.Errorf("%v, not ErrSlotName", err)
	}
}

// A creation that waits for a long transaction can be given up, and leaves
// neither a slot nor a waiting process behind.
func TestCreateSlotCancelled(t *testing.T) {
	s := newSource(t)
	writer := pgtest.Connect(t, s.url)
	tx, err := writer.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(context.Background(), "INSERT INTO tb_post VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := CreateSlot(ctx, s.config())
		done <- err
	}()
	eventually(t, "the creation waits", func() bool {
		return s.text(`SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'walsender' AND wait_event_type = 'Lock'`) == "1"
	})
	if s.slots() != "1" {
		t.Error("the slot is not there while it is created: the test tests nothing")
	}
	began := time.Now()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, not Canceled", err)
	}
	if took := time.Since(began); took > cancelPatience {
		t.Errorf("it took %s", took)
	}
	if err := tx.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its process is gone", func() bool {
		return s.text(`SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'walsender'`) == "0"
	})
	if s.slots() != "0" {
		t.Error("the slot stayed")
	}
}

func TestCreateSlotDeadlineBefore(t *testing.T) {
	s := newSource(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := CreateSlot(ctx, s.config()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, not Canceled", err)
	}
	if s.slots() != "0" {
		t.Error("a slot was made")
	}
}
