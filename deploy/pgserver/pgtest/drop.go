package pgtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"freshet/deploy/pgserver"
)

// drop removes a database and all that would keep it: replication slots,
// sessions, prepared transactions.
func drop(ctx context.Context, s *pgserver.Server, name string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if err := rollbackPrepared(ctx, s, conn, name); err != nil {
		return err
	}
	for {
		err := dropOnce(ctx, conn, name)
		if !inUse(err) {
			return err
		}
		select { // a terminated session takes a moment to let go
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func dropOnce(ctx context.Context, conn *pgx.Conn, name string) error {
	if _, err := conn.Exec(ctx, `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
		WHERE database = $1 AND active_pid IS NOT NULL`, name); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
		WHERE database = $1`, name); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", pgx.Identifier{name}.Sanitize()))
	return err
}

// inUse says whether waiting helps: object_in_use is a slot or database that
// somebody still holds, undefined_object a slot that somebody else dropped.
func inUse(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "55006" || pg.Code == "42704")
}

func rollbackPrepared(ctx context.Context, s *pgserver.Server, conn *pgx.Conn, name string) error {
	rows, err := conn.Query(ctx, "SELECT gid FROM pg_prepared_xacts WHERE database = $1", name)
	if err != nil {
		return err
	}
	gids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(gids) == 0 {
		return err
	}
	inside, err := pgx.Connect(ctx, s.URL(name))
	if err != nil {
		return err
	}
	defer inside.Close(ctx)
	for _, gid := range gids {
		literal, err := inside.PgConn().EscapeString(gid)
		if err != nil {
			return err
		}
		if _, err := inside.Exec(ctx, "ROLLBACK PREPARED '"+literal+"'"); err != nil {
			return err
		}
	}
	return nil
}
