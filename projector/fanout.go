package projector

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/projector/apply"
	"freshet/projector/compile"
	"freshet/projector/session"
	"freshet/projector/walk"
)

// A change that leads to very many documents, such as the new name of an
// author with 100,000 posts, is not done in the batch that it came with: all
// that is committed behind it would wait. The batch writes it down in
// freshet.fanout, and the documents are done in chunks, one with each of the
// batches that follow. Their keys come from a cursor on a connection of its
// own, which the server keeps, so that memory does not grow with the fan-out.
//
// The cursor is younger than the batch. A document that was linked to the
// changed row after that, or is not any more, has changed by an event of its
// own.

// spreading says how chunks take turns with what is committed.
type spreading struct {
	// busy is how long one chunk should take: what is committed meanwhile waits
	// for it, for its flush and for its way through the log. Where nothing is
	// committed it may take idle.
	busy, idle time.Duration
	// rest is how long chunks then rest after each, in its own time: the
	// writers' processor and disk are theirs.
	rest time.Duration
}

var (
	spreadPace = spreading{3 * time.Millisecond, 15 * time.Millisecond, 3}
	// fillPace: a fill is of a whole read model, and where nothing is committed
	// a batch around each chunk is most of what it costs.
	fillPace = spreading{4 * time.Millisecond, 60 * time.Millisecond, 2}
)

const (
	// quietRate is how many transactions a second are as good as none.
	quietRate = 5
	// firstChunk, minChunk and maxChunk are how many documents one has.
	firstChunk, minChunk, maxChunk = 200, 25, 5000
	// fewFaulty is how many one has after some that could not be built.
	fewFaulty = 50
)

// fanOuts are those under way. It belongs to the loop's goroutine, but for the
// reader of keys, which talks by channels.
type fanOuts struct {
	waiting []apply.FanOut // not begun, oldest first
	current []apply.FanOut // being done: all of one path
	chunk   *apply.Chunk   // taken from the reader and not committed yet
	left    *apply.Chunk   // of one that was cut: what comes next
	next    time.Time      // before which none is taken
	pace    spreading

	orders chan order // at most one at a time
	chunks chan apply.Chunk
	size   atomic.Int64 // of the next chunk

	// Of the fill that is current: how many documents are done, of how many, and
	// since when.
	documents int64
	total     atomic.Int64
	began     time.Time
}

// order is what the reader of keys is to read.
type order struct {
	sql   string
	args  []any
	chunk apply.Chunk // without keys
}

func newFanOuts(known []apply.FanOut, pace spreading) *fanOuts {
	f := &fanOuts{waiting: known, pace: pace, orders: make(chan order, 1), chunks: make(chan apply.Chunk)}
	f.size.Store(firstChunk)
	return f
}

// since is the first commit that is put off; 0 is none.
func (f *fanOuts) since() pglogrepl.LSN {
	return oldest(f.waiting, f.current)
}

// sinceAfter is the same once the chunk at hand is committed.
func (f *fanOuts) sinceAfter() pglogrepl.LSN {
	if f.chunk != nil && f.chunk.Last {
		return oldest(f.waiting)
	}
	return f.since()
}

func oldest(lists ...[]apply.FanOut) pglogrepl.LSN {
	var since pglogrepl.LSN
	for _, list := range lists {
		for _, o := range list {
			if since == 0 || o.Since < since {
				since = o.Since
			}
		}
	}
	return since
}

// count is how many there are.
func (f *fanOuts) count() int { return len(f.waiting) + len(f.current) }

// lagging says whether some documents of a read model are put off.
func (f *fanOuts) lagging(model string) bool {
	for _, list := range [][]apply.FanOut{f.waiting, f.current} {
		for _, o := range list {
			if o.Model == model {
				return true
			}
		}
	}
	return false
}

