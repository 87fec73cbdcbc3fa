package projector_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector"
	"freshet/projector/migrate/migratetest"
	"freshet/projector/verify"
)

// shop has read models that depend on one table in different ways, and one
// that does not depend on it.
const shop = `
CREATE TABLE tb_owner (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_item (id bigint PRIMARY KEY, owner_id bigint NOT NULL REFERENCES tb_owner ON DELETE CASCADE, n integer NOT NULL, label text, idle text);
CREATE INDEX ON tb_item (owner_id);
CREATE TABLE tb_note (id bigint PRIMARY KEY, t text);
INSERT INTO tb_owner SELECT i, 'owner ' || i FROM generate_series(1, 20) AS i;
INSERT INTO tb_item SELECT i, 1 + i % 20, 1 + i % 7, 'label ' || i FROM generate_series(1, 300) AS i;
INSERT INTO tb_note SELECT i, 'note ' || i FROM generate_series(1, 50) AS i;`

const shopFile = `
type Note @table(name: "tb_note") {
  id: ID!
  t: String
}
type Owner @table(name: "tb_owner") {
  id: ID!
  name: String!
  items: [Item!]! @hasMany(foreignKey: "owner_id") @embed(fields: "id n")
  total: BigInt @aggregate(fn: SUM, of: "items", field: "n")
}
type Item @table(name: "tb_item") {
  id: ID!
  n: Int! @index
  label: String
  share: Int @computed(sql: "5040 / n")
}`

// pauses collects what an engine tells of its read models.
type pauses struct {
	mu     sync.Mutex
	told   []string // "paused Item", "mended Item"
	errors map[string]string
	news   chan struct{}
}

func (p *pauses) tell(what, model, text string) {
	p.mu.Lock()
	p.told = append(p.told, what+" "+model)
	if text != "" {
		p.errors[model] = text
	}
	p.mu.Unlock()
	select {
	case p.news <- struct{}{}:
	default:
	}
}

func (p *pauses) times(what string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.told {
		if t == what {
			n++
		}
	}
	return n
}

// shopping is a world with the shop, and a running engine.
type shopping struct {
	*world
	*pauses
	r *running
}

func newShopping(t *testing.T) *shopping {
	t.Helper()
	t.Parallel()
	s := &shopping{world: newWorldAt(t, pgtest.Database(t), shop, shopFile)}
	s.begin()
	s.settle()
	s.exact()
	return s
}

// compile makes the plan anew, as a start of the projector does.
func (s *shopping) compile() {
	s.t.Helper()
	s.plan = migratetest.Compile(s.t, s.conn, shopFile)
}

// migrate does what freshet migrate --apply does.
func (s *shopping) migrate() {
	s.t.Helper()
	s.compile()
	migratetest.Apply(s.t, s.conn, s.plan, s.slot)
}

// begin starts an engine.
func (s *shopping) begin() {
	s.t.Helper()
	s.pauses = &pauses{errors: map[string]string{}, news: make(chan struct{}, 1)}
	p := s.pauses
	s.r = s.start(func(c *projector.Config) {
		c.Events.Paused = func(m projector.PausedModel) { p.tell("paused", m.Model, m.Error) }
		c.Events.Mended = func(model string) { p.tell("mended", model, "") }
	})
	s.reach(s.r, projector.Streaming)
}

func (s *shopping) end() {
	s.t.Helper()
	s.world.stop(s.r)
}

// hears waits until the engine has told something n times.
func (s *shopping) hears(n int, what string) {
	s.t.Helper()
	deadline := time.After(40 * time.Second)
	for s.times(what) < n {
		select {
		case <-s.news:
		case err := <-s.r.done:
			s.t.Fatalf("the engine ended before it told %q: %v", what, err)
		case <-deadline:
			s.t.Fatalf("the engine did not tell %q: %v, %+v", what, s.told, s.r.engine.Status())
		}
	}
}

// paused expects exactly these read models to be paused, in all places where
// it is told.
func (s *shopping) paused(names ...string) {
	s.t.Helper()
	var told []string
	for _, p := range s.r.engine.Status().Paused {
		told = append(told, p.Model)
		if p.Error == "" || p.Since.IsZero() {
			s.t.Errorf("paused without a word: %+v", p)
		}
	}
	want := strings.Join(names, " ")
	if got := strings.Join(told, " "); got != want {
		s.t.Errorf("paused are %q, want %q", got, want)
	}
	var stored string
	must(s.t, s.conn.QueryRow(context.Background(),
		"SELECT coalesce(string_agg(name, ' ' ORDER BY name), '') FROM freshet.models WHERE state = 'paused' AND error <> '' AND paused_at IS NOT NULL").Scan(&stored))
	if stored != want {
		s.t.Errorf("freshet.models says %q, want %q", stored, want)
	}
	if n := s.count("SELECT count(*) FROM freshet.lag WHERE reason = 'paused'"); n != len(names) {
		s.t.Errorf("freshet.lag has %d rows, want %d", n, len(names))
	}
}

