package soak

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// place is how far the projector says that it has come.
type place struct{ watermark, complete pglogrepl.LSN }

// look holds the checkpoint to its rules: what is complete is never beyond the
// watermark, neither goes back, and the slot is never told more than the
// checkpoint says is applied. The slot is read first: the checkpoint may move
// on in between, but not the slot.
func (p *place) look(ctx context.Context, c *pgx.Conn, slot string) error {
	var confirmed, applied pglogrepl.LSN
	var now place
	err := c.QueryRow(ctx, `SELECT coalesce(confirmed_flush_lsn, '0/0') FROM pg_replication_slots WHERE slot_name = $1`, slot).Scan(&confirmed)
	if err != nil {
		return fmt.Errorf("read the slot: %w", err)
	}
	err = c.QueryRow(ctx, `SELECT watermark, complete, applied_lsn FROM freshet.checkpoint WHERE slot = $1`, slot).
		Scan(&now.watermark, &now.complete, &applied)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // the backfill has not begun
	}
	if err != nil {
		return fmt.Errorf("read the checkpoint: %w", err)
	}
	switch {
	case confirmed > applied:
		return fmt.Errorf("the slot was told %s, and only what ends at or before %s is applied", confirmed, applied)
	case now.complete > now.watermark:
		return fmt.Errorf("complete is %s, beyond the watermark %s", now.complete, now.watermark)
	case now.watermark < p.watermark:
		return fmt.Errorf("the watermark went back from %s to %s", p.watermark, now.watermark)
	case now.complete < p.complete:
		return fmt.Errorf("complete went back from %s to %s", p.complete, now.complete)
	}
	*p = now
	return nil
}

// sameHubs compares what spokes and bolts embed of hubs with the hubs'
// documents, in one statement: whatever freshet.lag does not tell of must agree.
//
// A fault takes tb_bolt out of the publication, or its identity from it. Nothing
// in the stream says so; the projector sees it in the catalog, some seconds
// later. Bolts may disagree until then, if freshet.lag tells of them afterwards.
func sameHubs(ctx context.Context, c *pgx.Conn) error {
	var n, spokes int64
	var examples *string
	err := c.QueryRow(ctx, `
SELECT count(*), count(*) FILTER (WHERE model = 'Spoke'), (array_agg(format('%s %s embeds version %s of hub %s, which is at %s', model, x.id, x.version, x.hub, h.data->>'version') ORDER BY x.id))[1:3]::text
FROM (SELECT 'Spoke' AS model, id, data->'hub'->>'id' AS hub, data->'hub'->>'version' AS version, data->'hub'->>'name' AS name FROM tv_spoke
      UNION ALL
      SELECT 'Bolt', id, data->'hub'->>'id', data->'hub'->>'version', NULL FROM tv_bolt WHERE data->'hub'->>'id' IS NOT NULL) x
LEFT JOIN tv_hub h ON h.id = x.hub::int
WHERE (h.data->>'version' IS DISTINCT FROM x.version OR h.data->>'name' <> x.name)
  AND NOT EXISTS (SELECT FROM freshet.lag l WHERE l.model IN (x.model, 'Hub'))`).Scan(&n, &spokes, &examples)
	if err != nil {
		return fmt.Errorf("read hubs: %w", err)
	}
	if n > 0 && spokes == 0 {
		if told, err := toldLater(ctx, c, "Bolt"); told || err != nil {
			return err
		}
	}
	if n > 0 {
		return fmt.Errorf("a torn transaction was seen: %d documents embed a hub that is not the hub's document, and freshet.lag has none of them: %s; %s", n, *examples, late(ctx, c))
	}
	return nil
}

// lookEvery is within how long the projector looks at the catalog, and to spare:
// it may be killed meanwhile.
const lookEvery = 30 * time.Second

// toldLater waits for freshet.lag to say that a read model is paused, or filled
// again.
func toldLater(ctx context.Context, c *pgx.Conn, model string) (told bool, err error) {
	for began := time.Now(); !told && time.Since(began) < lookEvery; {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return false, err
		}
		err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM freshet.lag WHERE model = $1 AND reason <> 'fan-out')", model).Scan(&told)
		if err != nil {
			return false, fmt.Errorf("read freshet.lag: %w", err)
		}
	}
	return told, nil
}

