package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jackc/pgx/v5"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"freshet/projector/resync"
	"freshet/projector/session"
)

type resyncCmd struct {
	modelFlag
	Type   string        `arg:"" name:"type" help:"The read model: a type of the model file."`
	Key    []string      `help:"A document's key; may be given again." placeholder:"KEY" sep:"none" env:"-"`
	All    bool          `help:"Every document, while the projector goes on; needs --model." env:"-"`
	Refill bool          `help:"Every document, in chunks beside the projector's other work; a running projector begins within seconds." env:"-"`
	Wait   bool          `help:"Wait until it is done, if a projector runs." default:"true" negatable:"" env:"-"`
	Poll   time.Duration `help:"How often to look how far it is." default:"250ms" hidden:"" env:"-"`
}

// Help is shown by --help.
func (c *resyncCmd) Help() string {
	return `Freshet rebuilds a document when one of its rows changes. Rebuild by hand what
somebody wrote into a tv_* table, or what was quarantined and has been repaired.

  freshet resync Post --key 0190f3c2-7d1e-7bd5-8a4c-1f2e3d4c5b6a
  freshet resync Post --all --model model.graphql
  freshet resync Post --refill          begins by itself within five seconds

Documents that are equal are not written again; freshet verify --repair finds
those that are not, and rebuilds only them. --all costs the projector a look at
each key, about a thousand a second; for a million and more take --refill, which
is several times faster. What is asked for by --key comes
before all that --all has asked for.

Exit code 1: a document could not be built, or the projector went away.`
}

// Run asks for the keys, and waits for them.
func (c *resyncCmd) Run(ctx context.Context, a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	conn, err := a.connectInstalled(ctx, "resync")
	if err != nil {
		return err
	}
	defer session.Close(conn)
	if c.Refill {
		return c.refill(ctx, a, conn)
	}
	keys, n, err := c.ask(ctx, a, conn)
	if err != nil && n > 0 {
		a.printf("%s of %s will be rebuilt; the others were not asked for.\n", plural(int(n), "document"), c.Type)
	}
	if err != nil {
		return resyncFault(ctx, conn, c.Type, err)
	}
	a.printf("%s of %s will be rebuilt.\n", plural(int(n), "document"), c.Type)
	if n == 0 || !c.Wait {
		return nil
	}
	w := &resyncWait{app: a, conn: conn, cmd: c, keys: keys, total: n}
	return w.run(ctx)
}

func (c *resyncCmd) check() error {
	ways := 0
	for _, given := range []bool{len(c.Key) > 0, c.All, c.Refill} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return usagef("give --key KEY, --all or --refill", "it is not clear what of %s to rebuild", c.Type)
	}
	return nil
}

// ask enqueues. The keys that it returns are nil for a whole model.
func (c *resyncCmd) ask(ctx context.Context, a *app, conn *pgx.Conn) (keys []string, n int64, err error) {
	if !c.All {
		keys, err = resync.Keys(ctx, conn, c.Type, c.Key)
		return keys, int64(len(keys)), err
	}
	plan, _, err := a.plan(ctx, conn, c.Model)
	if err != nil {
		return nil, 0, err
	}
	models, err := chosen(plan, c.Type)
	if err != nil {
		return nil, 0, err
	}
	n, err = resync.All(ctx, conn, models[0])
	return nil, n, err
}

func (c *resyncCmd) refill(ctx context.Context, a *app, conn *pgx.Conn) error {
	if err := resync.Refill(ctx, conn, c.Type); err != nil {
		return resyncFault(ctx, conn, c.Type, err)
	}
	p, err := resync.Look(ctx, conn, a.cli.Slot, c.Type, nil)
	if err != nil {
		return err
	}
	if p.Projector {
		a.printf("%s will be filled again: the projector begins within five seconds, when transactions that are running have ended.\n", c.Type)
	} else {
		a.printf("%s will be filled again when a projector starts: none runs.\n", c.Type)
	}
	a.printf("Its documents are served meanwhile as they are, and the other types are kept fresh. freshet status says how far it is.\n")
	return nil
}

