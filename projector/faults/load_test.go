package faults_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// load writes from a connection of its own, through whatever happens to the
// server, until it is stopped.
type load struct {
	w         *world
	cancel    context.CancelFunc
	done      sync.WaitGroup
	committed atomic.Int64
}

func (w *world) load(random *rand.Rand) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{w: w, cancel: cancel}
	own := rand.New(rand.NewPCG(random.Uint64(), 1))
	l.done.Add(1)
	go func() {
		defer l.done.Done()
		for ctx.Err() == nil {
			l.write(ctx, own)
		}
	}()
	w.t.Cleanup(l.stop)
	return l
}

// write goes on until an error: the server may be down just now.
func (l *load) write(ctx context.Context, random *rand.Rand) {
	conn, err := pgx.Connect(ctx, l.w.url)
	if err != nil {
		time.Sleep(20 * time.Millisecond)
		return
	}
	defer func() { _ = conn.Close(context.Background()) }() // it may be broken
	for ctx.Err() == nil {
		if _, err = conn.Exec(ctx, writes[random.IntN(len(writes))], random.IntN(6000), random.IntN(100)); err != nil {
			return
		}
		l.committed.Add(1)
		time.Sleep(time.Duration(random.IntN(4)) * time.Millisecond)
	}
}

var writes = []string{
	"UPDATE tb_item SET n = 1 + $2::int % 7 WHERE id = $1::int",
	"UPDATE tb_item SET owner_id = 1 + $2::int WHERE id = $1::int",
	"UPDATE tb_owner SET name = 'renamed ' || $1::int WHERE id = 1 + $2::int",
	"INSERT INTO tb_item SELECT 10000 + $1::int, 1 + $2::int, 1 WHERE $1::int % 3 > 0 ON CONFLICT (id) DO UPDATE SET n = tb_item.n % 7 + 1",
	"DELETE FROM tb_item WHERE id IN ($1::int, 10000 + $2::int)",
}

// until waits for n more commits.
func (l *load) until(n int64) {
	l.w.t.Helper()
	want := l.committed.Load() + n
	for end := time.Now().Add(patience); l.committed.Load() < want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			l.w.t.Fatalf("%d commits in %s", n, patience)
		}
	}
}

func (l *load) stop() {
	l.cancel()
	l.done.Wait()
}
