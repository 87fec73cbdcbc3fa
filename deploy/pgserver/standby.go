package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
)

// Standby starts a physical standby of s, with settings of its own, from a copy
// of its data: s is halted for as long as the copy takes, and comes back on the
// same port. The standby follows s through the physical replication slot, which
// must exist; Promote makes it a primary.
func (s *Server) Standby(ctx context.Context, slot string, settings map[string]string) (*Server, error) {
	all := map[string]string{
		"primary_conninfo":  fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=postgres", s.port, s.opts.Superuser),
		"primary_slot_name": slot,
	}
	for name, value := range s.opts.Settings {
		all[name] = value
	}
	for name, value := range settings {
		all[name] = value
	}
	standby, err := prepare(Options{BinDir: s.bin, Superuser: s.opts.Superuser, Settings: all})
	if err != nil {
		return nil, err
	}
	err = s.copyTo(standby)
	if err == nil {
		err = standby.create(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a standby: %w", err), standby.home.remove())
	}
	return standby, nil
}

// copyTo copies the data of the server, which is down meanwhile.
func (s *Server) copyTo(standby *Server) error {
	if err := s.Halt(Fast); err != nil {
		return err
	}
	data := standby.home.data()
	err := os.CopyFS(data, os.DirFS(s.home.data()))
	if err == nil {
		err = os.WriteFile(filepath.Join(data, "standby.signal"), nil, 0o600)
	}
	if err == nil {
		err = os.Chmod(data, 0o700)
	}
	if err == nil {
		err = filepath.WalkDir(data, func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, standby.account.own(path))
		})
	}
	return errors.Join(err, s.Resume(context.Background()))
}

// Promote makes a standby a primary, on a timeline of its own, and waits until
// it takes writes.
func (s *Server) Promote(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("promote the standby: %w", err)
	}
	defer conn.Close(ctx)
	var promoted bool
	if err := conn.QueryRow(ctx, "SELECT pg_promote()").Scan(&promoted); err != nil {
		return fmt.Errorf("promote the standby: %w", err)
	}
	if !promoted {
		return errors.New("promote the standby: it did not end its recovery within a minute")
	}
	return nil
}
