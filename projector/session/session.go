// Package session opens the projector's own connections.
//
// Guarantees: every connection that evaluates a definition does so under the
// same settings (UTC, ISO formats, fixed float digits), whatever the role, the
// database or the environment set as default, so that a document's bytes
// depend on its rows alone; and no commit on such a connection ever waits for
// a standby.
package session

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
)

// settings are sent with the connection's first message, which beats what is
// set for the role or the database.
var settings = map[string]string{
	"timezone":           "UTC",
	"datestyle":          "ISO",
	"intervalstyle":      "iso_8601",
	"extra_float_digits": "1",
	"bytea_output":       "hex",
	"client_encoding":    "UTF8",
	"jit":                "off",
	// What the projector writes is derived: it must be on this server's disk
	// before it counts, but need not be on a standby's.
	"synchronous_commit": "local",
	// The projector's transactions are as long as its work. What limits them
	// is the watchdog on the stream, not a timeout meant for applications.
	"statement_timeout":                   "0",
	"idle_in_transaction_session_timeout": "0",
	"idle_session_timeout":                "0",
	"lock_timeout":                        "10s",
	"default_transaction_isolation":       "read committed",
	"default_transaction_read_only":       "off",
	"row_security":                        "off",
	// The server lets go of the sessions of a machine that is gone, and of the
	// locks and the snapshot that they hold.
	"tcp_keepalives_idle":     "10",
	"tcp_keepalives_interval": "5",
	"tcp_keepalives_count":    "3",
}

// Config returns a copy of base with the projector's settings. The purpose is
// shown to operators in pg_stat_activity, as "freshet <purpose>".
func Config(base *pgx.ConnConfig, purpose string) *pgx.ConnConfig {
	cfg := base.Copy()
	for k, v := range settings {
		cfg.RuntimeParams[k] = v
	}
	cfg.RuntimeParams["application_name"] = "freshet " + purpose
	// Every path and every read model has statements of its own.
	cfg.StatementCacheCapacity = 4096
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 10 * time.Second
	}
	return cfg
}

// Indexed are settings for a connection that looks rows up by arrays of keys,
// with one plan for any keys, by index, and in an index's order where there is
// one. Planning for each array costs more than running it; statistics of a table
// that has just grown from nothing would have it read whole; and of a list with
// a limit the average length says nothing of the longest, which is the one that
// is rebuilt most often.
var Indexed = map[string]string{
	"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "enable_sort": "off",
	// A thousand documents fit: what does not goes through temporary files.
	"work_mem": "32MB",
}

// Unflushed is for the connection that commits batches: whoever uses it must
// tell apart what is committed and what is durable.
var Unflushed = map[string]string{"synchronous_commit": "off"}

// Connect opens a connection with the projector's settings, and those given on
// top of them.
func Connect(ctx context.Context, base *pgx.ConnConfig, purpose string, extra ...map[string]string) (*pgx.Conn, error) {
	cfg := Config(base, purpose)
	for _, set := range extra {
		maps.Copy(cfg.RuntimeParams, set)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect for %s: %w", purpose, err)
	}
	if _, err = conn.Exec(ctx, compression); err != nil {
		Close(conn)
		return nil, fmt.Errorf("set up the connection for %s: %w", purpose, err)
	}
	return conn, nil
}

// compression has large documents compressed by LZ4, where the server is built
// with it: several times faster to write and to read than the default.
const compression = `
SELECT set_config('default_toast_compression', 'lz4', false)
FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)`

// Close ends a connection within a second, whatever became of ctx.
func Close(conn *pgx.Conn) {
	if conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // the server ends what a lost connection held
}
