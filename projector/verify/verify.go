// Package verify compares read models with their definition.
//
// Guarantees: each comparison is made on one snapshot of source and read
// model; and there is no false alarm while a projector is at work: what differs
// is looked at again once the projector has applied everything that the first
// look saw, and counts only when the same stored document then still stands
// against the same definition.
package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/projector/compile"
	"freshet/projector/session"
)

// Config says what to compare.
type Config struct {
	ConnConfig *pgx.ConnConfig
	Models     []*compile.ReadModel
	Slot       string
	// Patience is how long to wait for the projector to apply what a
	// comparison saw before a difference counts. The default is ten seconds.
	Patience time.Duration
	// Repair asks the projector to rebuild what differs.
	Repair bool
	// Keep is how many differences are returned in full; all are counted and
	// repaired. The default is 100.
	Keep int
	// Progress is called after each thousand documents.
	Progress func(model string, compared int64)
}

// Report is what was found.
type Report struct {
	Models   []ModelReport `json:"models"`
	Compared int64         `json:"compared"`
	Differ   int64         `json:"differ"`
	Repaired int64         `json:"repaired"` // handed to the projector
	// Behind says that no projector applied what was seen within the patience:
	// then what differs may only be late.
	Behind bool `json:"behind"`
}

// ModelReport is what was found in one read model.
type ModelReport struct {
	Model       string       `json:"model"`
	Compared    int64        `json:"compared"`
	Differ      int64        `json:"differ"`
	Differences []Difference `json:"differences,omitempty"` // the first of them
}

// Difference is a document that does not equal its definition.
type Difference struct {
	Key  string `json:"key"`
	Kind string `json:"kind"` // "missing", "extra", "data" or "columns"
	Path string `json:"path,omitempty"`
	// Stored and Defined are the values at Path, as JSON.
	Stored  string `json:"stored,omitempty"`
	Defined string `json:"defined,omitempty"`
}

// found is a difference at one look.
type found struct {
	kind            string
	stored, defined string
}

const (
	chunk = 1000
	// looks bounds how often keys that change all the time are looked at.
	looks = 20
)

// Run compares every document of every model.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if cfg.Patience <= 0 {
		cfg.Patience = 10 * time.Second
	}
	if cfg.Keep <= 0 {
		cfg.Keep = 100
	}
	conn, err := session.Connect(ctx, cfg.ConnConfig, "verify")
	if err != nil {
		return Report{}, err
	}
	defer session.Close(conn)
	v := &verifier{cfg: cfg, conn: conn}
	for _, model := range cfg.Models {
		if err = v.model(ctx, model); err != nil {
			return v.report, fmt.Errorf("verify %s: %w", model.Name, err)
		}
	}
	return v.report, nil
}

type verifier struct {
	cfg    Config
	conn   *pgx.Conn
	report Report
}

func (v *verifier) model(ctx context.Context, model *compile.ReadModel) error {
	compared, suspects, err := v.first(ctx, model)
	if err != nil {
		return err
	}
	suspects, err = v.settle(ctx, model, suspects)
	if err != nil {
		return err
	}
	r := ModelReport{Model: model.Name, Compared: compared, Differ: int64(len(suspects))}
	for _, key := range sortedKeys(suspects) {
		if len(r.Differences) == v.cfg.Keep {
			break
		}
		r.Differences = append(r.Differences, explain(key, suspects[key]))
	}
	v.report.Models = append(v.report.Models, r)
	v.report.Compared += compared
	v.report.Differ += r.Differ
	if v.cfg.Repair {
		return v.repair(ctx, model, suspects)
	}
	return nil
}