// others writes to what the named read models do not read, and expects it to be
// in the documents, and all of these exact.
func (s *shopping) others(paused ...string) {
	s.t.Helper()
	s.exec("UPDATE tb_note SET t = 'and on it goes ' || clock_timestamp() WHERE id % 3 = 0")
	s.exec("INSERT INTO tb_note SELECT max(id) + 1, 'new' FROM tb_note")
	s.settle()
	out := map[string]bool{}
	for _, name := range paused {
		out[name] = true
	}
	report, err := verify.Run(context.Background(), verify.Config{ConnConfig: s.cfg, Models: s.plan.Without(out).ReadModels, Slot: s.slot})
	must(s.t, err)
	if report.Differ > 0 || report.Behind || report.Compared == 0 {
		s.t.Fatalf("compared %d, %d differ, behind %v: %+v", report.Compared, report.Differ, report.Behind, report.Models)
	}
}

// whole expects nothing to be paused, and every document to be exact.
func (s *shopping) whole() {
	s.t.Helper()
	s.exec("UPDATE tb_owner SET name = name || '!' WHERE id = 3")
	s.exec("UPDATE tb_note SET t = t || '!' WHERE id = 3")
	s.settle()
	s.exact()
	s.paused()
	if n := s.count("SELECT count(*) FROM freshet.models WHERE state <> 'ready' OR error IS NOT NULL OR paused_lsn IS NOT NULL OR paused_at IS NOT NULL"); n > 0 {
		s.t.Errorf("%d read models are not ready", n)
	}
}

// lsn is where the log is.
func (s *shopping) lsn() (at pglogrepl.LSN) {
	s.t.Helper()
	must(s.t, s.conn.QueryRow(context.Background(), "SELECT pg_current_wal_insert_lsn()").Scan(&at))
	return at
}

// TestATableThatChanges does to a table, one after the other, what may be done
// to it, and expects the read models that depend on it to pause, the others to
// go on, and all of it to be exact when it is mended.
func TestATableThatChanges(t *testing.T) {
	s := newShopping(t)
	for _, c := range []struct {
		name   string
		hurt   string
		write  string // while it is hurt
		paused []string
		says   string
		mend   string
	}{
		{"a column is renamed", "ALTER TABLE tb_item RENAME label TO title", "UPDATE tb_item SET title = 'x' WHERE id < 20",
			[]string{"Item"}, "label", "ALTER TABLE tb_item RENAME title TO label"},
		{"a column that two read is dropped", "ALTER TABLE tb_item DROP n", "DELETE FROM tb_item WHERE id = 40",
			[]string{"Item", "Owner"}, "column n", "ALTER TABLE tb_item ADD n integer NOT NULL DEFAULT 3"},
		{"the identity is lost", "ALTER TABLE tb_item REPLICA IDENTITY DEFAULT", "UPDATE tb_item SET owner_id = 3 WHERE id = 1",
			[]string{"Owner"}, "replica identity", "ALTER TABLE tb_item REPLICA IDENTITY FULL"},
		{"it leaves the publication", "ALTER PUBLICATION freshet DROP TABLE tb_item", "UPDATE tb_item SET n = 7 WHERE id < 100",
			[]string{"Item", "Owner"}, "tb_item", "ALTER PUBLICATION freshet ADD TABLE tb_item"},
		{"the type is another", "ALTER TABLE tb_item ALTER n TYPE bigint", "UPDATE tb_item SET n = 6 WHERE id < 100",
			[]string{"Item", "Owner"}, "was integer and is bigint", "ALTER TABLE tb_item ALTER n TYPE integer"},
		{"the key is not unique", "ALTER TABLE tb_note DROP CONSTRAINT tb_note_pkey; ALTER TABLE tb_note REPLICA IDENTITY FULL", "",
			[]string{"Note"}, "key", "ALTER TABLE tb_note ADD PRIMARY KEY (id)"},
		{"it is dropped", "ALTER TABLE tb_item RENAME TO tb_gone", "UPDATE tb_gone SET n = 5 WHERE id = 1",
			[]string{"Item", "Owner"}, "gone", "ALTER TABLE tb_gone RENAME TO tb_item"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.end()
			s.begin() // one that has paused often waits longer and longer
			told := map[string]int{}
			for _, m := range c.paused {
				told[m] = s.times("paused " + m)
			}
			s.exec(c.hurt)
			hurt := s.lsn()
			if c.write != "" {
				s.exec(c.write)
			}
			for _, m := range c.paused {
				s.hears(told[m]+1, "paused "+m)
			}
			s.paused(c.paused...)
			if c.paused[0] != "Note" {
				s.others(c.paused...)
			}
			if text := s.pauses.errors[c.paused[0]]; !strings.Contains(text, c.says) {
				t.Errorf("it says %q, want %q in it", text, c.says)
			}
			if n := s.count("SELECT count(*) FROM freshet.lag WHERE since_lsn > $1", hurt); n > 0 {
				t.Errorf("%d read models claim to hold what was written after %s", n, hurt)
			}
			s.exec(c.mend)
			for _, m := range c.paused {
				s.hears(told[m]+1, "mended "+m)
			}
			s.whole()
		})
	}
	s.t = t
	s.end()
}

