package soak

import (
	"context"
	"strings"
	"testing"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/soak/oracle"
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
	execute(t, conn, `UPDATE freshet.models SET state = 'backfilling'`)
	p := newProcess(s.command)
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	settled(t, conn, s)
	if err := p.kill(); err != nil {
		t.Fatal(err)
	}
}
