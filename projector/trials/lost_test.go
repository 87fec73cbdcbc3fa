package trials

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector"
)

var littleWAL = map[string]string{"max_slot_wal_keep_size": "1MB", "min_wal_size": "32MB", "max_wal_size": "32MB"}

// lose writes WAL until the server gives the slot up.
func (w *world) lose() {
	w.t.Helper()
	for range 20 {
		w.exec("SELECT pg_logical_emit_message(false, 'noise', 'noise'); SELECT pg_switch_wal()")
		w.exec("CHECKPOINT")
		if ask[string](w, "SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1", w.slot) == "lost" {
			return
		}
	}
	w.t.Fatal("the server does not give the slot up")
}

// TestLostSlot loses the slot while the engine is down: it must refuse to go
// on, and one start with --recreate-slot must put everything right, while the
// old documents are served throughout.
func TestLostSlot(t *testing.T) {
	t.Parallel()
	w := newServer(t, littleWAL)
	r := w.start()
	w.settled(r)
	r.stop()
	w.lose()
	w.exec(behindItsBack) // which no slot knows of
	var slot *projector.SlotError
	r = w.start()
	if err := r.fails(); !errors.As(err, &slot) {
		t.Errorf("not a SlotError: %v", err)
	}
	says(t, r.err, w.slot, "was lost", "max_slot_wal_keep_size", "--recreate-slot")
	w.healed()
}

// healed starts with --recreate-slot, and sees to it that readers have
// documents all the time.
func (w *world) healed() {
	w.t.Helper()
	reader := pgtest.Connect(w.t, w.url)
	least := 1 << 30
	watched := background(w.t, func(ctx context.Context) error { return fewest(ctx, reader, &least) })
	r := w.start(afresh)
	w.settled(r)
	watched()
	// Author 5 and 20 books are gone with what happened behind its back.
	if want := ask[int](w, "SELECT count(*) FROM tb_book"); least < want {
		w.t.Errorf("a reader found %d documents, and never fewer than %d were right", least, want)
	}
	r.stop()
	r = w.start() // from now on without the flag
	w.settled(r)
	r.stop()
	w.nothingWaits()
}

// fewest counts documents again and again.
func fewest(ctx context.Context, reader *pgx.Conn, least *int) error {
	for ctx.Err() == nil {
		var n int
		if err := reader.QueryRow(ctx, "SELECT count(*) FROM tv_book").Scan(&n); err != nil {
			return ctx.Err() // asked to stop
		}
		*least = min(*least, n)
	}
	return nil
}

// TestSlotLostUnderAFrozenConsumer loses it while the engine is connected and
// stands still, since somebody holds a lock that its batch needs.
func TestSlotLostUnderAFrozenConsumer(t *testing.T) {
	t.Parallel()
	w := newServer(t, littleWAL)
	r := w.start()
	w.settled(r)
	holder := w.open("SELECT FROM tv_book WHERE id = 7 FOR UPDATE")
	w.exec("UPDATE tb_book SET title = 'waits' WHERE id = 7")
	w.engineWaits()
	w.lose()
	execute(t, holder, "ROLLBACK")
	says(t, r.fails(), "was lost", "--recreate-slot")
	w.exec(behindItsBack)
	w.healed()
}

// engineWaits waits until a batch waits for somebody's lock.
func (w *world) engineWaits() {
	w.t.Helper()
	eventually(w, true, `SELECT EXISTS (SELECT FROM pg_stat_activity
		WHERE application_name = 'freshet projector' AND wait_event_type = 'Lock' AND datname = current_database())`)
}
