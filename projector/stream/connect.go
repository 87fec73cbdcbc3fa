package stream

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

// goodbye is how long hanging up may take.
const goodbye = time.Second

// session is what a replication connection is set to. Values of rows come in
// the same text form as documents and keys are evaluated in, and no timeout of
// the role or database ends a stream or an exported snapshot.
var session = map[string]string{
	"replication":                         "database",
	"application_name":                    "freshet",
	"client_encoding":                     "UTF8",
	"client_min_messages":                 "warning",
	"standard_conforming_strings":         "on",
	"timezone":                            "UTC",
	"datestyle":                           "ISO",
	"intervalstyle":                       "iso_8601",
	"extra_float_digits":                  "1",
	"bytea_output":                        "hex",
	"statement_timeout":                   "0",
	"lock_timeout":                        "0",
	"idle_in_transaction_session_timeout": "0",
}

// connect opens a replication connection. watch, if not nil, is how a done
// context ends a command on it.
func connect(ctx context.Context, base *pgconn.Config, watch watchBuilder) (*pgconn.PgConn, error) {
	cfg := base.Copy()
	if cfg.RuntimeParams == nil {
		cfg.RuntimeParams = make(map[string]string, len(session))
	}
	for name := range cfg.RuntimeParams { // parameter names are not case-sensitive
		if _, ours := session[strings.ToLower(name)]; ours {
			delete(cfg.RuntimeParams, name)
		}
	}
	for name, value := range session {
		cfg.RuntimeParams[name] = value
	}
	if watch != nil {
		cfg.BuildContextWatcherHandler = watch
	}
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open a replication connection: %w", classify(err))
	}
	keepAlive(conn.Conn())
	return conn, nil
}

// keepAlive has the kernel probe a connection that is silent, so that both
// ends notice a dead network. Sockets that cannot are left alone.
func keepAlive(c net.Conn) {
	for {
		above, ok := c.(interface{ NetConn() net.Conn }) // TLS, and what others have put around it
		if !ok {
			break
		}
		c = above.NetConn()
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3})
	}
}

// hangUp closes a connection on which nothing needs to be said any more.
func hangUp(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	_ = conn.Close(ctx)
	select {
	case <-conn.CleanupDone():
	case <-ctx.Done():
	}
}

func identify(ctx context.Context, conn *pgconn.PgConn) (System, error) {
	r, err := pglogrepl.IdentifySystem(ctx, conn)
	if err != nil {
		return System{}, fmt.Errorf("identify the system: %w", classify(err))
	}
	return System{ID: r.SystemID, Timeline: r.Timeline, Position: r.XLogPos, Database: r.DBName}, nil
}

// query runs one statement on a replication connection, which understands only
// the simple protocol, and returns its rows. NULL is "".
func query(ctx context.Context, conn *pgconn.PgConn, sql string) ([][]string, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, result := range results {
		for _, row := range result.Rows {
			texts := make([]string, len(row))
			for i, v := range row {
				texts[i] = string(v)
			}
			rows = append(rows, texts)
		}
	}
	return rows, nil
}

// literal quotes a string constant, under standard_conforming_strings.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
