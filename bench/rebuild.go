package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/projector/apply"
	"freshet/projector/batch"
	"freshet/projector/checkpoint"
	"freshet/projector/compile"
	"freshet/projector/session"
)

const (
	batchKeys = 1000
	batches   = 10 // of a round
)

// rebuilds compares the projector's way of rebuilding documents, log,
// checkpoint and notification included, with its bare statement typed into
// psql, a transaction each 1,000 keys. In a round both sides rebuild the same
// posts, every one of which has changed.
func rebuilds(ctx context.Context, w *world) error {
	name, err := w.copyOf(ctx, documents)
	if err != nil {
		return err
	}
	b, err := newRebuild(ctx, w, name)
	if err != nil {
		return err
	}
	var s sides
	for i := range w.rounds {
		keys := b.next()
		first, second := b.typed, b.engine
		if i%2 == 1 {
			first, second = second, first
		}
		if err := errors.Join(b.round(ctx, keys, first), b.round(ctx, keys, second)); err != nil {
			return err
		}
		s.theirs, s.ours = append(s.theirs, b.typed.rate), append(s.ours, b.engine.rate)
		w.log("documents a second: typed %.0f, projector %.0f", b.typed.rate, b.engine.rate)
	}
	ours, theirs := s.values()
	w.report.add(row{Name: "rebuild of posts in batches of 1,000", Unit: "docs/s", Value: ours, Baseline: theirs,
		Against: "the same SQL typed into psql, 1,000 keys a transaction"}, ratioAtLeast(0.8))
	session.Close(b.conn)
	session.Close(b.typist)
	return w.drop(ctx, name)
}

type rebuild struct {
	conn, typist  *pgx.Conn // the applier's and the typist's
	applier       *apply.Applier
	model         *compile.ReadModel
	path          int // whose values are the model's keys
	keys          []string
	number        int64
	typed, engine *way
}

// way is one way of rebuilding a batch.
type way struct {
	batch func(context.Context, []string) error
	rate  float64 // documents a second, in the last round
}

func newRebuild(ctx context.Context, w *world, database string) (*rebuild, error) {
	cfg, plan, err := w.compiled(ctx, database)
	if err != nil {
		return nil, err
	}
	b := &rebuild{}
	b.typed, b.engine = &way{batch: b.typeBatch}, &way{batch: b.applyBatch}
	if b.conn, err = session.Connect(ctx, cfg, "projector", session.Indexed); err != nil {
		return nil, err
	}
	if b.typist, err = session.Connect(ctx, cfg, "bench typist"); err != nil {
		return nil, err
	}
	if b.keys, err = keysOf(ctx, b.typist, "tb_post"); err != nil {
		return nil, err
	}
	id, err := checkpoint.Find(ctx, b.typist, database)
	if err != nil {
		return nil, err
	}
	if err := checkpoint.Create(ctx, b.typist, id, 0); err != nil {
		return nil, err
	}
	place, err := checkpoint.TakeOver(ctx, b.typist, id)
	if err != nil {
		return nil, err
	}
	b.applier = apply.New(b.conn, plan, database, place.Epoch)
	return b, b.find(plan)
}

// find looks for the posts and the path that leads straight to them.
func (b *rebuild) find(plan *compile.Plan) error {
	for _, s := range plan.Sources {
		for _, p := range s.Paths {
			if p.Direct && p.Model.Name == "Post" {
				b.model, b.path = p.Model, p.ID
				return nil
			}
		}
	}
	return errors.New("the plan has no direct path to Post")
}

// next takes the posts of a round; the next round takes others.
func (b *rebuild) next() []string {
	keys := b.keys[:min(batches*batchKeys, len(b.keys))]
	b.keys = slices.Concat(b.keys[len(keys):], keys)
	return keys
}

// round changes all the posts and rebuilds them in one of the ways.
func (b *rebuild) round(ctx context.Context, keys []string, way *way) error {
	stamp := strconv.FormatInt(time.Now().UnixNano(), 36)
	if _, err := b.typist.Exec(ctx, `UPDATE tb_post SET title = left(title, 40) || ' ' || $2 WHERE id = ANY($1::text[]::uuid[])`, keys, stamp); err != nil {
		return err
	}
	for _, sql := range []string{"VACUUM tb_post", "VACUUM tv_post", "CHECKPOINT"} {
		if _, err := b.typist.Exec(ctx, sql); err != nil {
			return err
		}
	}
	began := time.Now()
	for chunk := range slices.Chunk(keys, batchKeys) {
		if err := way.batch(ctx, chunk); err != nil {
			return err
		}
	}
	way.rate = float64(len(keys)) / time.Since(began).Seconds()
	return nil
}

// applyBatch is what the projector does once the stream has told it the keys.
func (b *rebuild) applyBatch(ctx context.Context, keys []string) error {
	if _, err := b.applier.Begin(ctx); err != nil {
		return err
	}
	b.number++
	work := apply.Work{Number: b.number, Batch: batch.Batch{Transactions: 1, Changes: len(keys), LastCommit: time.Now()}}
	for _, k := range keys {
		work.Batch.Dirty.Add(b.path, batch.Value(k))
	}
	if err := b.applier.Resolve(ctx, &work.Batch.Dirty); err != nil {
		return err
	}
	res, err := b.applier.Apply(ctx, work, false)
	if err == nil && res.Upserted != len(keys) {
		err = fmt.Errorf("the projector wrote %d of %d documents", res.Upserted, len(keys))
	}
	return err
}

var parameter = regexp.MustCompile(`\$[123]\b`)

// typeBatch runs the statement as psql would: one string, all values in it.
func (b *rebuild) typeBatch(ctx context.Context, keys []string) error {
	values := map[string]string{
		"$1": "'{" + strings.Join(keys, ",") + "}'", // UUIDs need no quoting
		"$2": "'" + pglogrepl.LSN(1).String() + "'",
		"$3": "'" + time.Now().UTC().Format(time.RFC3339Nano) + "'",
	}
	sql := parameter.ReplaceAllStringFunc(b.model.Apply, func(p string) string { return values[p] })
	results, err := b.typist.PgConn().Exec(ctx, "BEGIN; "+sql+"; COMMIT").ReadAll()
	if err != nil {
		return err
	}
	if n := len(results[1].Rows); n != len(keys) {
		return fmt.Errorf("the typed statement wrote %d of %d documents", n, len(keys))
	}
	return nil
}
