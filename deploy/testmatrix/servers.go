package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"freshet/deploy/pgserver"
)

// oldest and newest bound what is tested: the versions that are supported.
const (
	oldest = 14
	newest = 18
)

// server is one version to test against.
type server struct {
	major  int
	exact  string // 17.10
	binDir string
}

// find returns the servers to test, oldest first: those of the machine, then
// those that can be fetched.
func find(ctx context.Context, f flags) ([]server, error) {
	var servers []server
	add := func(dir string) {
		s, err := inspect(ctx, dir)
		switch {
		case err != nil:
			fmt.Fprintln(os.Stderr, "testmatrix:", err)
		case !wanted(s.major, f.versions) || has(servers, s.major):
		default:
			servers = append(servers, s)
		}
	}
	for _, dir := range pgserver.BinDirs() {
		add(dir)
	}
	if f.fetch {
		for major := oldest; major <= newest; major++ {
			if !wanted(major, f.versions) || has(servers, major) {
				continue
			}
			dir, err := fetch(ctx, major)
			if err != nil {
				fmt.Fprintln(os.Stderr, "testmatrix:", err)
				continue
			}
			add(dir)
		}
	}
	if len(servers) == 0 {
		return nil, errors.New("no Postgres server of a version that was asked for is here or can be fetched")
	}
	slices.SortFunc(servers, func(a, b server) int { return cmp.Compare(a.major, b.major) })
	return servers, nil
}

func has(servers []server, major int) bool {
	return slices.ContainsFunc(servers, func(s server) bool { return s.major == major })
}

func wanted(major int, versions []int) bool {
	return len(versions) == 0 || slices.Contains(versions, major)
}

var exactVersion = regexp.MustCompile(`(\d+)(\.\d+|devel|beta\d+|rc\d+)`)

// inspect asks a server for its version.
func inspect(ctx context.Context, dir string) (server, error) {
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return server{}, fmt.Errorf("ask %s/postgres for its version: %w", dir, err)
	}
	found := exactVersion.FindStringSubmatch(string(out))
	if found == nil {
		return server{}, fmt.Errorf("%s/postgres says %q for its version", dir, out)
	}
	major, err := strconv.Atoi(found[1])
	if err != nil {
		return server{}, fmt.Errorf("version of %s/postgres: %w", dir, err)
	}
	return server{major: major, exact: found[0], binDir: dir}, nil
}

// fetch gets a version that is not installed, and returns its directory.
func fetch(ctx context.Context, major int) (string, error) {
	cmd := exec.CommandContext(ctx, "deploy/fetch-postgres.sh", strconv.Itoa(major))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("no Postgres %d to test: deploy/fetch-postgres.sh could not get it: %w", major, err)
	}
	_, dir, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
	if !ok {
		return "", fmt.Errorf("deploy/fetch-postgres.sh said %q for Postgres %d", out, major)
	}
	return dir, nil
}
