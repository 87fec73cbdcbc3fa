package soak

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"freshet/projector/soak/zoo"
)

// fixed are the rows that random transactions change but never make.
var fixed = []stmt{
	{`INSERT INTO tb_wallet SELECT g, 1000, 1000 FROM generate_series(1, $1::int) g`, []any{wallets}},
	{`INSERT INTO tb_counter VALUES (1, 0), (2, 0), ($1, 0), ($2, 0)`, []any{firstProbe, firstProbe + 1}},
	{`INSERT INTO tb_hub SELECT g, 'hub ' || g FROM generate_series(1, $1::int) g`, []any{hubs}},
	{`INSERT INTO tb_spoke SELECT g, 1 + g % $2::int, nullif(g % ($2::int + 2), 0) % $2::int + 1, 'spoke ' || g FROM generate_series(1, $1::int) g`, []any{spokes, hubs}},
	{`INSERT INTO tb_bolt SELECT g, 1 + g % 100, nullif(g % ($2::int + 1), 0), g % 7 FROM generate_series(1, $1::int) g`, []any{bolts, hubs}},
	{`INSERT INTO tb_trap SELECT g, g, 'trap ' || g FROM generate_series(1, $1::int) g`, []any{traps}},
}

// Populate creates the zoo's tables in an empty database and fills them with
// what so many random transactions of the seed leave.
func Populate(ctx context.Context, url string, seed uint64, transactions int) error {
	s := &session{run: &run{cfg: Config{URL: url, Seed: seed}}, name: "populate"}
	defer s.close()
	return s.do(ctx, func(c *pgx.Conn) error {
		if _, err := c.Exec(ctx, zoo.Schema); err != nil {
			return fmt.Errorf("create the zoo: %w", err)
		}
		for _, f := range fixed {
			if _, err := c.Exec(ctx, f.sql, f.args...); err != nil {
				return fmt.Errorf("%s: %w", f.sql, err)
			}
		}
		random := s.run.generator(3 << 32)
		for n := range transactions {
			t := drawTransaction(random, false)
			if t.kind != mixed {
				continue // nothing is emptied before it is full
			}
			if _, err := t.run(ctx, c, ""); err != nil {
				return fmt.Errorf("transaction %d: %w", n, err)
			}
		}
		return nil
	})
}
