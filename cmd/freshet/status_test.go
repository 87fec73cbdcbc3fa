package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"freshet/deploy/pgserver/pgtest"
	"freshet/migrations"
	"freshet/projector/status"
)

// delayed is a database in which everything that delays documents is there.
const delayed = `
INSERT INTO freshet.checkpoint (slot, system_id, timeline, database, state, epoch, batch, applied_lsn, watermark, complete, updated_at)
VALUES ('freshet', '1', 1, 'd', 'streaming', 2, 7, '0/10', '0/20', '0/17', now());
INSERT INTO freshet.models (name, hash, layout, sources, state, paused_lsn, paused_at, error, waits) VALUES
  ('Line', 'l', '{"schema": "public", "table": "tv_line"}', '[]', 'paused', '0/19', now() - interval '5 minutes', 'public.tb_item: the column "n" is gone. Give it back', NULL),
  ('Item', 'i', '{"schema": "public", "table": "tv_item"}', '[]', 'paused', '0/19', now() - interval '5 minutes', 'public.tb_item: the column "n" is gone. Give it back', NULL),
  ('Order', 'o', '{"schema": "public", "table": "tv_order"}', '[]', 'paused', '0/19', now(), 'public.tb_order: it was dropped', 'to be filled again when these transactions end: pid 7'),
  ('Post', 'p', '{"schema": "public", "table": "tv_post"}', '[]', 'ready', NULL, NULL, NULL, NULL);
INSERT INTO freshet.fanout (slot, model, path, start, since_lsn, documents, created_at) VALUES
  ('freshet', 'Post', 'author', '[["1"]]', '0/18', 40000, now() - interval '2 minutes'),
  ('freshet', 'Comment', 'author', '[["1"]]', '0/18', 0, now()),
  ('another', 'Post', 'author', '[["1"]]', '0/18', 7, now());
INSERT INTO freshet.sync_log (slot, batch, model, operation, keys, watermark, started_at, duration_ms, success, error) VALUES
  ('freshet', 7, 'Post', 'repair', '{a}', '0/20', now(), 1, false, 'it did not equal its definition'),
  ('freshet', 7, 'Post', 'rebuild', '{b,c}', '0/20', now(), 1, false, 'division by zero');`

// TestStatusOfWhatIsDelayed prints fan-outs, paused read models, both
// watermarks and what the self-check has found.
func TestStatusOfWhatIsDelayed(t *testing.T) {
	url := pgtest.Database(t)
	if err := migrations.Apply(t.Context(), pgtest.Connect(t, url)); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, delayed)
	r := expect(t, exitOK, "nobody leads: no projector runs", "status", "--database-url", url)
	text := strings.Join(strings.Fields(r.out), " ")
	for _, want := range []string{
		"complete 0/17: large changes since then are not in all documents yet",
		"self-check 1 stored document did not equal the definition, in the last 24 hours",
		`Item and Line are paused: public.tb_item: the column "n" is gone. Give it back. It was noticed 5 minutes ago; documents are served as they were.`,
		"Order is paused: nothing is wrong any more, and it waits to be filled again when these transactions end: pid 7.",
		"LARGE CHANGE BY STATE SINCE DONE MAY LACK Post author waits 2 minutes ago 40,000 commits from 0/18 on Comment author waits",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, r.out)
		}
	}
	expect(t, exitOK, "FAILED: division by zero (b c)", "log", "--failed", "--database-url", url)
	var s status.Database
	r = expect(t, exitOK, "", "status", "--json", "--database-url", url)
	if err := json.Unmarshal([]byte(r.out), &s); err != nil || len(s.FanOuts) != 2 || s.FanOuts[0].Documents != 40_000 || s.Checkpoint.Complete != "0/17" || s.Diverged.Documents != 1 {
		t.Errorf("%v %+v", err, s)
	}
}

func TestStatusLines(t *testing.T) {
	now := time.Now()
	since := now.Add(-time.Hour)
	seconds := func(v float64) *float64 { return &v }
	large := status.Database{Now: now, Slot: status.Slot{Active: true}, Checkpoint: &status.Checkpoint{State: "streaming", UpdatedAt: now},
		FanOuts: []status.FanOut{{Model: "Post", Documents: 40_000, Changes: 1}}}
	for _, c := range []struct{ got, want string }{
		{projectorLine(large), "streaming; a large change to Post is being applied: 40,000 documents so far, batch 0"},
		{fanOutText([]status.FanOut{{Model: "Post", Documents: 1, Changes: 3}, {}, {}}), "3 large changes to Post are being applied: 1 document so far; 2 more wait"},
		{leaderText(status.Database{}), "nobody leads"},
		{leaderText(status.Database{Leader: &status.Leader{PID: 7}}), "pid 7, of a role that this one may not look at"},
		{leaderText(status.Database{Now: now, Leader: &status.Leader{PID: 7, Client: "::1", Since: &since}}), "gives no signs of life"},
		{leaderText(status.Database{Now: now, Leader: &status.Leader{PID: 7, Client: "::1", Since: &since, SilentSeconds: seconds(0.4)}}), "pid 7 from ::1, connected 1 hour ago; its last sign of life was 0.4 s ago"},
		{leaderText(status.Database{Now: now, Leader: &status.Leader{PID: 7, Client: "::1", Since: &since, SilentSeconds: seconds(8)}}), "It may be frozen"},
		{selfCheckLine(status.Database{}), "no document was found wrong"},
	} {
		if !strings.Contains(c.got, c.want) {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
