package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"freshet/model"
	"freshet/projector"
	"freshet/projector/compile"
	"freshet/projector/migrate"
	"freshet/projector/session"
)

// service is what one process runs: a projector, an API, or both.
type service struct {
	app     *app
	started time.Time
	out     *sink
	log     *zap.Logger
	metrics *metrics
	board   *board            // what /status shows
	bars    *bars             // nil: not on a terminal
	engine  *projector.Engine // nil: API alone
	graph   *graph            // nil: projector alone
	// graphURL and adminURL are where they are served, once listening.
	graphURL, adminURL string
	// apiTLS and adminTLS are nil where they are served in the clear.
	apiTLS, adminTLS *certificate
	// watch are further observers of the engine.
	watch []projector.Events
	parts []part // in the order in which they end
}

func (a *app) newService() (*service, error) {
	out := &sink{w: a.Stderr}
	log, err := newLogger(a.cli.LogFormat, a.cli.LogLevel, out)
	if err != nil {
		return nil, err
	}
	s := &service{app: a, started: time.Now(), out: out, log: log, metrics: newMetrics(), board: newBoard()}
	if a.Terminal {
		s.bars = newBars(out)
	}
	return s, nil
}

type runCmd struct {
	modelFlag
	serveFlags
	adminTLSFlags
	apiFlags
	apiTLSFlags
	projectorFlags
}

// Run is projector and API.
func (c *runCmd) Run(ctx context.Context, a *app) error {
	return a.serve(ctx, c.Model, c.Admin, &c.adminTLSFlags, &c.projectorFlags, &c.apiFlags, &c.apiTLSFlags)
}

type projectorCmd struct {
	modelFlag
	serveFlags
	adminTLSFlags
	projectorFlags
}

// Run is the projector alone.
func (c *projectorCmd) Run(ctx context.Context, a *app) error {
	return a.serve(ctx, c.Model, c.Admin, &c.adminTLSFlags, &c.projectorFlags, nil, nil)
}

type apiCmd struct {
	modelFlag
	serveFlags
	adminTLSFlags
	apiFlags
	apiTLSFlags
}

// Run is the API alone.
func (c *apiCmd) Run(ctx context.Context, a *app) error {
	return a.serve(ctx, c.Model, c.Admin, &c.adminTLSFlags, nil, &c.apiFlags, &c.apiTLSFlags)
}

func (a *app) serve(ctx context.Context, path, admin string, adminTLS *adminTLSFlags, p *projectorFlags, g *apiFlags, apiTLS *apiTLSFlags) error {
	if p != nil && (p.Lease < time.Second || p.SlotWait < time.Second) {
		return usagef("give both at least a second", "--lease=%s --slot-wait=%s is too short", p.Lease, p.SlotWait)
	}
	s, err := a.newService()
	if err != nil {
		return err
	}
	if err := s.encrypt(apiTLS, adminTLS); err != nil {
		return err
	}
	cfg, err := a.connConfig()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.build(ctx, cfg, path, p, g); err != nil {
		return err
	}
	if err := s.listen(admin, g); err != nil {
		return err
	}
	return s.run(ctx)
}

// build makes the parts, and finds what is wrong before any of them starts.
func (s *service) build(ctx context.Context, cfg *pgx.ConnConfig, path string, p *projectorFlags, g *apiFlags) error {
	m, plan, err := s.prepare(ctx, cfg, path, p)
	if err != nil {
		return err
	}
	s.board.source = &database{cfg: cfg, slot: s.app.cli.Slot}
	if p != nil {
		s.engine = s.newEngine(cfg, plan, p)
		s.metrics.engine(s.engine.Status)
	}
	if g != nil {
		if err := s.addGraph(ctx, cfg, m, g); err != nil {
			return err
		}
		s.metrics.cache(s.graph.total, s.graph.pages)
		s.metrics.subscriptions(s.graph.server.SubscriptionStats)
	}
	return nil
}