// begin hands the oldest path's fan-outs to the reader of keys: all that wait
// of the same path at once, so that a row that changes again and again costs
// one more pass, not one for each change.
func (f *fanOuts) begin(plan *compile.Plan) {
	for len(f.waiting) > 0 && f.current == nil {
		first := f.waiting[0]
		var rest []apply.FanOut
		for _, o := range f.waiting {
			if o.Model == first.Model && o.Path == first.Path {
				f.current = append(f.current, o)
			} else {
				rest = append(rest, o)
			}
		}
		f.waiting, f.documents, f.began = rest, 0, time.Now()
		f.total.Store(-1)
		f.orders <- makeOrder(plan, f.current) // there is room: the one before was read to its end
	}
}

// makeOrder joins fan-outs of one path. A path that the plan does not have any
// more, of a model file that has changed, covers the whole model.
func makeOrder(plan *compile.Plan, list []apply.FanOut) order {
	var o order
	o.chunk.Model, o.chunk.Path = find(plan, list[0])
	var start [][]string
	for i, f := range list {
		o.chunk.IDs = append(o.chunk.IDs, f.ID)
		for c := range f.Start {
			if i == 0 {
				start = append(start, nil)
			}
			start[c] = append(start[c], f.Start[c]...)
		}
	}
	if o.chunk.Path == nil {
		// In the order of keys, in which rows are mostly stored: a chunk then
		// reads few pages.
		o.sql = "SELECT k.key FROM (" + o.chunk.Model.Keys + ") AS k ORDER BY k.key::" + walk.Cast(o.chunk.Model)
		o.chunk.Fill = list[0].Path == apply.WholeModel
		return o
	}
	o.sql = o.chunk.Path.SQL
	for _, values := range start {
		o.args = append(o.args, values)
	}
	return o
}

// find returns the fan-out's read model, and its path or nil.
func find(plan *compile.Plan, f apply.FanOut) (*compile.ReadModel, *compile.Path) {
	for _, s := range plan.Sources {
		for _, p := range s.Paths {
			if p.Name == f.Path && p.Model.Name == f.Model && len(p.Start) == len(f.Start) && !p.Direct {
				return p.Model, p
			}
		}
	}
	for _, m := range plan.ReadModels {
		if m.Name == f.Model {
			return m, nil
		}
	}
	return nil, nil
}

// ours leaves out the fan-outs of read models that are not in the plan: they
// are gone from the file, or paused and will be filled again.
func ours(plan *compile.Plan, list []apply.FanOut) []apply.FanOut {
	var kept []apply.FanOut
	for _, f := range list {
		if m, _ := find(plan, f); m != nil {
			kept = append(kept, f)
		}
	}
	return kept
}

// offered is where the next chunk comes from, and how long it is to wait yet.
func (f *fanOuts) offered(now time.Time) (chunks <-chan apply.Chunk, rest time.Duration) {
	if f.current == nil || f.chunk != nil {
		return nil, 0
	}
	if rest = f.next.Sub(now); rest > 0 {
		return nil, rest
	}
	if f.left != nil {
		piece := make(chan apply.Chunk, 1)
		piece <- f.piece()
		return piece, 0
	}
	return f.chunks, 0
}

// piece is the next part of what is left of a chunk that was cut.
func (f *fanOuts) piece() apply.Chunk {
	c := *f.left
	n := min(int(f.size.Load()), len(c.Keys))
	c.Last = c.Last && n == len(c.Keys)
	c.Keys = c.Keys[:n]
	return c
}

// hold keeps a chunk for the next batch.
func (f *fanOuts) hold(c apply.Chunk) {
	f.chunk = &c
	if f.left == nil {
		return
	}
	if f.left.Keys = f.left.Keys[len(c.Keys):]; len(f.left.Keys) == 0 {
		f.left = nil
	}
}

