package live

import (
	"slices"

	"freshet/cache"
)

// moved tells which columns of a list's table a change may have altered; all
// stands for any, as where documents came or went.
func moved(ch *cache.Change) (columns []string, all bool) {
	return ch.Moved, slices.Contains(ch.Moved, cache.AnyColumn)
}
