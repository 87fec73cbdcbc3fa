package verify_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"freshet/deploy/pgserver/pgtest"
)

// comparisons is how many whole ones run while others write.
const comparisons = 10

// writes are what the writers do; each has two numbers by chance. Some go back
// and forth between two states, so that a comparison meets the same difference
// again and again.
var writes = []string{
	"UPDATE tb_item SET n = 3 - n % 2 WHERE id = 'item ' || 1 + $1::int % 5 AND $2 >= 0",
	"UPDATE tb_item SET owner_id = 200 - owner_id % 2 WHERE id = 'item ' || 10 + $1::int % 5 AND $2 >= 0",
	"UPDATE tb_item SET n = 1 + $2::int % 7 WHERE id = 'item ' || $1::int",
	"UPDATE tb_item SET owner_id = 1 + $2::int % 200 WHERE id = 'item ' || $1::int",
	"INSERT INTO tb_item SELECT 'new ' || $1::int % 10, 1 + $2::int % 200, 1, NULL ON CONFLICT DO NOTHING",
	"DELETE FROM tb_item WHERE id = 'new ' || $1::int % 10 AND $2 >= 0",
	"UPDATE tb_owner SET name = 'name ' || $1::int % 2 WHERE id = 1 + 10 * ($2::int % 20)",
}

// TestNoFalseAlarm compares everything again and again while an engine
// projects a heavy load.
func TestNoFalseAlarm(t *testing.T) {
	w := newWorld(t)
	w.start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writers errgroup.Group
	var transactions [3]int
	for i := range transactions {
		conn := pgtest.Connect(t, w.url)
		writers.Go(func() error {
			var err error
			transactions[i], err = write(ctx, conn, rand.New(rand.NewPCG(uint64(i), 7)))
			return err
		})
	}
	var compared, suspected, changing int64
	for range comparisons {
		r := w.verify(nil)
		compared += r.Compared
		suspected += r.Looks
		changing += r.Changing
		if !r.Right() {
			t.Errorf("%+v", r)
			break
		}
	}
	cancel()
	must(t, writers.Wait())
	w.settle()
	w.verify(nil)
	all := transactions[0] + transactions[1] + transactions[2]
	if all < 100 || suspected == 0 {
		t.Errorf("%d transactions, %d looks: this tests nothing", all, suspected)
	}
	if w.fanOuts.Load() == 0 {
		t.Error("no change was put off")
	}
	t.Logf("%d documents compared beside %d transactions; %d were looked at again, %d changed all the time; %d fan-outs", compared, all, suspected, changing, w.fanOuts.Load())
}

// write writes until ctx ends, a few hundred times a second: what is flooded
// differs for good.
func write(ctx context.Context, conn *pgx.Conn, r *rand.Rand) (n int, err error) {
	pace := time.NewTicker(4 * time.Millisecond)
	defer pace.Stop()
	for ; ctx.Err() == nil; n++ {
		<-pace.C
		sql := writes[r.IntN(len(writes))]
		if _, err := conn.Exec(context.WithoutCancel(ctx), sql, 1+r.IntN(2500), r.IntN(1000)); err != nil {
			return n, err
		}
	}
	return n, nil
}
