package api

import (
	"errors"
	"fmt"
	"testing"

	"freshet/cache"
)

// TestWhoIsToBlame: the cache is told which errors are a key's own, so that they
// do not fail those who asked for other keys with the same statement.
func TestWhoIsToBlame(t *testing.T) {
	m := blogModel(t)
	store := newMemStore(t, m, blog())
	s := newServer(t, m, store)
	load := s.loads[s.schema.Types["Post"].ID]
	for _, c := range []struct {
		name string
		fail error
		key  bool
	}{
		{"a key that does not fit its column", fmt.Errorf("%w: 22P02", errBadValue), true},
		{"a lost connection", errors.New("conn closed"), false},
	} {
		store.fail = c.fail
		_, err := load(t.Context(), []string{"a", "b"})
		if !errors.Is(err, c.fail) || errors.Is(err, cache.ErrBadKey) != c.key {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	store.fail = nil
	store.docs["Post"]["torn"] = []byte(`{"id":`)
	if _, err := load(t.Context(), []string{"torn"}); !errors.Is(err, cache.ErrBadKey) {
		t.Errorf("a document that cannot be read: %v", err)
	}
}
