package faults_test

import (
	"testing"
	"time"
)

// An apply that takes longer than wal_sender_timeout costs no reconnect: the
// stream is answered while nobody takes what it brings.
func TestAnApplySlowerThanTheSenderTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.RuntimeParams["wal_sender_timeout"] = "2s"
	r := w.start(nil)
	r.streams()
	sender := w.count("SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1", w.slot)
	release := w.lock("SELECT FROM tv_item WHERE id = 1 FOR UPDATE")
	mark := r.mark()
	w.exec("UPDATE tb_item SET n = 5 WHERE id = 1")
	w.eventually("the batch waits for the lock", 1, waits)
	// More transactions than are buffered, so that the stream itself stands.
	w.exec("DO $$ BEGIN FOR i IN 1..6000 LOOP UPDATE tb_item SET n = 1 + i % 7 WHERE id = 2 + i % 50; COMMIT; END LOOP; END $$")
	hold(5 * time.Second)
	release()
	w.exact()
	r.never(mark, "projector again in")
	if now := w.count("SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1", w.slot); now != sender {
		t.Errorf("the stream was opened again: by process %d, before %d", now, sender)
	}
	r.stop()
}
