package verify

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"freshet/projector/difference"
	"freshet/projector/walk"
)

func chunks(keys []string) iter.Seq[[]string] { return slices.Chunk(keys, chunk) }

// found is a difference at one look.
type found struct {
	Difference
	stored, defined string
	// digest tells apart what was found, the stored row's version included.
	digest [16]byte
}

// looked is what a look at some keys has found.
type looked struct {
	found []found
	aside []Aside
}

// look compares some documents on one snapshot. Where the definition of one of
// them fails, and with it the statement, it halves them until that one stands
// alone.
func (c *comparison) look(ctx context.Context, keys []string) (looked, error) {
	l, err := c.lookOnce(ctx, keys)
	switch {
	case err == nil || !faultOfData(err):
		return l, err
	case len(keys) == 1:
		f := found{Difference: Difference{Key: keys[0], Kind: "error", Defined: err.Error()}}
		f.seal("")
		return looked{found: []found{f}}, nil
	}
	middle := len(keys) / 2
	a, err := c.look(ctx, keys[:middle])
	if err != nil {
		return looked{}, err
	}
	b, err := c.look(ctx, keys[middle:])
	return looked{append(a.found, b.found...), append(a.aside, b.aside...)}, err
}

// faultOfData says whether an error lies in a row's values, as the projector
// sees it.
func faultOfData(err error) bool {
	return slices.Contains([]string{"22", "23", "54", "P0"}, sqlClass(err))
}

func (c *comparison) lookOnce(ctx context.Context, keys []string) (l looked, err error) {
	tx, err := c.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, tx.Rollback(context.WithoutCancel(ctx))) }()
	var here position
	if l.aside, here, err = c.known(ctx, tx, keys); err != nil {
		return l, err
	}
	keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return slices.ContainsFunc(l.aside, func(a Aside) bool { return a.Key == key })
	})
	if l.found, err = c.differences(ctx, tx, keys); err != nil {
		return l, err
	}
	for i := range l.found {
		f := &l.found[i]
		f.LSN, f.Watermark, f.Complete = here.lsn, here.watermark, here.complete
	}
	return l, nil
}

// position is where WAL and projector were at a look.
type position struct{ lsn, watermark, complete string }

// known reads which of the keys are set aside, and where everything is.
func (c *comparison) known(ctx context.Context, tx pgx.Tx, keys []string) (aside []Aside, here position, err error) {
	err = tx.QueryRow(ctx, `
SELECT pg_current_wal_insert_lsn()::text, coalesce(c.watermark::text, ''), coalesce(c.complete::text, '')
FROM (VALUES ($1)) AS s (slot) LEFT JOIN freshet.checkpoint AS c ON c.slot = s.slot`, c.cfg.Slot).
		Scan(&here.lsn, &here.watermark, &here.complete)
	if err != nil {
		return nil, here, fmt.Errorf("read freshet.checkpoint: %w", err)
	}
	rows, err := tx.Query(ctx, `
SELECT key, error, attempts, created_at FROM freshet.pending WHERE model = $1 AND key = ANY ($2) AND error IS NOT NULL
AND hashtextextended(key, 0) = ANY (ARRAY(SELECT hashtextextended(k, 0) FROM unnest($2::text[]) AS k)) ORDER BY key`, c.rm.Name, keys)
	if err != nil {
		return nil, here, fmt.Errorf("read freshet.pending: %w", err)
	}
	aside, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Aside])
	if err != nil {
		return nil, here, fmt.Errorf("read freshet.pending: %w", err)
	}
	return aside, here, nil
}

// differences reads what differs, and the stored row's version with it.
func (c *comparison) differences(ctx context.Context, tx pgx.Tx, keys []string) ([]found, error) {
	key := "s." + walk.Ident(c.rm.Key.Column)
	rows, err := tx.Query(ctx, `
SELECT d.key, d.kind, coalesce(d.stored::text, ''), coalesce(d.defined::text, ''),
       coalesce(s.freshet_lsn::text, ''), s.freshet_time, coalesce(s.xmin::text || s.ctid::text, '')
FROM (`+c.rm.Differences+`) AS d
LEFT JOIN `+walk.Table(c.rm.Table)+` AS s ON `+key+` = d.key::`+walk.Cast(c.rm), keys)
	if err != nil {
		return nil, err
	}
	var list []found
	var f found
	var version string
	var at *time.Time
	_, err = pgx.ForEachRow(rows, []any{&f.Key, &f.Kind, &f.stored, &f.defined, &f.StoredLSN, &at, &version}, func() error {
		one := f
		one.StoredTime, at = at, nil
		one.seal(version)
		if c.explain && one.Kind == "data" {
			one.Path, one.Stored, one.Defined = difference.First(one.stored, one.defined)
		}
		one.stored, one.defined = "", ""
		list = append(list, one)
		return nil
	})
	return list, err
}

// seal takes the digest.
func (f *found) seal(version string) {
	hash := sha256.New()
	for _, part := range []string{f.Kind, version, f.stored, f.defined, f.Defined} {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	copy(f.digest[:], hash.Sum(nil))
}

// columns finds the column that is not right, for a difference of that kind.
func (c *comparison) columns(ctx context.Context, d *Difference) error {
	key := walk.Ident(c.rm.Key.Column)
	names := []string{"freshet_key", `"data"`}
	for _, column := range c.rm.Columns {
		names = append(names, walk.Ident(column.Column))
	}
	var stored, defined string
	err := c.conn.QueryRow(ctx, `
SELECT (to_jsonb(s) - ARRAY['data', 'freshet_lsn', 'freshet_time', $2::text])::text, (to_jsonb(d) - ARRAY['data', 'freshet_key'])::text
FROM (`+c.rm.Documents+`) AS d (`+strings.Join(names, ", ")+`)
JOIN `+walk.Table(c.rm.Table)+` AS s ON s.`+key+` = d.freshet_key::`+walk.Cast(c.rm), []string{d.Key}, c.rm.Key.Column).
		Scan(&stored, &defined)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for the column that differs: %w", err)
	}
	path, s, def := difference.First(stored, defined)
	if len(path) > len("$.") && s != def {
		d.Path, d.Stored, d.Defined = "column "+path[len("$."):], s, def
	}
	return nil
}
