package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// stmt is one statement with its parameters.
type stmt struct {
	sql  string
	args []any
}

// mark is what a step does to the transaction around it.
type mark int

const (
	plain   mark = iota
	open         // a savepoint
	release      // of the innermost savepoint
	undo         // back to the innermost savepoint, then its release
)

// step is one statement, or a mark.
type step struct {
	stmt
	mark mark
}

// ending is how a transaction ends.
type ending string

const (
	commit   ending = "COMMIT"
	rollback ending = "ROLLBACK"
	prepared ending = "PREPARE" // two-phase: prepared, then committed
)

// transaction is drawn in full before any of it runs, so that what a writer
// draws next does not depend on what the database said.
type transaction struct {
	kind  string // mixed, or the name of one of the bigs
	begin string
	steps []step
	end   ending
}

// mixed is the kind of the transactions that are not big.
const mixed = "mixed"

// tolerated are the SQLSTATE classes and codes that random writers meet:
// integrity violations, serialization failures, deadlocks, lock timeouts.
// While the schema is being changed, tables, columns and replica identities
// are missing.
var tolerated = []string{"23", "40", "55P03", "57014", "22003", "42P01", "42703", "55000"}

// tolerable says whether a statement may fail so: the transaction, or its
// innermost savepoint, is rolled back and the writer goes on.
func tolerable(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || len(pgErr.Code) != 5 {
		return false
	}
	return slices.Contains(tolerated, pgErr.Code) || slices.Contains(tolerated, pgErr.Code[:2])
}

// outcome is what came of a transaction.
type outcome struct {
	committed bool
	xid       string        // of its commit or abort; empty where it wrote nothing
	lsn       pglogrepl.LSN // the end of the WAL right after it; 0 where it did not commit
}

// run executes the transaction; err is what must not happen.
func (t *transaction) run(ctx context.Context, conn *pgx.Conn, gid string) (outcome, error) {
	if _, err := conn.Exec(ctx, t.begin); err != nil {
		return outcome{}, fmt.Errorf("%s: %w", t.kind, err)
	}
	ok, err := t.runSteps(ctx, conn)
	if err != nil || !ok || t.end == rollback {
		if _, rerr := conn.Exec(ctx, "ROLLBACK"); err == nil && rerr != nil {
			err = rerr
		}
		return outcome{}, err
	}
	if t.end == prepared {
		return t.runPrepared(ctx, conn, gid)
	}
	return finish(ctx, conn)
}

// finish commits, and notes under which id and where, in one round trip.
func finish(ctx context.Context, conn *pgx.Conn) (outcome, error) {
	results, err := conn.PgConn().Exec(ctx, "SELECT pg_current_xact_id_if_assigned(); COMMIT; SELECT pg_current_wal_insert_lsn()").ReadAll()
	if tolerable(err) { // a deferred constraint, or a serialization failure
		_, err = conn.Exec(ctx, "ROLLBACK")
		return outcome{}, err
	}
	if err != nil || len(results) != 3 || results[1].CommandTag.String() == "ROLLBACK" {
		return outcome{}, err
	}
	o := outcome{committed: true, xid: string(results[0].Rows[0][0])}
	o.lsn, err = pglogrepl.ParseLSN(string(results[2].Rows[0][0]))
	return o, err
}

// runPrepared commits in two phases.
func (t *transaction) runPrepared(ctx context.Context, conn *pgx.Conn, gid string) (o outcome, err error) {
	var xid *string
	if err = conn.QueryRow(ctx, "SELECT pg_current_xact_id_if_assigned()::text").Scan(&xid); err != nil {
		return o, err
	}
	if xid != nil {
		o.xid = *xid
	}
	tag, err := conn.Exec(ctx, "PREPARE TRANSACTION '"+gid+"'")
	if tolerable(err) {
		_, err = conn.Exec(ctx, "ROLLBACK")
		return outcome{}, err
	}
	if err != nil || tag.String() == "ROLLBACK" {
		return outcome{}, err
	}
	if _, err = conn.Exec(ctx, "COMMIT PREPARED '"+gid+"'"); err != nil {
		return outcome{}, err
	}
	o.committed = true
	return o, conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()").Scan(&o.lsn)
}

