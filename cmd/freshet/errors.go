package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// errFound ends a command whose output already says what is wrong.
var errFound = errors.New("something was found")

// usageError is a fault of the command line, its environment or its file.
type usageError struct{ message, remedy string }

func usagef(remedy, format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...), remedy: remedy}
}

func (e *usageError) Error() string { return withRemedy(e.message, e.remedy) }

func withRemedy(message, remedy string) string {
	if remedy == "" {
		return message
	}
	return message + "\n    " + remedy
}

// explained is a failure put in words for a person, with what to do about it.
// It never holds a password.
type explained struct {
	message, remedy string
	cause           error
}

func (e *explained) Error() string { return withRemedy(e.message, e.remedy) }
func (e *explained) Unwrap() error { return e.cause }

// explain puts a failed connection into words; other errors stay as they are.
func explain(err error) error {
	var already *explained
	if errors.As(err, &already) {
		return err
	}
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) {
		return err
	}
	message, remedy := connectFault(connect)
	where := fmt.Sprintf("%s, database %s, as %s", address(connect.Config), connect.Config.Database, connect.Config.User)
	return &explained{message: fmt.Sprintf("cannot connect to Postgres at %s: %s", where, message), remedy: remedy, cause: err}
}

func address(c *pgconn.Config) string {
	if strings.HasPrefix(c.Host, "/") {
		return "the socket in " + c.Host
	}
	return net.JoinHostPort(c.Host, fmt.Sprint(c.Port))
}

// connectFault says what is wrong with a connection, and the remedy.
func connectFault(err *pgconn.ConnectError) (message, remedy string) {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return serverFault(pg, err.Config)
	}
	if message, remedy, ok := tlsFault(err); ok {
		return message, remedy
	}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return "there is no host of that name", "check the host in --database-url"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there", "start Postgres, or check host and port in --database-url"
	case errors.Is(err, syscall.ENOENT):
		return "there is no socket there", "start Postgres, or check the host in --database-url"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "it does not answer", "check host, port and firewall"
	}
	return innermost(err).Error(), "check host and port in --database-url, and the server's log"
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// serverFault explains the server's own refusal, by its SQLSTATE.
func serverFault(pg *pgconn.PgError, c *pgconn.Config) (message, remedy string) {
	switch pg.Code {
	case "28P01":
		if c.Password == "" {
			return "it asks for a password and none was given", "put it into the URL, PGPASSWORD or ~/.pgpass"
		}
		return "the password is wrong", "check the password in --database-url; in a URL special characters are percent-encoded (@ is %40)"
	case "28000":
		return pg.Message, "check the user in --database-url, and pg_hba.conf on the server"
	case "3D000":
		return fmt.Sprintf("there is no database %q", c.Database), "check the name, or create it: createdb " + c.Database
	case "53300":
		return "all its connections are taken", "raise max_connections, or close some"
	case "57P03":
		return pg.Message, "wait a moment and try again"
	}
	return fmt.Sprintf("%s (SQLSTATE %s)", pg.Message, pg.Code), "see the server's log"
}

func tlsFault(err error) (message, remedy string, ok bool) {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case strings.Contains(err.Error(), "server refused TLS connection"):
		return "the server does not speak TLS", "enable ssl on the server, or put sslmode=disable into the URL if the network is safe", true
	case errors.As(err, &authority):
		return "its TLS certificate is of an unknown authority", "put sslrootcert=FILE with the authority's certificate into the URL", true
	case errors.As(err, &host), errors.As(err, &invalid):
		return "its TLS certificate does not hold: " + innermost(err).Error(), "check the host in the URL and the server's certificate", true
	case strings.Contains(err.Error(), "tls: "):
		return "TLS failed: " + innermost(err).Error(), "check sslmode, sslcert, sslkey and sslrootcert in the URL", true
	}
	return "", "", false
}

// innermost is the cause at the bottom of an error: the wrappers around it
// repeat where the connection went.
func innermost(err error) error {
	for {
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			if e.Unwrap() == nil {
				return err
			}
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			all := e.Unwrap()
			if len(all) == 0 {
				return err
			}
			err = all[len(all)-1]
		default:
			return err
		}
	}
}

// parseURL reads a connection string. Its errors never show the string: it
// may hold a password, and the parser's own words may hold a part of it.
func parseURL(url string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(url)
	var file *fs.PathError
	if errors.As(err, &file) {
		return nil, usagef("check the certificate files that the URL names", "%s", file)
	}
	if err != nil || torn(cfg) {
		return nil, usagef("it looks like postgres://USER:PASSWORD@HOST:PORT/DATABASE; in user and password special characters are percent-encoded (@ is %40)",
			"the database URL cannot be read%s", urlHint(url))
	}
	return cfg, nil
}

// torn says whether a password with a / or ? in it was cut apart: its rest,
// with the @ behind it, is then taken for something else.
func torn(cfg *pgx.ConnConfig) bool {
	at := strings.Contains(cfg.Database, "@")
	for name := range cfg.RuntimeParams {
		at = at || strings.Contains(name, "@")
	}
	return at
}

func urlHint(url string) string {
	scheme, _, ok := strings.Cut(url, "://")
	switch {
	case !ok:
		return ": it does not begin with postgres://"
	case scheme != "postgres" && scheme != "postgresql":
		return ": it begins with another scheme than postgres://"
	}
	return ""
}

// indent sets a remedy's further lines under its first.
func indent(remedy string) string { return strings.ReplaceAll(remedy, "\n", "\n    ") }
