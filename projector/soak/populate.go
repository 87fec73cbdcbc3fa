package soak

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"freshet/projector/soak/zoo"
)

const fixed = `
INSERT INTO tb_wallet SELECT g, 1000, 1000 FROM generate_series(1, $1::int) g;`

// Populate creates the zoo's tables in an empty database and fills them with
// what so many random transactions of the seed leave.
func Populate(ctx context.Context, url string, seed uint64, transactions int) error {
	s := &session{run: &run{cfg: Config{URL: url, Seed: seed}}, name: "populate"}
	defer s.close()
	return s.do(ctx, func(c *pgx.Conn) error {
		if _, err := c.Exec(ctx, zoo.Schema); err != nil {
			return fmt.Errorf("create the zoo: %w", err)
		}
		if _, err := c.Exec(ctx, fixed, wallets); err != nil {
			return fmt.Errorf("open wallets: %w", err)
		}
		if _, err := c.Exec(ctx, `INSERT INTO tb_counter VALUES (1, 0), (2, 0), ($1, 0), ($2, 0)`, firstProbe, firstProbe+1); err != nil {
			return fmt.Errorf("create counters: %w", err)
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
