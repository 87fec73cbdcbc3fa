package status

import (
	"os"
	"testing"

	"freshet/deploy/pgserver/pgtest"
	"freshet/migrations"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// TestReadBeforeTheFirstStart has neither slot nor checkpoint, and is no error.
func TestReadBeforeTheFirstStart(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t))
	if err := migrations.Apply(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	d, err := Read(t.Context(), conn, "nobody")
	if err != nil {
		t.Fatal(err)
	}
	if d.Slot.Exists || d.Slot.Name != "nobody" || d.Checkpoint != nil || len(d.Models) != 0 || d.WriteLSN == "" || d.Now.IsZero() {
		t.Errorf("%+v", d)
	}
}

const world = `
CREATE TABLE tv_post (id int PRIMARY KEY);
INSERT INTO tv_post SELECT generate_series(1, 1000);
ANALYZE tv_post;
INSERT INTO freshet.models (name, hash, layout, sources, state)
VALUES ('Post', 'abcdefghijklmnop', '{"schema": "public", "table": "tv_post"}', '[]', 'ready');
INSERT INTO freshet.models (name, hash, layout, sources, state, paused_lsn, paused_at, error)
VALUES ('Quiet', 'q', '{"schema": "public", "table": "tv_quiet"}', '[]', 'paused', '0/18', now(), 'public.tb_quiet: the table is gone');
INSERT INTO freshet.pending (model, key, reason, error, attempts, since_lsn, created_at) VALUES
  ('Post', 'asked', 'resync', NULL, 0, '0/1', now() - interval '1 hour'),
  ('Post', 'poison', 'quarantine', repeat('x', 5000), 3, '0/1', now());
INSERT INTO freshet.checkpoint (slot, system_id, timeline, database, state, epoch, batch, applied_lsn, watermark, complete, updated_at)
VALUES ('s', '1', 1, 'd', 'streaming', 2, 7, '0/10', '0/20', '0/17', now());
INSERT INTO freshet.fanout (slot, model, path, start, since_lsn, documents, created_at) VALUES
  ('s', 'Post', 'author', '[["1"]]', '0/18', 300, '2026-01-02'), ('s', 'Post', 'tags', '[["1"]]', '0/1A', 0, '2026-01-02'),
  ('s', 'Post', 'author', '[["2"]]', '0/19', 0, '2026-01-03'), ('other', 'Post', 'author', '[["2"]]', '0/1', 0, '2026-01-03');
INSERT INTO freshet.sync_log (slot, batch, model, operation, keys, watermark, started_at, logged_at, duration_ms, success) VALUES
  ('s', 7, 'Post', 'rebuild', '{}', '0/20', now(), now(), 1.5, true), ('s', 7, 'Post', 'rebuild', '{x}', '0/20', now(), now(), 1.5, false),
  ('s', 7, 'Post', 'repair', '{y,z}', '0/20', now(), now(), 1.5, false), ('s', 7, 'Post', 'repair', '{old}', '0/20', now(), now() - interval '2 days', 1.5, false);`

func TestRead(t *testing.T) {
	url := pgtest.Database(t)
	conn := pgtest.Connect(t, url)
	if err := migrations.Apply(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, world)
	d, err := Read(t.Context(), conn, "s")
	if err != nil {
		t.Fatal(err)
	}
	if c := d.Checkpoint; c == nil || c.Batch != 7 || c.Watermark != "0/20" || c.Complete != "0/17" || c.LagBytes <= 0 {
		t.Errorf("the checkpoint: %+v", c)
	}
	if len(d.FanOuts) != 2 || d.FanOuts[0].Path != "author" || d.FanOuts[0].Changes != 2 || d.FanOuts[0].Documents != 300 || d.FanOuts[0].SinceLSN != "0/18" ||
		d.FanOuts[0].Since.Day() != 2 || d.FanOuts[1].Path != "tags" {
		t.Errorf("the fan-outs: %+v", d.FanOuts)
	}
	if d.Diverged.Documents != 2 || d.Diverged.Last == nil || d.Leader != nil {
		t.Errorf("what was found wrong: %+v, the leader: %+v", d.Diverged, d.Leader)
	}
	if len(d.Models) != 2 {
		t.Fatalf("the models: %+v", d.Models)
	}
	m := d.Models[0]
	if m.Documents != 1000 || m.Bytes <= 0 || m.LastBatch == nil || m.Pending != 1 || m.Quarantined != 1 || m.Definition != "abcdefghijkl" || m.Table != "public.tv_post" {
		t.Errorf("the model: %+v", m)
	}
	if p := d.Models[1].Paused; m.Paused != nil || p == nil || p.SinceLSN != "0/18" || p.Error != "public.tb_quiet: the table is gone" || p.Since.IsZero() {
		t.Errorf("what is paused: %+v, %+v", m.Paused, p)
	}
	if len(d.Pending) != 2 || d.Pending[0].Key != "poison" || len(*d.Pending[0].Error) != 1000 || d.Pending[1].Key != "asked" {
		t.Errorf("what waits: %+v", d.Pending)
	}
}
