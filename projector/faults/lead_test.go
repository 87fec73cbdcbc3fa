package faults_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector"
	"freshet/projector/apply"
	"freshet/projector/batch"
	"freshet/projector/checkpoint"
	"freshet/projector/session"
)

// The leader is frozen in the middle of a batch, with its transaction open. The
// standby takes over within seconds. Thawed, the old leader commits nothing,
// and stands by.
func TestAFrozenLeaderIsReplacedAndFenced(t *testing.T) {
	t.Parallel()
	const lease = 2 * time.Second
	w := newWorld(t)
	old := w.spawn(lease)
	old.hears(0, "[streaming]")
	r := w.start(func(c *projector.Config) { c.Lease = lease })
	r.hears(0, "[standby]", "another projector leads: pid ")
	release := w.lock("SELECT FROM tv_item WHERE id = 1 FOR UPDATE")
	w.exec("UPDATE tb_item SET n = 5 WHERE id <= 50")
	w.eventually("the batch of the leader waits for the lock", 1, waits)
	old.signal(syscall.SIGSTOP)
	frozen := old.out.mark()
	release()
	w.eventually("the batch of the leader is open", 1,
		"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'freshet projector' AND state LIKE 'idle in transaction%'")
	began := time.Now()
	r.hears(0, "[standby] taking over: the projector that leads has been silent for 2s, and its session was ended: pid ")
	r.streams()
	if took := time.Since(began); took > lease+5*time.Second {
		t.Errorf("took over after %s", took)
	}
	w.exec("UPDATE tb_item SET n = 6 WHERE id <= 40")
	w.exact()
	epoch := w.count("SELECT epoch FROM freshet.checkpoint WHERE slot = $1", w.slot)

	old.signal(syscall.SIGCONT)
	old.hears(frozen, "[waiting]")
	old.hears(frozen, "[standby]", "another projector leads: pid ")
	if text, _ := old.out.since(frozen); strings.Contains(text, " committed batch ") {
		t.Errorf("the thawed leader committed:\n%s", text)
	}
	if now := w.count("SELECT epoch FROM freshet.checkpoint WHERE slot = $1", w.slot); now != epoch {
		t.Errorf("the epoch went from %d to %d", epoch, now)
	}
	w.exact()
	mark := old.out.mark()
	r.stop()
	old.hears(mark, "[streaming]") // and takes over in its turn
	w.exec("UPDATE tb_item SET n = 7 WHERE id <= 30")
	w.exact()
}

// Were a batch of the old leader still open after a takeover, the epoch would
// stop it, and everything else that an old leader writes.
func TestTheEpochFencesAnOpenBatch(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	r := w.start(nil)
	r.streams()
	w.settle()
	r.stop()
	before, err := checkpoint.Load(ctx, w.conn, w.slot)
	must(t, err)
	conn, err := session.Connect(ctx, w.cfg, "projector")
	must(t, err)
	defer session.Close(conn)
	old := apply.New(conn, w.plan, w.slot, before.Epoch)
	_, err = old.Begin(ctx)
	must(t, err)
	must(t, old.Resolve(ctx, &batch.Dirty{}))
	_, err = checkpoint.TakeOver(ctx, w.conn, before.Identity)
	must(t, err)
	_, err = old.Apply(ctx, apply.Work{Number: before.Batch + 1, Batch: batch.Batch{Resume: before.Applied + 1000, Watermark: before.Watermark + 1000}}, false)
	var conflict *pgconn.PgError
	if !errors.As(err, &conflict) || conflict.Code != "40001" {
		t.Errorf("the open batch of an old leader: %v, want a serialization failure", err)
	}
	if _, err = old.Begin(ctx); !errors.Is(err, apply.ErrFenced) {
		t.Errorf("a new batch of an old leader: %v, want ErrFenced", err)
	}
	if ok, err := checkpoint.SavePartitions(ctx, w.conn, w.slot, before.Epoch, map[string]string{"a": "b"}); ok || err != nil {
		t.Errorf("an old leader saved the partitions: %v, %v", ok, err)
	}
	if ok, err := checkpoint.Advance(ctx, w.conn, w.slot, before.Epoch, before.Applied+1000, before.Applied+1000); ok || err != nil {
		t.Errorf("an old leader advanced: %v, %v", ok, err)
	}
	after, err := checkpoint.Load(ctx, w.conn, w.slot)
	must(t, err)
	if after.Applied != before.Applied || after.Batch != before.Batch {
		t.Errorf("the checkpoint moved: %+v", after)
	}
}

