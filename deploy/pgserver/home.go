package pgserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// homePrefix begins the names of temporary directories, by which those of
// killed parents are found again.
const homePrefix = "freshet-pg-"

// socketRoom is how long a directory's path may be for a Unix socket in it to
// fit the 103 bytes that every system allows.
const socketRoom = 103 - len("/.s.PGSQL.65535.lock")

// home is the directory of one cluster: data, socket and log.
type home struct {
	dir  string
	temp bool     // removed at the end
	lock *os.File // held while this process lives, for temp ones
}

func (h *home) data() string { return filepath.Join(h.dir, "data") }
func (h *home) log() string  { return filepath.Join(h.dir, "postgres.log") }

// makeHome prepares dir, or a temporary directory, for the account.
func makeHome(dir string, account *account) (*home, error) {
	if dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", dir, err)
		}
		if err := os.MkdirAll(abs, 0o700); err != nil {
			return nil, fmt.Errorf("make the server's directory: %w", err)
		}
		return &home{dir: abs}, account.own(abs)
	}
	parent, err := tempParent(account)
	if err != nil {
		return nil, err
	}
	sweep(parent)
	return makeTemp(parent, account)
}

func makeTemp(parent string, account *account) (*home, error) {
	dir, err := os.MkdirTemp(parent, homePrefix)
	if err != nil {
		return nil, fmt.Errorf("make a temporary directory: %w", err)
	}
	h := &home{dir: dir, temp: true}
	if err := h.claim(); err != nil {
		return nil, errors.Join(err, h.remove())
	}
	if err := account.own(dir); err != nil {
		return nil, errors.Join(err, h.remove())
	}
	return h, nil
}

// tempParent is the directory for temporary files, or /tmp when that is too
// deep for a socket or closed to the account.
func tempParent(account *account) (string, error) {
	for _, dir := range []string{os.TempDir(), "/tmp"} {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			continue
		}
		if len(real)+len(homePrefix)+len("/1234567890") <= socketRoom && account.canReach(real) {
			return real, nil
		}
	}
	return "", fmt.Errorf("no directory for temporary files that the server can use: %s is too deep, or closed to the user %s; set TMPDIR",
		os.TempDir(), account.name())
}

// claim takes the lock that tells other processes that this directory is in
// use. It gets its name only once it is locked, so that nobody can sweep the
// directory in between.
func (h *home) claim() error {
	path := filepath.Join(h.dir, "owner")
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("claim %s: %w", h.dir, err)
	}
	h.lock = f
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("claim %s: %w", h.dir, err)
	}
	return os.Rename(path+".new", path)
}

// remove deletes a temporary home. It may be called twice.
func (h *home) remove() error {
	if !h.temp {
		return nil
	}
	err := os.RemoveAll(h.dir)
	if h.lock != nil {
		h.lock.Close()
		h.lock = nil
	}
	if err != nil {
		return fmt.Errorf("remove the server's directory: %w", err)
	}
	return nil
}

// sweep removes the directories of parents that were killed. What it cannot
// remove it leaves.
func sweep(parent string) {
	dirs, err := filepath.Glob(filepath.Join(parent, homePrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		if abandoned(dir) {
			_ = os.RemoveAll(dir)
		}
	}
}

func abandoned(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, "owner"), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