// TestChangesOfATableThatMatterToNobody pause nothing.
func TestChangesOfATableThatMatterToNobody(t *testing.T) {
	s := newShopping(t)
	for _, sql := range []string{
		"ALTER TABLE tb_item ADD more integer DEFAULT 4",
		"ALTER TABLE tb_item DROP idle",
		"ALTER TABLE tb_item ALTER label SET NOT NULL",
		"CREATE INDEX ON tb_item (label)",
		"VACUUM FULL tb_note",
		"ANALYZE tb_item",
		"TRUNCATE tb_note",
		"ALTER TABLE tb_item REPLICA IDENTITY FULL",
	} {
		s.exec(sql)
		s.exec("UPDATE tb_item SET n = 1 + n % 7 WHERE id < 50")
		s.exec("INSERT INTO tb_note SELECT coalesce(max(id), 0) + 1, 'x' FROM tb_note")
	}
	s.looks(2)
	s.whole()
	if len(s.told) > 0 {
		t.Errorf("the engine told %v", s.told)
	}
	s.end()
}

// looks waits until the engine has looked at the catalog n times from now.
func (s *shopping) looks(n int) {
	s.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for range n {
		at := s.lsn()
		for s.count("SELECT count(*) FROM freshet.traces WHERE checked_lsn > $1", at) == 0 {
			if time.Now().After(deadline) {
				s.t.Fatal("the engine does not look at the catalog")
			}
			// A batch in between has it write down what it saw.
			s.exec("UPDATE tb_note SET t = 'look' WHERE id = 1")
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// TestWhatIsDoneAndUndone is noticed by the traces that it leaves, though at
// every look all is as it should be.
func TestWhatIsDoneAndUndone(t *testing.T) {
	s := newShopping(t)
	for _, c := range []struct {
		name, sql string
		models    []string
	}{
		{"out of the publication and back", `ALTER PUBLICATION freshet DROP TABLE tb_item; UPDATE tb_item SET n = 2 WHERE id < 100; ALTER PUBLICATION freshet ADD TABLE tb_item`, []string{"Item", "Owner"}},
		{"dropped and created again", `CREATE TABLE copy AS SELECT * FROM tb_item WHERE id % 2 = 0; DROP TABLE tb_item;
			CREATE TABLE tb_item (idle text, label text, n integer NOT NULL, owner_id bigint NOT NULL REFERENCES tb_owner ON DELETE CASCADE, id bigint PRIMARY KEY);
			INSERT INTO tb_item (id, owner_id, n, label) SELECT id, owner_id, 1 + n % 7, 'copied' FROM copy; CREATE INDEX ON tb_item (owner_id);
			ALTER TABLE tb_item REPLICA IDENTITY FULL; ALTER PUBLICATION freshet ADD TABLE tb_item; DROP TABLE copy`, []string{"Item", "Owner"}},
		{"a column dropped and added", `ALTER TABLE tb_item DROP label; ALTER TABLE tb_item ADD label text DEFAULT 'new'`, []string{"Item"}},
		{"rows written anew", `ALTER TABLE tb_item ALTER n TYPE integer USING 1 + n % 5`, []string{"Item", "Owner"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.end()
			s.begin()
			before := len(s.told)
			told := map[string]int{}
			for _, m := range c.models {
				told[m] = s.times("mended " + m)
			}
			tx, err := s.conn.Begin(context.Background())
			must(t, err)
			_, err = tx.Exec(context.Background(), c.sql)
			must(t, err)
			must(t, tx.Commit(context.Background()))
			for _, m := range c.models {
				s.hears(told[m]+1, "mended "+m)
			}
			if got := len(s.told) - before; got != 2*len(c.models) {
				t.Errorf("the engine told %v", s.told[before:])
			}
			s.exec("UPDATE tb_item SET n = 1 + n % 6 WHERE id < 50")
			s.whole()
		})
	}
	s.t = t
	s.end()
}
