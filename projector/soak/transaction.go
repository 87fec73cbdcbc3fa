package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

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
var tolerated = []string{"23", "40", "55P03", "57014", "22003"}

// tolerable says whether a statement may fail so: the transaction, or its
// innermost savepoint, is rolled back and the writer goes on.
func tolerable(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || len(pgErr.Code) != 5 {
		return false
	}
	return slices.Contains(tolerated, pgErr.Code) || slices.Contains(tolerated, pgErr.Code[:2])
}

// run executes the transaction. committed says whether it did; err is what
// must not happen.
func (t *transaction) run(ctx context.Context, conn *pgx.Conn, gid string) (committed bool, err error) {
	if _, err := conn.Exec(ctx, t.begin); err != nil {
		return false, fmt.Errorf("%s: %w", t.kind, err)
	}
	ok, err := t.runSteps(ctx, conn)
	if err != nil || !ok || t.end == rollback {
		if _, rerr := conn.Exec(ctx, "ROLLBACK"); err == nil && rerr != nil {
			err = rerr
		}
		return false, err
	}
	end := string(t.end)
	if t.end == prepared {
		end = "PREPARE TRANSACTION '" + gid + "'"
	}
	tag, err := conn.Exec(ctx, end)
	switch {
	case tolerable(err): // a deferred constraint, or a serialization failure
		_, err = conn.Exec(ctx, "ROLLBACK")
		return false, err
	case err != nil || tag.String() == "ROLLBACK":
		return false, err
	}
	if t.end == prepared {
		_, err = conn.Exec(ctx, "COMMIT PREPARED '"+gid+"'")
	}
	return err == nil, err
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
