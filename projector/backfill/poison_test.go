package backfill_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/projector/backfill"
)

const divided = `
type Item @table(name: "tb_item") {
  id: ID!
  n: Int! @index
  share: Int @computed(sql: "5040 / (n - 6)")
}`

// TestPoisonIsSetAside fills a source in which some documents cannot be built,
// under a snapshot that is older than some of what is written meanwhile.
func TestPoisonIsSetAside(t *testing.T) {
	f := newFixtureOf(t, divided)
	f.exec("UPDATE tb_item SET n = 0 WHERE id NOT IN (1, 4999, 5000, 5001, 5002, 12001); UPDATE tb_item SET n = 6 WHERE n <> 0")
	holder, err := pgtest.Connect(t, f.url).BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	must(t, err)
	must(t, holder.QueryRow(t.Context(), "SELECT pg_export_snapshot()").Scan(&f.cfg.Snapshot))
	f.exec("INSERT INTO freshet.pending (model, key, reason, since_lsn) VALUES ('Item', '5000', 'resync', '0/1')")
	var mu sync.Mutex
	var told []string
	f.cfg.Quarantined = func(model, key string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if told = append(told, model+" "+key); !strings.Contains(err.Error(), "division by zero") {
			t.Error(err)
		}
	}
	must(t, backfill.Run(t.Context(), f.cfg))
	must(t, holder.Rollback(t.Context()))
	f.expect("11995", "SELECT count(*)::text FROM tv_item")
	f.expect("1 4999 5000 5001 5002 12001", "SELECT string_agg(key, ' ' ORDER BY key::int) FROM freshet.pending WHERE reason = 'quarantine' AND error LIKE 'division by zero%'")
	f.expect("6", "SELECT count(*)::text FROM freshet.sync_log WHERE NOT success AND error LIKE 'division by zero%'")
	f.expect("11995", "SELECT upserted::text FROM freshet.sync_log WHERE whole")
	if len(told) != 6 {
		t.Errorf("told of %v", told)
	}
}

// TestTooMuchPoisonEndsTheFill takes a fault in every document for one of the
// read model.
func TestTooMuchPoisonEndsTheFill(t *testing.T) {
	f := newFixtureOf(t, divided)
	f.exec("UPDATE tb_item SET n = 6")
	err := backfill.Run(t.Context(), f.cfg)
	if err == nil || !strings.Contains(err.Error(), "division by zero") || !strings.Contains(err.Error(), "more than 10000") {
		t.Errorf("the fill ended with %v", err)
	}
	f.expect("backfilling", "SELECT state FROM freshet.models")
}
