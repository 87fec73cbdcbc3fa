package soak

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pglogrepl"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/soak/oracle"
	"freshet/projector/soak/zoo"
)

// TestOracleNotices damages tv_* tables, one way after the other, and expects
// the oracle to name the damage. A test that cannot fail proves nothing.
func TestOracleNotices(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	conn := pgtest.Connect(t, url)
	execute(t, conn, familySchema)
	s := prepare(t, url, family)
	p := newProcess(s.command)
	start(t, p)
	settled(t, conn, s)
	if err := p.kill(); err != nil {
		t.Fatal(err)
	}
	for _, damage := range []struct{ sql, want string }{
		{`UPDATE tv_child SET data = jsonb_set(data, '{name}', '"other"') WHERE id = 4`, `Child 4: at ".name": want "child 4", got "other"`},
		{`UPDATE tv_child SET data = jsonb_set(data, '{parent,name}', 'null') WHERE id = 4`, `Child 4: at ".parent.name": want "parent 2", got null`},
		{`UPDATE tv_child SET data = data - 'parent' WHERE id = 4`, `Child 4: at ".parent": want {"id":"2","name":"parent 2"}, got (absent)`},
		{`UPDATE tv_child SET data = data || '{"more": 1}' WHERE id = 4`, `Child 4: at ".more": want (absent), got 1`},
		{`UPDATE tv_parent SET data = data #- '{children,0}' WHERE id = 2`, `Parent 2: at ".children[0].id": want "1", got "4"`},
		{`UPDATE tv_child SET id = 99 WHERE id = 4`, `Child 4: at "": want {`},
		{`INSERT INTO tv_child (id, data, freshet_lsn, freshet_time) VALUES (99, '{}', '0/0', now())`, `Child 99: at "": want (absent), got {}`},
	} {
		execute(t, conn, damage.sql)
		rep, err := oracle.Check(context.Background(), conn, s.model)
		if err != nil {
			t.Fatal(err)
		}
		found := ""
		for _, d := range rep.Differences {
			found += d.String() + "\n"
		}
		if !strings.Contains(found, damage.want) {
			t.Errorf("after %s\nfound %swant %s", damage.sql, found, damage.want)
		}
		repair(t, s)
	}
}

// repair lets a projector's whole rebuild mend what was damaged.
func repair(t *testing.T, s *subject) {
	t.Helper()
	conn := pgtest.Connect(t, s.url)
	execute(t, conn, `UPDATE freshet.models SET state = 'backfilling', filled_at = NULL`)
	p := newProcess(s.command)
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	settled(t, conn, s)
	if err := p.kill(); err != nil {
		t.Fatal(err)
	}
}

// TestWatchNotices damages documents and places, one way after the other, and
// expects those who watch under load to name the damage.
func TestWatchNotices(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	if err := Populate(t.Context(), url, 1, 50); err != nil {
		t.Fatal(err)
	}
	s := prepare(t, url, zoo.Model)
	p := newProcess(s.command)
	start(t, p)
	conn := pgtest.Connect(t, url)
	settled(t, conn, s)
	if err := p.kill(); err != nil {
		t.Fatal(err)
	}
	looks := func() error {
		w := &watcher{run: &run{cfg: Config{Slot: s.slot}}, versions: map[string]int64{"1": 0}}
		seen := place{watermark: query[pglogrepl.LSN](t, conn, `SELECT watermark FROM freshet.checkpoint`), complete: 1}
		for _, n := range []int{7, 0, 1, 2} {
			w.place = seen
			if err := w.look(t.Context(), conn, n); err != nil {
				return err
			}
		}
		return nil
	}
	if err := looks(); err != nil {
		t.Fatal(err)
	}
	mend := func(table string) string {
		return `UPDATE ` + table + ` t SET data = jsonb_set(t.data, '{hub,version}', h.data->'version') FROM tv_hub h WHERE t.id = 5 AND h.id = (t.data->'hub'->>'id')::int`
	}
	for _, damage := range []struct{ do, undo, want string }{
		{`UPDATE tv_spoke SET data = jsonb_set(data, '{hub,version}', '77') WHERE id = 5`, mend(`tv_spoke`), "Spoke 5 embeds version 77"},
		{`UPDATE tv_bolt SET data = jsonb_set(data, '{hub,version}', '77') WHERE id = 5`, mend(`tv_bolt`), "Bolt 5 embeds version 77"},
		{`UPDATE tv_wallet SET data = jsonb_set(data, '{balance}', '7') WHERE id = 5`, `UPDATE tv_wallet SET data = jsonb_set(data, '{balance}', '1000') WHERE id = 5`, "torn transaction"},
		{`UPDATE tv_counter SET data = jsonb_set(data, '{version}', '7') WHERE id = 2`, `UPDATE tv_counter SET data = jsonb_set(data, '{version}', (SELECT data->'version' FROM tv_counter WHERE id = 1)) WHERE id = 2`, "twin counters"},
		{`UPDATE freshet.checkpoint SET complete = watermark + 1`, `UPDATE freshet.checkpoint SET complete = watermark`, "beyond the watermark"},
		{`UPDATE freshet.checkpoint SET complete = '0/0'`, `UPDATE freshet.checkpoint SET complete = watermark`, "complete went back"},
		{`UPDATE freshet.checkpoint SET applied_lsn = '0/1'`, `UPDATE freshet.checkpoint SET applied_lsn = watermark`, "the slot was told"},
	} {
		execute(t, conn, damage.do)
		if err := looks(); err == nil || !strings.Contains(err.Error(), damage.want) {
			t.Errorf("after %s\nfound %v\nwant %s", damage.do, err, damage.want)
		}
		execute(t, conn, damage.undo)
	}
	// What freshet.lag tells of is not damage.
	execute(t, conn, `INSERT INTO freshet.fanout (slot, model, path, start, since_lsn) VALUES ($1, 'Spoke', 'x', '[]', '0/1')`, s.slot)
	execute(t, conn, `UPDATE tv_spoke SET data = jsonb_set(data, '{hub,version}', '77') WHERE id = 5`)
	if err := looks(); err != nil {
		t.Error(err)
	}
}