// first looks at every key, through a cursor.
func (v *verifier) first(ctx context.Context, model *compile.ReadModel) (compared int64, suspects map[string]found, err error) {
	suspects = map[string]found{}
	err = v.look(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "DECLARE freshet_keys NO SCROLL CURSOR FOR "+model.Keys); err != nil {
			return err
		}
		for {
			rows, err := tx.Query(ctx, fmt.Sprintf("FETCH %d FROM freshet_keys", chunk))
			if err != nil {
				return err
			}
			keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil || len(keys) == 0 {
				return err
			}
			if err = compare(ctx, tx, model, keys, suspects); err != nil {
				return err
			}
			compared += int64(len(keys))
			if v.cfg.Progress != nil {
				v.cfg.Progress(model.Name, compared)
			}
		}
	})
	return compared, suspects, err
}

// look runs f on one snapshot.
func (v *verifier) look(ctx context.Context, f func(pgx.Tx) error) error {
	tx, err := v.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	return errors.Join(f(tx), tx.Rollback(context.WithoutCancel(ctx)))
}

func compare(ctx context.Context, tx pgx.Tx, model *compile.ReadModel, keys []string, into map[string]found) error {
	rows, err := tx.Query(ctx, "SELECT key, kind, stored::text, defined::text FROM ("+model.Differences+") AS d", keys)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key, kind string
		var stored, defined *string
		if err := rows.Scan(&key, &kind, &stored, &defined); err != nil {
			return err
		}
		into[key] = found{kind: kind, stored: text(stored), defined: text(defined)}
	}
	return rows.Err()
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// settle looks again at what differed until each key either equals its
// definition or is proven wrong.
func (v *verifier) settle(ctx context.Context, model *compile.ReadModel, suspects map[string]found) (map[string]found, error) {
	proven := map[string]found{}
	for range looks {
		if len(suspects) == 0 {
			return proven, nil
		}
		caughtUp, err := v.wait(ctx)
		if err != nil {
			return nil, err
		}
		if !caughtUp {
			v.report.Behind = true
			return merge(proven, suspects), nil
		}
		again := map[string]found{}
		err = v.look(ctx, func(tx pgx.Tx) error {
			for part := range chunks(sortedKeys(suspects)) {
				if err := compare(ctx, tx, model, part, again); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for key, f := range again {
			if suspects[key] == f {
				proven[key] = f
				delete(again, key)
			}
		}
		suspects = again
	}
	return proven, nil // what is left changed under every look: the projector is at work on it
}

// wait waits until the projector has applied everything that a look before now
// could see. It returns false when that does not happen within the patience.
func (v *verifier) wait(ctx context.Context) (bool, error) {
	var mark pglogrepl.LSN
	if err := v.conn.QueryRow(ctx, "SELECT pg_logical_emit_message(true, 'freshet', 'verify')").Scan(&mark); err != nil {
		return false, fmt.Errorf("put a marker into the WAL: %w", err)
	}
	if v.report.Behind {
		return false, nil
	}
	deadline := time.Now().Add(v.cfg.Patience)
	pause := time.Millisecond
	for {
		var watermark pglogrepl.LSN
		err := v.conn.QueryRow(ctx, "SELECT watermark FROM freshet.checkpoint WHERE slot = $1", v.cfg.Slot).Scan(&watermark)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return false, fmt.Errorf("read the watermark: %w", err)
		}
		if watermark >= mark {
			return true, nil
		}
		if time.Now().After(deadline) {
			return false, nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
			pause = min(2*pause, 200*time.Millisecond)
		case <-ctx.Done():
			timer.Stop()
			return false, ctx.Err()
		}
	}
}

// repair hands keys to the projector.
func (v *verifier) repair(ctx context.Context, model *compile.ReadModel, keys map[string]found) error {
	for part := range chunks(sortedKeys(keys)) {
		tag, err := v.conn.Exec(ctx, `
INSERT INTO freshet.pending (model, key, reason, since_lsn)
SELECT $1, key, 'resync', pg_current_wal_insert_lsn() FROM unnest($2::text[]) AS key
ON CONFLICT (model, key) DO UPDATE SET next_try_at = now()`, model.Name, part)
		if err != nil {
			return fmt.Errorf("ask for repair: %w", err)
		}
		v.report.Repaired += tag.RowsAffected()
	}
	return nil
}
