package trials

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestDeadlockWithAnotherWriter has somebody lock documents in the opposite
// order: one of the two is ended by the server, and the batch comes anyway.
func TestDeadlockWithAnotherWriter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	r.streams(1)
	other := w.open("SELECT FROM tv_book WHERE id = 20 FOR UPDATE")
	w.exec("UPDATE tb_book SET title = 'deadlock' WHERE id IN (10, 20)")
	w.engineWaits() // for 20, and holds 10
	// The engine has waited longer: its wait is looked at first, and it is the victim.
	execute(t, other, "SELECT FROM tv_book WHERE id = 10 FOR UPDATE")
	execute(t, other, "COMMIT")
	r.retried("deadlock detected")
	w.settle()
	w.exact()
	r.stop()
	w.nothingWaits()
}

// TestConflictWithAnotherWriter has somebody write a document that the batch
// is about to write: under its snapshot that is a serialization failure.
func TestConflictWithAnotherWriter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	r.streams(1)
	other := w.open("UPDATE tv_book SET freshet_time = now() WHERE id = 10")
	w.exec("UPDATE tb_book SET title = 'conflict' WHERE id IN (10, 20)")
	w.engineWaits()
	execute(t, other, "COMMIT")
	r.retried("could not serialize access")
	w.settle()
	w.exact()
	r.stop()
	w.nothingWaits()
}

// TestLockHeldOnADocument has somebody hold a document for longer than a batch
// waits: it goes on trying, says who it is, and nothing is lost.
func TestLockHeldOnADocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	r.streams(1)
	holder := w.open("SELECT FROM tv_book WHERE id = 7 FOR UPDATE")
	execute(t, holder, "SET application_name = 'a forgotten psql'")
	w.exec("UPDATE tb_book SET title = 'waits' WHERE id = 7")
	r.retried("lock timeout")
	r.retried(fmt.Sprintf("pid %d", holder.PgConn().PID()))
	r.retried("a forgotten psql")
	w.exec("UPDATE tb_book SET title = 'meanwhile' WHERE id = 8")
	execute(t, holder, "COMMIT")
	w.settle()
	w.exact()
	r.stop()
	w.nothingWaits()
}

// TestSettingsForOtherSessions gives role and database defaults that would
// break the engine, were they its own: timeouts, isolation, formats.
func TestSettingsForOtherSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	r.streams(1)
	r.stop()
	for setting, value := range map[string]string{
		"statement_timeout": "1ms", "lock_timeout": "1ms", "idle_in_transaction_session_timeout": "1ms", "idle_session_timeout": "300ms",
		"default_transaction_isolation": "serializable", "default_transaction_read_only": "on", "default_transaction_deferrable": "on",
		"timezone": "Asia/Kathmandu", "datestyle": "German", "bytea_output": "escape", "extra_float_digits": "-3",
		"standard_conforming_strings": "off", "client_encoding": "LATIN1", "enable_indexscan": "off",
	} {
		w.exec(fmt.Sprintf("ALTER DATABASE %s SET %s = '%s'", pgx.Identifier{w.cfg.Database}.Sanitize(), setting, value))
	}
	r = w.start()
	r.streams(1)
	for i := range 3 {
		w.exec("UPDATE tb_book SET title = 'ä € ' || $1::text WHERE id % 10 = $1", i)
		w.settle()
		// Idle for longer than idle_session_timeout: that must end no session of ours.
		eventually(w, true, `SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = current_database()
			AND application_name IN ('freshet projector', 'freshet projector control') AND clock_timestamp() - state_change > $1 * interval '150 ms'`, 1+i)
	}
	w.exact()
	if told := r.told(); len(told.retries) > 0 {
		t.Errorf("it told %v", told.retries)
	}
	r.stop()
	w.nothingWaits()
}
