package pgserver

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
)

// ErrNoBinaries is returned where no server binaries were found.
var ErrNoBinaries = errors.New("no Postgres server on this machine: initdb and postgres were not found in FRESHET_PG_BIN, " +
	"PATH or the usual places; install one (apt-get install postgresql, dnf install postgresql-server, brew install postgresql; " +
	"deploy/install-postgres.sh does it), or set FRESHET_PG_BIN to the directory that holds them")

// patterns are the usual places, by distribution.
var patterns = []string{
	"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                   // Red Hat, from PGDG
	"/usr/libexec/postgresql*",           // Alpine
	"/usr/local/pgsql/bin",               // from source
	"/opt/homebrew/opt/postgresql@*/bin", // macOS
	"/opt/homebrew/opt/postgresql/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// FindBinDir returns the directory of the server binaries: FRESHET_PG_BIN,
// else by PATH, else the newest version in the usual places.
func FindBinDir() (string, error) {
	if dir := os.Getenv("FRESHET_PG_BIN"); dir != "" {
		if !hasServer(dir) {
			return "", errors.New("FRESHET_PG_BIN is " + dir + ", which has no initdb and postgres")
		}
		return dir, nil
	}
	if dir, ok := onPath(); ok {
		return dir, nil
	}
	for _, pattern := range patterns {
		if dir, ok := newest(pattern); ok {
			return dir, nil
		}
	}
	return "", ErrNoBinaries
}

// BinDirs returns every directory of server binaries on this machine: that of
// FRESHET_PG_BIN, of PATH, and all in the usual places.
func BinDirs() []string {
	var dirs []string
	add := func(dir string) {
		if hasServer(dir) && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	if dir := os.Getenv("FRESHET_PG_BIN"); dir != "" {
		add(dir)
	}
	if dir, ok := onPath(); ok {
		add(dir)
	}
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		for _, dir := range found {
			add(dir)
		}
	}
	return dirs
}

// onPath follows a symbolic link: the programs find their libraries from
// where they really are.
func onPath() (string, bool) {
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", false
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && hasServer(filepath.Dir(real)) {
		return filepath.Dir(real), true
	}
	return filepath.Dir(path), hasServer(filepath.Dir(path))
}

func newest(pattern string) (string, bool) {
	dirs, err := filepath.Glob(pattern)
	if err != nil {
		return "", false
	}
	sort.SliceStable(dirs, func(i, j int) bool { return version(dirs[i]) > version(dirs[j]) })
	for _, dir := range dirs {
		if hasServer(dir) {
			return dir, true
		}
	}
	return "", false
}

// version is the first number in a path, or 0: "/usr/lib/postgresql/16/bin" has 16.
func version(path string) int {
	start := -1
	for i, r := range path + "/" {
		digit := r >= '0' && r <= '9'
		if digit && start < 0 {
			start = i
		}
		if !digit && start >= 0 {
			n, err := strconv.Atoi(path[start:i])
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

func hasServer(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}
