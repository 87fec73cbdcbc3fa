package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// peer is another GraphQL server over the same tables. Its directory in
// bench/peers has the program and what pins its dependencies.
type peer struct {
	dir   string
	name  string // with what the reader needs to know of it
	query string // what postQuery asks, in its schema's words
	// install makes it ready to run and returns its command.
	install func(ctx context.Context, dir, scratch string) ([]string, error)
}

// postgraphileQuery is postQuery in the words that PostGraphile derives from
// the tables.
const postgraphileQuery = `query Post($id: UUID!) { post: tbPostByRowId(rowId: $id) { id: rowId title content published createdAt
  author: tbUserByAuthorId { id: rowId username fullName }
  comments: tbCommentsByPostId(first: 50, orderBy: [CREATED_AT_DESC]) { totalCount nodes { id: rowId content createdAt author: tbUserByAuthorId { id: rowId username } } } } }`

var allPeers = []peer{
	{"postgraphile", "PostGraphile 5, " + eachProcessor, postgraphileQuery, installNode},
	{"gqlgen", "gqlgen: resolvers with data loaders", postQuery, installGo},
	{"mercurius", "mercurius: loaders and compiled queries, " + eachProcessor, postQuery, installNode},
}

const eachProcessor = "a process for each processor"

// Installing downloads; starting reads the database's catalogs.
const (
	installTime = 5 * time.Minute
	startTime   = time.Minute
	warmTime    = 30 * time.Second
	warmRounds  = 32 // of all posts: some 8,000 requests
)

// peers compares Freshet with servers that ask the source tables. One that
// cannot be had here, be it for want of a network, is left out.
func peers(ctx context.Context, w *world) error {
	ready := w.installed(ctx)
	if err := ctx.Err(); err != nil || len(ready) == 0 {
		return err
	}
	c, err := w.contest(ctx)
	if err != nil {
		return err
	}
	for _, p := range ready {
		if err := c.meet(ctx, p); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			w.log("%s is left out: %v", p.dir, err)
		}
	}
	return c.end(ctx)
}

// entrant is a peer that can be started.
type entrant struct {
	peer
	command []string
	home    string // the directory to run it in
}

// installed installs the peers that can be had.
func (w *world) installed(ctx context.Context) (ready []entrant) {
	for _, p := range allPeers {
		e, err := p.installed(ctx, w.dir)
		if err != nil {
			w.log("%s is left out: %v", p.dir, err)
			continue
		}
		w.log("%s is installed", p.dir)
		ready = append(ready, e)
	}
	return ready
}

func (p peer) installed(ctx context.Context, scratch string) (entrant, error) {
	ctx, cancel := context.WithTimeout(ctx, installTime)
	defer cancel()
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "freshet").Output()
	if err != nil {
		return entrant{}, fmt.Errorf("find the module's directory: %w", err)
	}
	home := filepath.Join(strings.TrimSpace(string(root)), "bench", "peers", p.dir)
	command, err := p.install(ctx, home, filepath.Join(scratch, p.dir))
	return entrant{peer: p, command: command, home: home}, err
}

// installNode installs the packages of the lock file, unless they are there.
func installNode(ctx context.Context, dir, _ string) ([]string, error) {
	command := []string{"node", "server.mjs"}
	if newer(filepath.Join(dir, "node_modules", ".package-lock.json"), filepath.Join(dir, "package-lock.json")) {
		return command, nil
	}
	return command, tool(ctx, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1")
}

// newer says whether both files are there, and a is no older than b.
func newer(a, b string) bool {
	installed, err := os.Stat(a)
	if err != nil {
		return false
	}
	wanted, err := os.Stat(b)
	return err == nil && !installed.ModTime().Before(wanted.ModTime())
}

// installGo builds the program of a module of its own.
func installGo(ctx context.Context, dir, scratch string) ([]string, error) {
	return []string{scratch}, tool(ctx, dir, "go", "build", "-trimpath", "-o", scratch, ".")
}

// tool runs a program, and quotes the end of what it said where it fails.
func tool(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second // for children that hold its output
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, args[0], err, ending(out))
	}
	return nil
}

// ending is as much of an output as belongs into a line of the log.
func ending(out []byte) string {
	out = bytes.TrimSpace(out)
	return string(out[max(0, len(out)-600):])
}

// run starts the peer on a database and returns its address. The address is
// the first line that it prints; it ends when its input does.
func (e entrant) run(ctx context.Context, url string, log *bytes.Buffer) (*actor, string, error) {
	a := &actor{cmd: exec.CommandContext(ctx, e.command[0], e.command[1:]...)}
	a.cmd.Dir = e.home
	a.cmd.Env = append(os.Environ(), "DATABASE_URL="+url, "NODE_ENV=production", "GRAPHILE_ENV=production")
	a.cmd.Stderr = log
	a.cmd.WaitDelay = 10 * time.Second
	if err := a.begin(); err != nil {
		return nil, "", err
	}
	late := time.AfterFunc(startTime, func() { _ = a.cmd.Process.Kill() }) // it may have ended: line tells
	defer late.Stop()
	address, err := a.line()
	if err != nil {
		return nil, "", fmt.Errorf("%w: %s", err, ending(log.Bytes()))
	}
	return a, address, nil
}

