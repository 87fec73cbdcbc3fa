package live

import (
	"context"
	"maps"
	"slices"

	"freshet/cache"
)

// strangers are documents that have changed, and may have come into pages with
// Only: which pages is told by their columns, once the feed has advanced.
type strangers struct {
	model string
	keys  []string
}

// meet notes the documents of a change that may have come into a page. The lock
// is held.
func (h *Hub) meet(ch *cache.Change) {
	m := h.index[ch.Model]
	columns, all := moved(ch)
	if m == nil || len(m.only) == 0 || ch.Whole || len(ch.Keys) == 0 || !all && len(columns) == 0 {
		return
	}
	h.strange = append(h.strange, strangers{ch.Model, ch.Keys})
}

// lookAt has a goroutine find out into which pages the strangers have come. The
// lock is held.
func (h *Hub) lookAt() {
	if len(h.strange) == 0 || h.looking || h.closed {
		return
	}
	h.looking = true
	h.wg.Go(h.look)
}

// look looks at strangers until there are no more.
func (h *Hub) look() {
	for {
		h.mu.Lock()
		met := h.strange
		h.strange = nil
		if len(met) == 0 || h.closed {
			h.looking = false
			h.mu.Unlock()
			return
		}
		h.mu.Unlock()
		for model, keys := range byModel(met) {
			h.sieve(model, keys)
		}
	}
}

func byModel(met []strangers) map[string][]string {
	keys := map[string][]string{}
	for _, s := range met {
		keys[s.model] = append(keys[s.model], s.keys...)
	}
	return keys
}

// sieve has the queries evaluated whose pages documents may have come into: all
// of them, where that cannot be told.
func (h *Hub) sieve(model string, keys []string) {
	h.mu.Lock()
	var columns []string
	if m := h.index[model]; m != nil {
		columns = slices.Collect(maps.Keys(m.only))
	}
	h.mu.Unlock()
	if len(columns) == 0 {
		return
	}
	values, err := h.values(model, keys, columns)
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.index[model]
	if err != nil {
		m.eachOnly(h.touch)
		return
	}
	for column, list := range values {
		for _, v := range list {
			visit(m.only[column][v], h.touch)
		}
	}
}

// values asks for the values; it fails if nobody can be asked.
func (h *Hub) values(model string, keys, columns []string) (map[string][]string, error) {
	if h.cfg.Values == nil {
		return nil, context.Canceled
	}
	ctx, cancel := context.WithTimeout(h.base, h.cfg.Timeout)
	defer cancel()
	return h.cfg.Values(ctx, model, keys, columns)
}
