// Package resync asks the projector to rebuild documents whose rows did not
// change: some keys, or a whole read model.
//
// Guarantees: what is asked for is durable when a function returns, whether or
// not a projector runs; a key that waits already, quarantined ones included,
// is not counted twice, and its next try comes at once; keys that are asked for
// by themselves come before whole read models; no statement writes more than a
// page of keys; and old documents are served until the new ones are there.
package resync

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"freshet/projector/compile"
	"freshet/projector/walk"
)

// ErrUnknownModel says that freshet.models has no read model of that name.
var ErrUnknownModel = errors.New("there is no read model of that name")

// KeyError says that a key cannot be one of the read model.
type KeyError struct {
	Model, Type string // Type is the key's, as SQL writes it
	Message     string // the server's
}

// Error says which type the keys have.
func (e *KeyError) Error() string {
	return fmt.Sprintf("the keys of %s are of type %s: %s", e.Model, e.Type, e.Message)
}

// A key that was set aside keeps its error and its tries, so that a further
// failure makes it wait longer, not shorter.
const enqueue = `
INSERT INTO freshet.pending AS p (model, key, reason, since_lsn, priority)
SELECT $1, wanted.key, 'resync', pg_current_wal_insert_lsn(), $3 FROM unnest($2::text[]) AS wanted (key)
ON CONFLICT (model, hashtextextended(key, 0), hashtextextended(key, 1)) DO UPDATE SET reason = 'resync', next_try_at = now(), priority = greatest(p.priority, excluded.priority)`

// Priorities of what is asked for.
const (
	ordinary = 0
	// first is for keys that are asked for by themselves: they do not wait
	// behind a whole read model.
	first = 1
)

// page is how many keys one statement asks for.
const page = 10_000

// Keys asks for some documents, and returns their keys, each once, in the form
// that Freshet writes them in. A key without a row is right: a document that
// should not be there goes. The error is ErrUnknownModel or a *KeyError for
// what the caller got wrong.
func Keys(ctx context.Context, conn *pgx.Conn, model string, keys []string) ([]string, error) {
	keyType, err := typeOfKey(ctx, conn, model)
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, "SELECT DISTINCT key::"+keyType+"::text FROM unnest($1::text[]) AS key ORDER BY 1", keys)
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	canonical, err := pgx.CollectRows(rows, pgx.RowTo[string])
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code[:2] == "22" {
		return nil, &KeyError{Model: model, Type: keyType, Message: pg.Message}
	}
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	for part := range slices.Chunk(canonical, page) {
		if _, err = conn.Exec(ctx, enqueue, model, part, first); err != nil {
			return nil, fmt.Errorf("ask for keys of %s: %w", model, err)
		}
	}
	return canonical, nil
}

// keyTypes are all that a key may have. The layout is data: it becomes part of
// a statement only if it is one of these.
var keyTypes = map[string]string{
	"uuid": "uuid", "int2": "smallint", "int4": "integer", "int8": "bigint", "text": "text", "varchar": "text",
}

// typeOfKey reads the type of a read model's key from its layout.
func typeOfKey(ctx context.Context, conn *pgx.Conn, model string) (string, error) {
	var base string
	err := conn.QueryRow(ctx, "SELECT coalesce(layout->'key'->>'base', '') FROM freshet.models WHERE name = $1", model).Scan(&base)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", ErrUnknownModel
	}
	if err != nil {
		return "", fmt.Errorf("read the layout of %s: %w", model, err)
	}
	sql, ok := keyTypes[base]
	if !ok {
		return "", fmt.Errorf("the layout of %s has a key of type %q, which this version does not know", model, base)
	}
	return sql, nil
}

// All asks for every document of a read model: those that its definition
// yields, and those that its table has. It returns how many. The projector
// rebuilds them beside its work, a bounded number at a time, and after the keys
// that were asked for by themselves.
//
// It asks a page at a time, each durable by itself: where it fails or ctx
// ends, what was asked for up to then, which it returns as well, is rebuilt.
func All(ctx context.Context, conn *pgx.Conn, model *compile.ReadModel) (int64, error) {
	if _, err := typeOfKey(ctx, conn, model.Name); err != nil {
		return 0, err
	}
	var n int64
	ask := func(keys []string) error {
		tag, err := conn.Exec(ctx, enqueue, model.Name, keys, ordinary)
		n += tag.RowsAffected()
		return err
	}
	err := walk.Source(model).Each(ctx, conn, page, ask)
	if err == nil {
		err = walk.Stored(model).Each(ctx, conn, page, func(keys []string) error {
			extra, err := unsourced(ctx, conn, model, keys)
			if err != nil || len(extra) == 0 {
				return err
			}
			return ask(extra)
		})
	}
	if err != nil {
		return n, fmt.Errorf("ask for all of %s: %w", model.Name, err)
	}
	return n, nil
}

// unsourced are those of the keys of stored documents that have no row.
func unsourced(ctx context.Context, conn *pgx.Conn, model *compile.ReadModel, keys []string) ([]string, error) {
	rows, err := conn.Query(ctx, walk.Unsourced(model), keys)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Refill has the projector fill the read model again, in chunks beside its other
// work: faster than All for a large one. One that runs begins within seconds, and
// one that is filling it begins anew. What All or Keys asked for before is part
// of it.
func Refill(ctx context.Context, conn *pgx.Conn, model string) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE freshet.models SET state = 'backfilling', filled_at = NULL WHERE name = $1", model)
		if err == nil && tag.RowsAffected() == 0 {
			err = ErrUnknownModel
		}
		if err != nil {
			return err
		}
		for _, table := range []string{"backfill_done", "backfill", "fanout"} {
			if _, err := tx.Exec(ctx, "DELETE FROM freshet."+table+" WHERE model = $1", model); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("have %s filled again: %w", model, err)
	}
	return nil
}

// Progress is how far what was asked for has come.
type Progress struct {
	Waiting int64     // keys yet to be rebuilt
	Failed  int64     // keys that could not be, and are set aside
	Faults  []Failure // the first ten of these
	// Projector says whether one reads the slot: nothing moves without.
	Projector bool
}

// Failure is a document that could not be built.
type Failure struct {
	Key   string `json:"key"`
	Error string `json:"error"`
}

// Look reads the progress. With nil keys it is that of all of the read model.
func Look(ctx context.Context, conn *pgx.Conn, slot, model string, keys []string) (Progress, error) {
	var p Progress
	err := conn.QueryRow(ctx, `
SELECT count(*) FILTER (WHERE reason = 'resync'), count(*) FILTER (WHERE reason = 'quarantine'),
       EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $3 AND active)
  FROM freshet.pending WHERE model = $1 AND ($2::text[] IS NULL OR key = ANY ($2))`, model, keys, slot).
		Scan(&p.Waiting, &p.Failed, &p.Projector)
	if err != nil {
		return p, fmt.Errorf("look how far %s is: %w", model, err)
	}
	if p.Failed == 0 {
		return p, nil
	}
	rows, err := conn.Query(ctx, `
SELECT key, coalesce(error, '') FROM freshet.pending
 WHERE model = $1 AND reason = 'quarantine' AND ($2::text[] IS NULL OR key = ANY ($2)) ORDER BY key LIMIT 10`, model, keys)
	if err != nil {
		return p, fmt.Errorf("look what failed of %s: %w", model, err)
	}
	if p.Faults, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Failure]); err != nil {
		return p, fmt.Errorf("look what failed of %s: %w", model, err)
	}
	return p, nil
}