// contest is Freshet with a cache and without one, and the source tables for
// the others.
type contest struct {
	w         *world
	documents string // databases
	tables    string
	cached    *service
	uncached  *service
	keys      []string
}

func (w *world) contest(ctx context.Context) (*contest, error) {
	c := &contest{w: w}
	var err error
	if c.documents, err = w.copyOf(ctx, documents); err != nil {
		return nil, err
	}
	if c.tables, err = w.copyOf(ctx, sources); err != nil {
		return nil, err
	}
	if err := w.exec(ctx, c.tables, "VACUUM ANALYZE tb_user; VACUUM ANALYZE tb_post; VACUUM ANALYZE tb_comment"); err != nil {
		return nil, err
	}
	if c.keys, err = w.tenComments(ctx, c.documents); err != nil {
		return nil, err
	}
	if c.cached, err = w.start(ctx, c.documents, "run"); err != nil {
		return nil, err
	}
	c.uncached, err = w.start(ctx, c.documents, "api", "--cache-bytes", "0")
	return c, err
}

func (c *contest) end(ctx context.Context) error {
	return errors.Join(c.uncached.stop(), c.cached.stop(), c.w.drop(ctx, c.documents), c.w.drop(ctx, c.tables))
}

// meet starts a peer, sees that it answers what Freshet answers, and measures
// all three in turn.
func (c *contest) meet(ctx context.Context, e entrant) error {
	var log bytes.Buffer
	p, address, err := e.run(ctx, c.w.server.URL(c.tables), &log)
	if err != nil {
		return err
	}
	err = c.agree(ctx, address, e.query)
	if err == nil {
		err = c.measure(ctx, address, e.peer)
	}
	if err = errors.Join(err, p.end()); err != nil { // it writes no more now
		return fmt.Errorf("%w: %s", err, ending(log.Bytes()))
	}
	return nil
}

// agree compares a peer's answer with Freshet's: the keys in it, in their order.
func (c *contest) agree(ctx context.Context, address, query string) error {
	ours, err := ask(ctx, c.cached.graphql, c.keys[0])
	if err != nil {
		return err
	}
	theirs, err := send(ctx, address, queryRequest(address, query, map[string]any{"id": c.keys[0]}))
	if err != nil {
		return err
	}
	if !slices.Equal(keysIn(ours), keysIn(theirs)) {
		return fmt.Errorf("it answers otherwise than Freshet: %.400s, where Freshet says %.400s", theirs, ours)
	}
	return nil
}

var anyKey = regexp.MustCompile(`"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"`)

// keysIn are the keys of all objects in an answer.
func keysIn(answer []byte) []string { return anyKey.FindAllString(string(answer), -1) }

// measure loads a peer and Freshet in turn.
func (c *contest) measure(ctx context.Context, address string, p peer) error {
	theirs, cached, uncached := c.load(address, p.query), c.load(c.cached.graphql, postQuery), c.load(c.uncached.graphql, postQuery)
	var with, without sides
	if err := warm(ctx, theirs); err != nil {
		return fmt.Errorf("warm up %s: %w", address, err)
	}
	for range c.w.rounds {
		var reached [3]answered
		for i, l := range []load{theirs, cached, uncached} {
			var err error
			if reached[i], err = l.elsewhere(ctx); err != nil {
				return fmt.Errorf("load %s: %w", l.Address, err)
			}
		}
		c.w.log("%s %.0f/s (p99 %.1f ms), freshet cached %.0f/s, not cached %.0f/s", p.dir, reached[0].rate(), reached[0].P99, reached[1].rate(), reached[2].rate())
		with.theirs, with.ours = append(with.theirs, reached[0].rate()), append(with.ours, reached[1].rate())
		without.theirs, without.ours = append(without.theirs, reached[0].rate()), append(without.ours, reached[2].rate())
	}
	report := func(what string, s sides) {
		ours, theirs := s.values()
		c.w.report.add(row{Name: what + ", beside " + p.dir, Unit: "/s", Value: ours, Baseline: theirs, Against: p.name}, ratioAtLeast(1))
	}
	report("cached post with author and comments", with)
	report("the same, not cached", without)
	return nil
}

// warm makes as many requests as it takes until a server that compiles its code
// as it runs has done so for the most part. By time alone it would not be fair
// on a busy machine.
func warm(ctx context.Context, l load) error {
	within, cancel := context.WithTimeout(ctx, warmTime)
	defer cancel()
	l.Once, l.WarmUp, l.For = true, 0, 0
	l.Requests = slices.Repeat(l.Requests, warmRounds)
	_, err := l.elsewhere(within)
	if within.Err() != nil {
		return ctx.Err() // as warm as it gets
	}
	return err
}

// load asks for each of the posts, as apis does.
func (c *contest) load(address, query string) load {
	while := time.Duration(c.w.seconds) * time.Second / 5
	l := load{Address: address, Connections: connections, WarmUp: while / 4, For: while}
	for _, key := range c.keys {
		l.Requests = append(l.Requests, queryRequest(address, query, map[string]any{"id": key}))
	}
	return l
}