// runSteps runs the statements. ok is false when one failed tolerably outside
// of any savepoint; inside one, the rest of the savepoint is skipped.
func (t *transaction) runSteps(ctx context.Context, conn *pgx.Conn) (ok bool, err error) {
	depth, skip := 0, 0 // skip: depth of the savepoint that failed, 0 for none
	for _, s := range t.steps {
		if s.mark == open {
			depth++
		}
		if skip == 0 || s.mark != plain && depth == skip && s.mark != open {
			err = s.exec(ctx, conn, depth, skip == depth && skip > 0)
			if s.mark != plain && s.mark != open {
				skip = 0
			}
		}
		if s.mark == release || s.mark == undo {
			depth--
		}
		if err == nil {
			continue
		}
		if !tolerable(err) {
			return false, fmt.Errorf("%s: %s: %w", t.kind, s.sql, err)
		}
		if depth == 0 {
			return false, nil
		}
		skip, err = depth, nil
	}
	return true, nil
}

// exec runs one step; failed says that its savepoint must be undone.
func (s step) exec(ctx context.Context, conn *pgx.Conn, depth int, failed bool) error {
	name := fmt.Sprintf("s%d", depth)
	var err error
	switch {
	case s.mark == plain && tooOld(conn, s.sql):
	case s.mark == open:
		_, err = conn.Exec(ctx, "SAVEPOINT "+name)
	case s.mark == release && !failed:
		_, err = conn.Exec(ctx, "RELEASE SAVEPOINT "+name)
	case s.mark == plain:
		_, err = conn.Exec(ctx, s.sql, s.args...)
	default:
		_, err = conn.Exec(ctx, "ROLLBACK TO SAVEPOINT "+name+"; RELEASE SAVEPOINT "+name)
	}
	return err
}

// drawTransaction draws a transaction of random shape from the generator.
func drawTransaction(r *rand.Rand, twoPhase bool) *transaction {
	t := &transaction{kind: mixed, begin: drawBegin(r), end: drawEnding(r, twoPhase)}
	if big, ok := drawBig(r); ok {
		big.begin, big.end = t.begin, t.end
		if big.end == prepared {
			big.end = commit
		}
		return big
	}
	depth := 0
	for range 1 + r.IntN(1+r.IntN(6)) {
		switch {
		case r.IntN(8) == 0:
			t.steps = append(t.steps, step{mark: open})
			depth++
		case depth > 0 && r.IntN(3) == 0:
			t.steps = append(t.steps, step{mark: closing(r)})
			depth--
		}
		for _, s := range drawOp(r) {
			t.steps = append(t.steps, step{stmt: s})
		}
	}
	for ; depth > 0; depth-- {
		t.steps = append(t.steps, step{mark: closing(r)})
	}
	return t
}

func closing(r *rand.Rand) mark {
	if r.IntN(2) == 0 {
		return undo
	}
	return release
}

func drawBegin(r *rand.Rand) string {
	switch r.IntN(12) {
	case 0:
		return "BEGIN ISOLATION LEVEL REPEATABLE READ"
	case 1:
		return "BEGIN ISOLATION LEVEL SERIALIZABLE"
	case 2:
		return "BEGIN; SET LOCAL synchronous_commit = off"
	}
	return "BEGIN"
}

func drawEnding(r *rand.Rand, twoPhase bool) ending {
	switch n := r.IntN(20); {
	case n == 0:
		return rollback
	case n == 1 && twoPhase:
		return prepared
	}
	return commit
}

// tooOld says whether the server does not know the statement yet: it is left
// out then. MERGE came with version 15.
func tooOld(conn *pgx.Conn, sql string) bool {
	return strings.HasPrefix(sql, "MERGE ") && strings.HasPrefix(conn.PgConn().ParameterStatus("server_version"), "14.")
}