// A connection that is made in the name of a leader that leads no more is
// refused, and one that was made before is ended.
func TestNoSessionOutlivesItsLeader(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	leader, next := pgtest.Connect(t, w.url), pgtest.Connect(t, w.url)
	if ok, _, err := checkpoint.TryLock(ctx, leader, w.slot); !ok || err != nil {
		t.Fatalf("no lock: %v", err)
	}
	pid := int32(leader.PgConn().PID())
	member := pgtest.Connect(t, w.url)
	must(t, checkpoint.Join(ctx, member.PgConn(), w.slot, pid))
	tx, err := member.Begin(ctx)
	must(t, err)
	_, err = tx.Exec(ctx, "DELETE FROM tb_item WHERE id = 1")
	must(t, err)
	holder, err := checkpoint.Holder(ctx, next, w.slot)
	must(t, err)
	must(t, checkpoint.Depose(ctx, next, holder))
	for ok := false; !ok; {
		ok, _, err = checkpoint.TryLock(ctx, next, w.slot)
		must(t, err)
	}
	if n, err := checkpoint.Evict(ctx, next, w.slot); n != 1 || err != nil {
		t.Errorf("evicted %d, %v", n, err)
	}
	if err := tx.Commit(ctx); err == nil {
		t.Error("a session of the old leader committed")
	}
	late := pgtest.Connect(t, w.url)
	if err := checkpoint.Join(ctx, late.PgConn(), w.slot, pid); !errors.Is(err, checkpoint.ErrDeposed) {
		t.Errorf("a late connection of the old leader: %v, want ErrDeposed", err)
	}
}

// A standby that may not see whether the leader lives, or not end its session,
// says so; and who holds the lock without being a projector is left alone.
func TestAStandbySaysWhatItCannot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ purpose, role, grant, told string }{
		"another role":            {checkpoint.Purpose, "faults_blind", "", "Whether it lives cannot be seen"},
		"a role that only sees":   {checkpoint.Purpose, "faults_monitor", "GRANT pg_monitor TO faults_monitor", "may not end its session"},
		"a command, not a leader": {"destroy", "faults_super", "ALTER ROLE faults_super SUPERUSER", "a command that holds the lock"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			leader, err := session.Connect(context.Background(), w.cfg, c.purpose) // and shows no sign of life
			must(t, err)
			defer session.Close(leader)
			if ok, _, err := checkpoint.TryLock(context.Background(), leader, w.slot); !ok || err != nil {
				t.Fatalf("no lock: %v", err)
			}
			w.exec("CREATE ROLE " + c.role + " LOGIN REPLICATION; " + c.grant)
			defer w.exec("DROP ROLE " + c.role)
			w.cfg.User = c.role
			r := w.start(func(c *projector.Config) { c.Lease = time.Second })
			r.hears(0, "[standby]", c.told, "pid ")
			r.never(0, "[standby] taking over")
			r.stop()
		})
	}
}

// What is left of a leader of another role cannot be ended: it is named, and
// waited for.
func TestSessionsOfAnotherRoleAreWaitedFor(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	leader, member := pgtest.Connect(t, w.url), pgtest.Connect(t, w.url)
	if ok, _, err := checkpoint.TryLock(ctx, leader, w.slot); !ok || err != nil {
		t.Fatalf("no lock: %v", err)
	}
	must(t, checkpoint.Join(ctx, member.PgConn(), w.slot, int32(leader.PgConn().PID())))
	w.exec("CREATE ROLE faults_other LOGIN")
	defer w.exec("DROP ROLE faults_other")
	w.cfg.User = "faults_other"
	other, err := pgx.ConnectConfig(ctx, w.cfg)
	must(t, err)
	defer session.Close(other)
	bounded, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if _, err = checkpoint.Evict(bounded, other, w.slot); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it is there: %v", err)
	}
	must(t, member.Close(ctx))
	again, err := pgx.ConnectConfig(ctx, w.cfg)
	must(t, err)
	defer session.Close(again)
	if _, err = checkpoint.Evict(ctx, again, w.slot); err != nil {
		t.Errorf("when it has gone: %v", err)
	}
}

// A leader that is busy with one batch for much longer than the lease stays
// the leader.
func TestABusyLeaderIsNotReplaced(t *testing.T) {
	t.Parallel()
	const lease = time.Second
	w := newWorld(t)
	first := w.start(func(c *projector.Config) { c.Lease = lease })
	first.streams()
	second := w.start(func(c *projector.Config) { c.Lease = lease })
	second.hears(0, "[standby]")
	release := w.lock("SELECT FROM tv_item WHERE id = 1 FOR UPDATE")
	w.exec("UPDATE tb_item SET n = 5 WHERE id = 1")
	w.eventually("the batch waits for the lock", 1, waits)
	hold(4 * lease)
	release()
	w.exact()
	second.never(0, "[starting] ")
	second.never(0, "[standby] taking over")
	first.never(0, "again in")
	second.stop()
	first.stop()
}

// Two projectors started together over a database that is still to be filled:
// one leads, the other takes over when it ends, even halfway.
func TestTwoStartedTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var both [2]*running
	var group sync.WaitGroup
	for i := range both {
		group.Add(1)
		go func() {
			defer group.Done()
			both[i] = w.start(nil)
		}()
	}
	group.Wait()
	leads := 0
	for both[leads].engine.Status().State != projector.Backfilling && both[leads].engine.Status().State != projector.Streaming {
		leads = 1 - leads
		time.Sleep(time.Millisecond)
	}
	both[1-leads].hears(0, "[standby]", "another projector leads: pid ")
	both[leads].stop()
	both[1-leads].streams()
	w.exec("UPDATE tb_item SET n = 5 WHERE id % 10 = 1")
	w.exact()
	both[1-leads].stop()
}
