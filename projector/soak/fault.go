package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// fault does one fault. done is false where there was nothing to do it to.
type fault func(r *run, ctx context.Context, s *session, random *rand.Rand) (done bool, err error)

// kind is one kind of fault.
type kind struct {
	name   string
	weight int
	// lasting faults take a while, in which documents may rightly be late or
	// missing: no comparison begins before they are over.
	lasting bool
	what    string
	do      fault
}

// Kinds of faults that a run does unless it is told otherwise.
var kinds = []kind{
	{"kill", 4, false, "SIGKILL to a projector, then a new one", (*run).killProjector},
	{"cut", 4, false, "one of the projector's connections terminated", (*run).cutConnection},
	{"restart", 1, false, "the server restarted, sessions ended", (*run).restartServer},
	{"crash", 1, false, "the server stopped as by a crash, and started", (*run).crashServer},
	{"schema", 3, false, "DDL that must not matter: columns and indexes that come and go, VACUUM FULL, CLUSTER, REINDEX, ANALYZE", (*run).quietSchema},
	{"fanout", 3, false, "changes that reach thousands of documents", (*run).fanOut},
	{"truncate", 1, false, "TRUNCATE of a source table", (*run).truncate},
	{"huge", 1, false, "one transaction of tens of thousands of rows, or of hundreds of subtransactions", (*run).huge},
	{"freeze", 2, true, "SIGSTOP to a projector, SIGCONT later", (*run).freeze},
	{"standby", 2, true, "a second projector stands by, and one of the two is killed", (*run).standBy},
	{"takeover", 2, true, "a second projector stands by, the other is frozen, and thawed later", (*run).takeOver},
	{"net-cut", 2, true, "the projector's network is cut", (*run).netCut},
	{"net-slow", 1, true, "each piece of data is late", (*run).netSlow},
	{"net-flap", 1, true, "the network comes and goes", (*run).netFlap},
	{"net-swallow", 1, true, "connections stay open, and nothing arrives any more", (*run).netSwallow},
	{"lock", 2, true, "somebody locks documents, or a table of them", (*run).lockDocuments},
	{"poison", 2, true, "a row of which no document can be built, mended later", (*run).poison},
	{"prepared", 1, true, "a prepared transaction that waits, then commits or not", (*run).prepare},
	{"long", 1, true, "a transaction that stays open after writing", (*run).longTransaction},
	{"ddl", 2, true, "DDL that a read model cannot live with, mended later", (*run).breakSchema},
}

// KindNames lists the kinds of faults.
func KindNames() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// ParseFaults reads a list of kinds, separated by commas: names, "net" for all
// whose name begins so, "all", "none", and a name after a minus sign that is
// left out of what stands before it.
func ParseFaults(list string) ([]string, error) {
	var chosen []string
	for word := range strings.SplitSeq(list, ",") {
		word = strings.TrimSpace(word)
		if word == "none" || word == "" {
			continue
		}
		name, without := strings.CutPrefix(word, "-")
		names := slices.DeleteFunc(KindNames(), func(k string) bool { return !named(k, name) })
		if len(names) == 0 {
			return nil, fmt.Errorf("%q is none of %s, net, all, none", name, strings.Join(KindNames(), ", "))
		}
		chosen = slices.DeleteFunc(chosen, func(k string) bool { return named(k, name) })
		if !without {
			chosen = append(chosen, names...)
		}
	}
	return chosen, nil
}

func named(kind, word string) bool {
	return kind == word || word == "all" || strings.HasPrefix(kind, word+"-")
}

// chosen returns the kinds that the run does, each as often as its weight.
func (r *run) chosen(lasting bool) []kind {
	var all []kind
	for _, k := range kinds {
		if k.lasting == lasting && slices.Contains(r.cfg.Faults, k.name) {
			all = append(all, slices.Repeat([]kind{k}, k.weight)...)
		}
	}
	return all
}

// restarts says whether the server goes down now and then.
func (r *run) restarts() bool {
	return slices.Contains(r.cfg.Faults, "restart") || slices.Contains(r.cfg.Faults, "crash")
}

// harm does faults at random moments: one of it does those that are over at
// once, another one those that last, so that they overlap.
func (r *run) harm(ctx context.Context, lasting bool) error {
	random, name := r.generator(1<<32), "faults"
	if lasting {
		random, name = r.generator(1<<33), "lasting faults"
	}
	chosen := r.chosen(lasting)
	s := &session{run: r, name: name}
	defer s.close()
	for len(chosen) > 0 {
		if pause(ctx, around(random, r.cfg.FaultEvery)) != nil {
			return nil
		}
		k := chosen[random.IntN(len(chosen))]
		if err := r.inflict(ctx, k, s, random); err != nil && ctx.Err() == nil {
			return fmt.Errorf("fault %s: %w", k.name, err)
		}
	}
	return nil
}

func (r *run) inflict(ctx context.Context, k kind, s *session, random *rand.Rand) error {
	if k.lasting {
		if err := r.calm.lock(ctx); err != nil {
			return err
		}
		defer r.calm.unlock()
	}
	r.now.begin(k.name)
	defer r.now.end(k.name)
	done, err := k.do(r, ctx, s, random)
	if done {
		r.faults.add(k.name)
		r.trace.fault(k.name)
	}
	if k.lasting && err == nil && !done {
		r.say("fault %s found nothing to do", k.name)
	}
	return err
}

// around draws a time between a tenth of the mean and nearly twice of it.
func around(random *rand.Rand, mean time.Duration) time.Duration {
	return mean/10 + time.Duration(random.Float64()*1.8*float64(mean))
}

// lasting draws how long a fault lasts: up to a share of the longest time.
func (r *run) lasting(random *rand.Rand, share float64) time.Duration {
	longest := float64(r.cfg.Hold) * share
	return time.Duration(longest/8 + random.Float64()*longest*7/8)
}

// mending bounds what undoes a fault, even when the run is over.
const mending = 2 * time.Minute

// always does what must be done even when the run is over, in the run's
// session, again while the server is down.
func (s *session) always(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mending)
	defer cancel()
	for {
		err := s.do(ctx, func(c *pgx.Conn) error { return f(ctx, c) })
		if !tolerable(err) {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}
