package cache

import (
	"context"
	"slices"
	"testing"
)

// TestFeedMovesPages: what a row of the log says to have moved is forgotten, and
// pages stay where it says nothing of what they depend on.
func TestFeedMovesPages(t *testing.T) {
	p := newPlant(t)
	pages := NewPages(p.cache, PageOptions[string]{Cost: cost})
	p.checkpoint(1, 100)
	p.run()
	changes := make(chan Change, 10)
	defer p.feed.Subscribe(Listener{Change: func(c Change) { changes <- c }})()
	for i, tc := range []struct {
		row   string // keys, deleted_keys, whole, moved
		moved []string
		stays bool
	}{
		{`'{1}', '{}', false, '{}'`, []string{}, true},
		{`'{1,2}', '{}', false, '{title}'`, []string{"title"}, true},
		{`'{1}', '{}', false, '{title,created_at}'`, []string{"title", "created_at"}, false},
		{`'{1}', '{}', false, '{*}'`, []string{"*"}, false},
		{`'{}', '{1}', false, '{*}'`, []string{"*"}, false},
		{`'{}', '{1}', false, '{}'`, []string{"*"}, false}, // a projector that did not say it
		{`'{}', '{}', true, '{}'`, []string{}, false},
		{`'{1}', '{}', false, DEFAULT`, []string{"*"}, false}, // one that does not know of it
	} {
		batch := int64(i + 2)
		req := ofPosts("a")
		_, err := pages.Fetch(t.Context(), req, func(context.Context) (LoadedPage[string], error) {
			return LoadedPage[string]{Page: "a", Position: Position{p.feed.Watermark(), batch - 1}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := pages.Get(&req); !ok {
			t.Fatalf("%s: the page was not there before", tc.row)
		}
		w := lsn(100 * batch)
		p.exec(`INSERT INTO freshet.sync_log (slot, batch, model, operation, watermark, started_at, duration_ms, keys, deleted_keys, whole, moved)
			VALUES ('freshet', $1, 'Post', 'rebuild', $2, now(), 1, `+tc.row+`)`, batch, w.String())
		p.batch(batch, w)
		p.wait(w)
		if c := receive(t, changes, "change"); !slices.Equal(c.Moved, tc.moved) {
			t.Errorf("%s: the listener was told of %q", tc.row, c.Moved)
		}
		if _, ok := pages.Get(&req); ok != tc.stays {
			t.Errorf("%s: the page is there: %v", tc.row, ok)
		}
	}
}