// prepare reads the model and, for a projector, compiles and migrates.
func (s *service) prepare(ctx context.Context, cfg *pgx.ConnConfig, path string, p *projectorFlags) (*model.Model, *compile.Plan, error) {
	if p == nil {
		m, faults, err := parseModel(path)
		if err == nil {
			err = faults.Err()
		}
		return m, nil, err
	}
	conn, err := session.Connect(ctx, cfg, "start")
	if err != nil {
		return nil, nil, explain(err)
	}
	defer session.Close(conn)
	plan, warnings, err := s.app.plan(ctx, conn, path)
	if err != nil {
		return nil, nil, err
	}
	if len(warnings) > 0 {
		s.log.Warn("the model file works, but freshet check has advice", zap.Int("warnings", len(warnings)))
	}
	if p.Migrate {
		if err := s.app.migrateFirst(ctx, conn, plan, func(text string) { s.log.Info("migrate: " + text) }); err != nil {
			return nil, nil, err
		}
	}
	// What is wrong with single read models pauses them, and is told by the engine.
	survey, err := migrate.Look(ctx, conn, plan, s.app.cli.Slot, s.app.cli.Publication)
	if err != nil {
		return nil, nil, err
	}
	return plan.Model, plan, survey.Err()
}

func (s *service) newEngine(cfg *pgx.ConnConfig, plan *compile.Plan, p *projectorFlags) *projector.Engine {
	all := []projector.Events{logEvents(s.log.Named("projector"), s.bars != nil), s.metrics.events(), s.board.events()}
	if s.bars != nil {
		all = append(all, s.bars.events())
	}
	return projector.New(projector.Config{
		ConnConfig: cfg, Plan: plan, Slot: s.app.cli.Slot, Publication: s.app.cli.Publication,
		Workers: p.Workers, RecreateSlot: p.RecreateSlot, Retention: p.Retention, FanOut: p.FanOutLimit,
		Lease: p.Lease, SlotWait: p.SlotWait,
		Events: observers(append(all, s.watch...)...),
	})
}

// listen opens the addresses and lines up the parts: what takes requests ends
// first, then the projector, then the feed that waits for it.
func (s *service) listen(admin string, g *apiFlags) error {
	adminAddr, err := s.app.listen("admin", "admin", admin)
	if err != nil {
		return err
	}
	s.adminURL = scheme(s.adminTLS) + adminAddr.Addr().String()
	var parts []part
	if s.graph != nil {
		l, err := s.app.listen("graphql", "listen", g.Listen)
		if err != nil {
			return errors.Join(err, adminAddr.Close())
		}
		s.graphURL = scheme(s.apiTLS) + l.Addr().String() + "/graphql"
		s.log.Info("serving GraphQL", zap.String("url", s.graphURL))
		parts = append(parts, httpPart("API", l, s.graph.server, s.apiTLS, s.log))
	}
	s.log.Info("serving status", zap.String("url", s.adminURL+"/status"))
	if s.engine != nil {
		parts = append(parts, part{name: "projector", run: s.engine.Run})
	}
	if s.graph != nil {
		parts = append(parts, part{name: "invalidation feed", run: s.graph.feed.Run},
			s.app.memoryPart(g.CacheBytes, func() int64 { return s.graph.total().Bytes }))
	}
	s.parts = append(parts, s.adminPart(adminAddr))
	return nil
}

// run runs the parts until ctx ends or one fails.
func (s *service) run(ctx context.Context) error {
	err := supervise(ctx, grace, s.parts...)
	if s.bars != nil {
		s.bars.close()
	}
	if err != nil {
		return fmt.Errorf("stopped: %w", explain(err))
	}
	s.log.Info("stopped in good order")
	return nil
}

func (s *service) close() {
	if s.graph != nil {
		s.graph.close()
	}
	_ = s.log.Sync() // the sink has nothing to flush
}