// cut leaves few keys in the chunk at hand: some of its documents cannot be
// built, and what is committed meanwhile waits until they are found.
func (f *fanOuts) cut() {
	c := f.chunk
	if len(c.Keys) <= fewFaulty {
		return
	}
	left := *c
	left.Keys = c.Keys[fewFaulty:]
	if f.left != nil {
		left.Keys, left.Last = slices.Concat(left.Keys, f.left.Keys), f.left.Last
	}
	f.left = &left
	c.Keys, c.Last = c.Keys[:fewFaulty], false
	f.size.Store(fewFaulty)
}

// take takes the next chunk, if it is time for one and none is at hand.
func (f *fanOuts) take() *apply.Chunk {
	if chunks, _ := f.offered(time.Now()); chunks != nil {
		select {
		case c := <-chunks:
			f.hold(c)
		default:
		}
	}
	return f.chunk
}

// book books the chunk of a batch that was committed, which took so long.
func (f *fanOuts) book(took time.Duration, rate float64) {
	f.resize(len(f.chunk.Keys), took, rate)
	if rate >= quietRate {
		f.next = time.Now().Add(f.pace.rest * took)
	}
	if f.chunk.Last {
		f.current = nil
	}
	f.chunk = nil
}

// resize sets how many documents the next chunk has, where so many took so
// long.
func (f *fanOuts) resize(documents int, took time.Duration, rate float64) {
	if took <= 0 || documents == 0 {
		return
	}
	target := f.pace.busy
	if rate < quietRate {
		target = f.pace.idle
	}
	fits := int64(float64(documents) * float64(target) / float64(took))
	f.size.Store(min(max(fits, minChunk), maxChunk, 2*f.size.Load()))
}

// read is the reader of keys. It holds a connection only while there is a
// fan-out.
func (f *fanOuts) read(ctx context.Context, base *pgx.ConnConfig) error {
	for {
		select {
		case o := <-f.orders:
			if err := f.readOne(ctx, base, o); err != nil {
				return compile.OfModel(o.chunk.Model.Name, fmt.Errorf("read the keys of a fan-out: %w", err))
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *fanOuts) readOne(ctx context.Context, base *pgx.ConnConfig, o order) error {
	conn, err := session.Connect(ctx, base, "projector fan-out", session.Indexed)
	if err != nil {
		return err
	}
	defer session.Close(conn)
	// Outside a transaction the cursor holds its rows, and nothing else: no
	// snapshot that would keep vacuum back.
	if _, err = conn.Exec(ctx, "DECLARE freshet_keys SCROLL CURSOR WITH HOLD FOR "+o.sql, o.args...); err != nil {
		return err
	}
	if o.chunk.Fill {
		if err = f.countKeys(ctx, conn); err != nil {
			return err
		}
	}
	for c := o.chunk; !c.Last; {
		size := f.size.Load()
		if c.Keys, err = fetch(ctx, conn, size); err != nil {
			return err
		}
		c.Last = int64(len(c.Keys)) < size
		select {
		case f.chunks <- c:
		case <-ctx.Done():
			return nil
		}
	}
	if o.chunk.Fill {
		return analyze(ctx, conn, o.chunk.Model)
	}
	return nil
}

// countKeys counts the cursor's rows, which the server has all by now.
func (f *fanOuts) countKeys(ctx context.Context, conn *pgx.Conn) error {
	all, err := conn.Exec(ctx, "MOVE FORWARD ALL IN freshet_keys")
	if err != nil {
		return err
	}
	f.total.Store(all.RowsAffected())
	_, err = conn.Exec(ctx, "MOVE ABSOLUTE 0 IN freshet_keys")
	return err
}

// analyze brings the statistics of a table that was filled up to date, for its
// readers. It locks nobody out.
func analyze(ctx context.Context, conn *pgx.Conn, model *compile.ReadModel) error {
	if _, err := conn.Exec(ctx, "ANALYZE "+walk.Table(model.Table)); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	return nil
}

func fetch(ctx context.Context, conn *pgx.Conn, size int64) ([]string, error) {
	rows, err := conn.Query(ctx, fmt.Sprintf("FETCH %d FROM freshet_keys", size), pgx.QueryExecModeExec)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
