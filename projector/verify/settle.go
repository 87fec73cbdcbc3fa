package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

const (
	// proofs is how often in a row the same must be found, after the first
	// look, before a document is said to differ. One is not enough: a row that
	// is changed back and forth can be caught twice on the way to its document,
	// and twice in the same state.
	proofs = 4
	// looks is how often a document that changes all the time is looked at.
	looks = 20
)

// suspect is a document that differed when it was last looked at.
type suspect struct {
	digest [16]byte
	same   int // how many looks in a row have found the same
}

// settle looks again at what differed until each document either equals its
// definition or is proven wrong, and books the latter.
func (c *comparison) settle(ctx context.Context) error {
	for round := 0; len(c.suspects) > 0; round++ {
		caughtUp, err := c.wait(ctx)
		if err != nil {
			return err
		}
		if !caughtUp {
			return c.unproven(ctx)
		}
		if round >= looks {
			c.dismiss()
		}
		// Not in step with the projector's batches.
		if err = pause(ctx, time.Duration(rand.IntN(1+3*min(round, 10)))*time.Millisecond); err != nil {
			return err
		}
		if err = c.again(ctx); err != nil {
			return err
		}
	}
	return nil
}

// dismiss lets go of the documents that the last look found in another state
// than the one before: their rows or their documents change all the time.
func (c *comparison) dismiss() {
	for key, s := range c.suspects {
		if s.same == 0 {
			delete(c.suspects, key)
			c.report.Changing++
		}
	}
}

// again looks at all suspects once more.
func (c *comparison) again(ctx context.Context) error {
	var proven []Difference
	left := map[string]suspect{}
	c.verifier.report.Looks += int64(len(c.suspects))
	c.explain = len(c.report.Differences) < c.cfg.Keep
	for part := range chunks(slices.Sorted(maps.Keys(c.suspects))) {
		l, err := c.look(ctx, part)
		if err != nil {
			return err
		}
		c.setAside(l.aside)
		c.report.Compared -= int64(len(l.aside)) // they were set aside in the meantime
		for _, f := range l.found {
			s := suspect{digest: f.digest}
			if c.suspects[f.Key].digest == f.digest {
				s.same = c.suspects[f.Key].same + 1
			}
			if s.same < proofs {
				left[f.Key] = s
			} else {
				proven = append(proven, f.Difference)
			}
		}
	}
	c.suspects = left
	return c.book(ctx, proven)
}

// book counts documents that are wrong, and has them repaired.
func (c *comparison) book(ctx context.Context, proven []Difference) error {
	c.report.Differ += int64(len(proven))
	keys := make([]string, len(proven))
	for i, d := range proven {
		keys[i] = d.Key
	}
	if err := c.keep(ctx, proven); err != nil {
		return err
	}
	return c.repair(ctx, keys)
}

// keep keeps the first differences in full.
func (c *comparison) keep(ctx context.Context, list []Difference) error {
	for _, d := range list {
		if len(c.report.Differences) == c.cfg.Keep {
			return nil
		}
		if d.Kind == "columns" {
			if err := c.columns(ctx, &d); err != nil {
				return err
			}
		}
		c.report.Differences = append(c.report.Differences, d)
	}
	return nil
}

// unproven books what differs while the projector does not come near: it may
// only be late.
func (c *comparison) unproven(ctx context.Context) error {
	c.report.Unproven += int64(len(c.suspects))
	keys := slices.Sorted(maps.Keys(c.suspects))
	c.suspects = map[string]suspect{}
	if room := min(len(keys), c.cfg.Keep-len(c.report.Differences), chunk); room > 0 {
		c.explain = true
		l, err := c.look(ctx, keys[:room])
		if err != nil {
			return err
		}
		for _, f := range l.found {
			f.Difference.Unproven = true
			if err = c.keep(ctx, []Difference{f.Difference}); err != nil {
				return err
			}
		}
	}
	return c.repair(ctx, keys)
}

// caughtUp says whether everything before $2 is in the documents of read model
// $3, and, if not, what would change while the projector comes nearer: its
// watermark, and of a fan-out the number of documents done.
const caughtUp = `
SELECT c.complete >= $2 OR c.watermark >= $2 AND NOT EXISTS (
           SELECT FROM freshet.fanout AS f WHERE f.slot = $1 AND f.model = $3 AND f.since_lsn <= $2),
       CASE WHEN c.watermark < $2 THEN c.watermark::text
            ELSE c.complete || ' ' || coalesce((SELECT sum(documents) FROM freshet.fanout WHERE slot = $1), 0) END
FROM freshet.checkpoint AS c WHERE c.slot = $1`

// wait waits until the projector has applied everything that a look before now
// could see. It returns false when the projector stands still for longer than
// the patience before that.
func (c *comparison) wait(ctx context.Context) (bool, error) {
	var mark pglogrepl.LSN
	if err := c.conn.QueryRow(ctx, "SELECT pg_logical_emit_message(true, 'freshet', 'verify')").Scan(&mark); err != nil {
		return false, fmt.Errorf("put a marker into the WAL: %w", err)
	}
	var stood string
	moved, idle := time.Now(), time.Millisecond
	for {
		var there bool
		var stands string
		err := c.conn.QueryRow(ctx, caughtUp, c.cfg.Slot, mark, c.rm.Name).Scan(&there, &stands)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return false, fmt.Errorf("read how far the projector is: %w", err)
		}
		if there {
			return true, nil
		}
		if stands != stood {
			stood, moved = stands, time.Now()
		}
		if time.Since(moved) > c.patience() {
			c.verifier.report.Behind = true
			return false, nil
		}
		if err := pause(ctx, idle); err != nil {
			return false, err
		}
		idle = min(2*idle, 200*time.Millisecond)
	}
}

// patience is shorter once the projector was found to stand still.
func (c *comparison) patience() time.Duration {
	if c.verifier.report.Behind {
		return c.cfg.Patience / 10
	}
	return c.cfg.Patience
}

// pause sleeps, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// repair hands keys to the projector, where that is wanted.
func (c *comparison) repair(ctx context.Context, keys []string) error {
	if !c.cfg.Repair {
		return nil
	}
	for part := range chunks(keys) {
		tag, err := c.conn.Exec(ctx, `
INSERT INTO freshet.pending (model, key, reason, since_lsn)
SELECT $1, key, 'resync', pg_current_wal_insert_lsn() FROM unnest($2::text[]) AS key
ON CONFLICT (model, hashtextextended(key, 0), hashtextextended(key, 1)) DO UPDATE SET next_try_at = now()`, c.rm.Name, part)
		if err != nil {
			return fmt.Errorf("ask for repair: %w", err)
		}
		c.verifier.report.Repaired += tag.RowsAffected()
	}
	return nil
}
