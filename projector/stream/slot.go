package stream

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	plugin        = "pgoutput"
	minVersion    = 140000 // logical messages in pgoutput
	originFilter  = 160000
	failoverSlots = 170000
)

var slotName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

// CheckSlotName returns ErrSlotName, wrapped, for a name that Postgres would
// not accept.
func CheckSlotName(name string) error {
	if slotName.MatchString(name) {
		return nil
	}
	return fmt.Errorf("slot %q: %w", name, ErrSlotName)
}

// info is what a start depends on: the server's settings, the publication and
// the slot.
type info struct {
	version       int
	walLevel      string
	senderTimeout time.Duration
	publication   bool // it exists

	slot      bool // it exists; the rest is about it
	kind      string
	plugin    string
	database  string
	walStatus string
	confirmed pglogrepl.LSN
	pid       int // who streams from it; 0 nobody
}

// inspect reads it all in one go. It looks things up instead of trying them,
// because the server's messages do not tell causes apart by their codes.
func inspect(ctx context.Context, conn *pgconn.PgConn, cfg Config) (info, error) {
	rows, err := query(ctx, conn, `
		SELECT pg_catalog.current_setting('server_version_num'),
		       pg_catalog.current_setting('wal_level'),
		       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'),
		       EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = `+literal(cfg.Publication)+`),
		       s.slot_name, s.slot_type, s.plugin, s.database, s.wal_status, s.confirmed_flush_lsn, s.active_pid
		  FROM (SELECT 1) AS one
		  LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name = `+literal(cfg.Slot))
	if err != nil {
		return info{}, fmt.Errorf("look up the slot: %w", classify(err))
	}
	if len(rows) != 1 || len(rows[0]) != 11 {
		return info{}, fmt.Errorf("look up the slot: unexpected answer of %d rows", len(rows))
	}
	return parseInfo(rows[0])
}

func parseInfo(row []string) (info, error) {
	version, err := strconv.Atoi(row[0])
	if err != nil {
		return info{}, fmt.Errorf("server version: %w", err)
	}
	milliseconds, err := strconv.Atoi(row[2])
	if err != nil {
		return info{}, fmt.Errorf("wal_sender_timeout: %w", err)
	}
	i := info{
		version: version, walLevel: row[1], senderTimeout: time.Duration(milliseconds) * time.Millisecond, publication: row[3] == "t",
		slot: row[4] != "", kind: row[5], plugin: row[6], database: row[7], walStatus: row[8],
	}
	if row[9] != "" {
		if i.confirmed, err = pglogrepl.ParseLSN(row[9]); err != nil {
			return info{}, fmt.Errorf("confirmed position of the slot: %w", err)
		}
	}
	if row[10] != "" {
		if i.pid, err = strconv.Atoi(row[10]); err != nil {
			return info{}, fmt.Errorf("process of the slot: %w", err)
		}
	}
	return i, nil
}

// checkServer tells whether it can do logical replication at all.
func (i info) checkServer() error {
	switch {
	case i.version < minVersion:
		return fmt.Errorf("%w: this one is %d", ErrServerVersion, i.version/10000)
	case i.walLevel != "logical":
		return fmt.Errorf("%w: it is %s", ErrWALLevel, i.walLevel)
	}
	return nil
}

// check tells what would stop a start, as far as it can be seen before.
func (i info) check(cfg Config, system System) error {
	if err := i.checkServer(); err != nil {
		return err
	}
	switch {
	case !i.slot:
		return ErrSlotMissing
	case i.kind != "logical":
		return fmt.Errorf("%w: it is a %s one", ErrSlotForeign, i.kind)
	case i.plugin != plugin:
		return fmt.Errorf("%w: its output plugin is %s, not %s", ErrSlotForeign, i.plugin, plugin)
	case i.database != system.Database:
		return fmt.Errorf("%w: it belongs to database %s, not %s", ErrSlotForeign, i.database, system.Database)
	case i.walStatus == "lost":
		return ErrSlotLost
	case i.confirmed == 0:
		return fmt.Errorf("%w: it has no confirmed position: its creation did not finish", ErrSlotForeign)
	case !i.publication:
		return fmt.Errorf("%w: %s", ErrPublicationMissing, cfg.Publication)
	case cfg.Start > system.Position:
		return fmt.Errorf("%w: it ends at %s, applied was %s", ErrRewound, system.Position, cfg.Start)
	}
	return nil
}