// resyncFault makes what the caller got wrong a usage error.
func resyncFault(ctx context.Context, conn *pgx.Conn, name string, err error) error {
	var key *resync.KeyError
	if errors.As(err, &key) {
		return usagef("give the key as GraphQL answers it", "%s", key)
	}
	if !errors.Is(err, resync.ErrUnknownModel) {
		return err
	}
	var names []string
	if err := conn.QueryRow(ctx, "SELECT array_agg(name ORDER BY name) FROM freshet.models").Scan(&names); err != nil {
		return fmt.Errorf("read freshet.models: %w", err)
	}
	if len(names) == 0 {
		return usagef("freshet migrate --apply makes them", "there is no read model %q: none was migrated", name)
	}
	return usagef("there are "+strings.Join(names, ", "), "there is no read model %q", name)
}

// patience is how long no projector may read the slot before waiting is given
// up: a restart takes less.
const patience = 30 * time.Second

// resyncWait waits for keys, and shows how many are left.
type resyncWait struct {
	app   *app
	conn  *pgx.Conn
	cmd   *resyncCmd
	keys  []string
	total int64
}

func (w *resyncWait) look(ctx context.Context) (resync.Progress, error) {
	return resync.Look(ctx, w.conn, w.app.cli.Slot, w.cmd.Type, w.keys)
}

func (w *resyncWait) run(ctx context.Context) error {
	p, err := w.look(ctx)
	if err != nil {
		return err
	}
	if !p.Projector {
		w.app.printf("No projector runs: they wait in freshet.pending until one does.\n")
		return nil
	}
	p, err = w.follow(ctx)
	if err != nil {
		return err
	}
	return w.report(p)
}

// follow polls until nothing waits.
func (w *resyncWait) follow(ctx context.Context) (resync.Progress, error) {
	show, done := w.display()
	defer done()
	seen := time.Now()
	tick := time.NewTicker(w.cmd.Poll)
	defer tick.Stop()
	for {
		p, err := w.look(ctx)
		if err != nil {
			return p, err
		}
		show(w.total - min(p.Waiting, w.total))
		if p.Waiting == 0 {
			return p, nil
		}
		if p.Projector {
			seen = time.Now()
		}
		if time.Since(seen) > patience {
			return p, &explained{message: fmt.Sprintf("the projector went away; %s of %s wait until one runs", plural(int(p.Waiting), "document"), w.cmd.Type),
				remedy: "freshet status says more"}
		}
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-tick.C:
		}
	}
}

// display is a bar on a terminal, and a line every ten seconds elsewhere.
func (w *resyncWait) display() (show func(int64), done func()) {
	if !w.app.Terminal {
		last := time.Now()
		return func(n int64) {
			if time.Since(last) >= 10*time.Second {
				last = time.Now()
				fmt.Fprintf(w.app.Stderr, "%s of %s done\n", humanize.Comma(n), humanize.Comma(w.total))
			}
		}, func() {}
	}
	all := mpb.New(mpb.WithOutput(w.app.Stderr), mpb.WithWidth(40), mpb.WithRefreshRate(120*time.Millisecond))
	p := &pace{began: time.Now()}
	bar := all.AddBar(w.total,
		mpb.PrependDecorators(decor.Name(w.cmd.Type, decor.WCSyncSpaceR), decor.Any(rows, decor.WCSyncSpace)),
		mpb.AppendDecorators(decor.Any(p.rate, decor.WCSyncSpace), decor.OnComplete(decor.Any(p.left, decor.WCSyncSpace), "done")))
	return bar.SetCurrent, func() {
		bar.Abort(false) // does nothing to one that is complete
		all.Wait()
	}
}

func (w *resyncWait) report(p resync.Progress) error {
	if p.Failed == 0 {
		w.app.printf("Done.\n")
		return nil
	}
	for _, f := range p.Faults {
		w.app.printf("    %s %s\n", f.Key, f.Error)
	}
	w.app.printf("%s could not be built; the projector tries again by itself.\n", plural(int(p.Failed), "document"))
	return errFound
}