// probeHubs holds both watermarks to their word where a change reaches
// thousands of documents, and wanted keys to theirs.
func (r *run) probeHubs(ctx context.Context) error {
	s := &session{run: r, name: "probe hubs"}
	defer s.close()
	random := r.generator(5 << 32)
	for n := 0; ctx.Err() == nil; n++ {
		if err := r.gate.pass(ctx); err != nil {
			return nil
		}
		id := 1 + random.IntN(hubs)
		err := s.do(ctx, func(c *pgx.Conn) error { return r.probeHub(ctx, c, id) })
		r.gate.leave()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("probe of hub %d: %w", id, err)
		}
		r.hubProbes.Add(1)
		_ = pause(ctx, time.Duration(500+random.IntN(1000))*time.Millisecond)
	}
	return nil
}

// hubProbe is one change of a hub, whose way into its spokes is followed.
type hubProbe struct {
	hub     int
	version int64
	written pglogrepl.LSN // the change
	wanted  []string      // keys of spokes that were asked for
	asked   pglogrepl.LSN // the message that asks
}

func (r *run) probeHub(ctx context.Context, c *pgx.Conn, id int) error {
	p := &hubProbe{hub: id}
	args := []any{id, fmt.Sprintf("probed %d", time.Now().UnixNano())}
	if err := c.QueryRow(ctx, renameHub+" RETURNING version", args...).Scan(&p.version); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	r.trace.statements("probe", []stmt{{renameHub, args}})
	var err error
	if p.written, err = nudge(ctx, c); err != nil {
		return err
	}
	return p.follow(ctx, c, r)
}

// want asks for a few of the hub's spokes, and notes where: as a reader does
// that finds its change within the watermark, and Spoke late.
func (p *hubProbe) want(ctx context.Context, c *pgx.Conn) error {
	rows, err := c.Query(ctx, `SELECT id::text FROM tb_spoke WHERE hub_id = $1 ORDER BY id DESC LIMIT 5`, p.hub)
	if err != nil {
		return fmt.Errorf("choose spokes: %w", err)
	}
	if p.wanted, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return fmt.Errorf("choose spokes: %w", err)
	}
	_, err = c.Exec(ctx, `SELECT pg_logical_emit_message(true, 'freshet', 'want ' || jsonb_build_object('Spoke', $1::text[])::text)`, p.wanted)
	if err == nil {
		p.asked, err = nudge(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("ask for spokes: %w", err)
	}
	return nil
}

// follow looks until the change is complete. At each look: where the model's
// own watermark has passed the change, every spoke shows it; where the
// watermark has passed the message, the wanted spokes do. A read model that is
// paused is only told of by freshet.lag. A spoke may have moved to another hub,
// and a hub may have been changed again.
func (p *hubProbe) follow(ctx context.Context, c *pgx.Conn, r *run) error {
	for began, wait := time.Now(), time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		var f, complete, own pglogrepl.LSN
		var late, wanted int64
		var paused bool
		err := c.QueryRow(ctx, `
SELECT watermark, complete, least(watermark, (SELECT min(since_lsn) - 1 FROM freshet.lag WHERE model = 'Spoke')),
       (SELECT count(*) FROM tv_spoke WHERE data->'hub'->>'id' = $2::int::text AND (data->'hub'->>'version')::bigint < $3),
       EXISTS (SELECT FROM freshet.lag WHERE model = 'Spoke' AND reason <> 'fan-out'),
       (SELECT count(*) FROM tv_spoke WHERE id = ANY ($4::int[]) AND data->'hub'->>'id' = $2::int::text AND (data->'hub'->>'version')::bigint < $3)
FROM freshet.checkpoint WHERE slot = $1`, r.cfg.Slot, p.hub, p.version, p.wanted).Scan(&f, &complete, &own, &late, &paused, &wanted)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		switch {
		case own >= p.written && late > 0:
			return fmt.Errorf("the watermark of Spoke is %s (complete %s), but %d spokes do not show what was committed before %s", own, complete, late, p.written)
		case complete >= p.written && late > 0 && !paused:
			return fmt.Errorf("complete is %s, but %d spokes do not show what was committed before %s", complete, late, p.written)
		case p.asked > 0 && f >= p.asked && wanted > 0 && !paused:
			return fmt.Errorf("the watermark %s has passed the asking at %s, but %d of the wanted spokes do not show what was committed before %s", f, p.asked, wanted, p.written)
		case complete >= p.written && own >= p.written:
			raise(&r.slowestHub, time.Since(began))
			return nil
		}
		if f >= p.written && own < p.written && p.asked == 0 {
			if err := p.want(ctx, c); err != nil {
				return err
			}
			r.wants.Add(1)
		}
		if err := r.impatient(ctx, c, began, f, p.written); err != nil {
			return err
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}