// start sends START_REPLICATION and waits until the stream has begun.
func start(ctx context.Context, conn *pgconn.PgConn, cfg Config, i info) error {
	err := pglogrepl.StartReplication(ctx, conn, pgx.Identifier{cfg.Slot}.Sanitize(), cfg.Start,
		pglogrepl.StartReplicationOptions{Mode: pglogrepl.LogicalReplication, PluginArgs: pluginArgs(cfg, i.version)})
	if err == nil {
		return nil
	}
	return startError(ctx, conn, cfg, err)
}

func pluginArgs(cfg Config, version int) []string {
	args := []string{
		"proto_version '1'",
		"publication_names " + literal(pgx.Identifier{cfg.Publication}.Sanitize()),
		"messages 'true'",
	}
	if cfg.Origin && version >= originFilter {
		args = append(args, "origin 'none'")
	}
	return args
}

// startError finds the cause of a refused start by looking again.
func startError(ctx context.Context, conn *pgconn.PgConn, cfg Config, err error) error {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || conn.IsClosed() {
		return fmt.Errorf("start: %w", classify(err))
	}
	switch refused.Code {
	case "55006": // object_in_use
		return fmt.Errorf("%w (%w)", slotActive(ctx, conn, cfg, refused), err)
	case "42704": // undefined_object
		return withCause(ErrSlotMissing, err)
	case "55000": // object_not_in_prerequisite_state
		if i, again := afterError(ctx, conn, cfg); again == nil && i.walStatus == "lost" {
			return withCause(ErrSlotLost, err)
		}
	}
	return fmt.Errorf("start: %w", classify(err))
}

// afterError inspects again on a connection whose last command failed.
func afterError(ctx context.Context, conn *pgconn.PgConn, cfg Config) (info, error) {
	if err := ready(ctx, conn); err != nil {
		return info{}, err
	}
	return inspect(ctx, conn, cfg)
}

// ready reads on to the end of a failed command: pglogrepl stops at its error.
func ready(ctx context.Context, conn *pgconn.PgConn) error {
	for {
		msg, err := conn.ReceiveMessage(ctx)
		if err != nil {
			return err
		}
		if _, done := msg.(*pgproto3.ReadyForQuery); done {
			return nil
		}
	}
}

var number = regexp.MustCompile(`\d+`)

// slotActive finds out who holds the slot. The server's message names the
// process, in any language as its last number; without one the view may still
// tell.
func slotActive(ctx context.Context, conn *pgconn.PgConn, cfg Config, refused *pgconn.PgError) *SlotActiveError {
	e := &SlotActiveError{Slot: cfg.Slot}
	message := strings.ReplaceAll(refused.Message, cfg.Slot, "")
	if all := number.FindAllString(message, -1); len(all) > 0 {
		e.PID, _ = strconv.Atoi(all[len(all)-1])
	}
	i, err := afterError(ctx, conn, cfg)
	if err != nil {
		return e
	}
	if e.PID == 0 {
		e.PID = i.pid
	}
	e.Holder = holder(ctx, conn, e.PID)
	return e
}

// holder describes a process of the server, or is empty.
func holder(ctx context.Context, conn *pgconn.PgConn, pid int) string {
	rows, err := query(ctx, conn, `
		SELECT pg_catalog.concat(coalesce(nullif(application_name, ''), 'a client'), ' (user ', usename, ') ',
		         CASE WHEN client_addr IS NULL THEN 'on the same machine' ELSE 'from ' || pg_catalog.host(client_addr) END,
		         ' since ', pg_catalog.date_trunc('second', backend_start))
		  FROM pg_catalog.pg_stat_activity WHERE pid = `+strconv.Itoa(pid))
	if err != nil || len(rows) == 0 {
		return ""
	}
	return rows[0][0]
}
