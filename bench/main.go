// Command bench measures what Freshet promises about speed, each figure next
// to a baseline of the same run on the same server, and prints one table of
// ratios. It runs on a throwaway Postgres with the blog example; commits are
// made durable.
//
//	go run ./bench                            everything, full size: 10,000 users, 50,000 posts, 200,000 comments
//	go run ./bench -only rebuild,api          some of it
//	go run ./bench -scale 0.1 -seconds 3      a quick look; such figures promise nothing
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	only    string
	scale   float64
	seconds int
	rounds  int
	json    string
	profile string
	while   time.Duration
	rate    float64
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if role := os.Getenv(envRole); role != "" {
		return play(ctx, role, os.Stdin, stdout, stderr)
	}
	o, err := parse(args, stderr)
	if err != nil {
		return 2
	}
	if err := bench(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.only, "only", "", "measure these alone, by their names with commas: "+strings.Join(names(), ", "))
	flags.Float64Var(&o.scale, "scale", 1, "size of the data, as a part of the full one")
	flags.IntVar(&o.seconds, "seconds", 20, "how long freshness is measured; each round of the others takes a part of it")
	flags.IntVar(&o.rounds, "rounds", 3, "how often each side of a comparison is measured, alternately; the median counts")
	flags.StringVar(&o.json, "json", "bench/results.json", "file that the figures go to as well; empty for none")
	flags.DurationVar(&o.while, "sustain", 30*time.Second, "how long sustained lasts")
	flags.Float64Var(&o.rate, "rate", 0, "changes a second of sustained; 0: half as much again as row triggers reach")
	flags.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile of this process, in which rebuild and backfill run, to this file")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if _, err := o.chosen(); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return o, err
	}
	return o, nil
}

// measurement is a part of the run. It has databases of its own.
type measurement struct {
	name string
	do   func(context.Context, *world) error
}

var measurements = []measurement{
	{"rebuild", rebuilds},
	{"backfill", backfills},
	{"memory", memory},
	{"fullcache", fullCaches},
	{"freshness", freshness},
	{"fanout", fanOuts},
	{"writers", writers},
	{"triggers", triggers},
	{"sustained", sustained},
	{"api", apis},
	{"lists", lists},
	{"latency", latencies},
	{"writes-cache", writesCache},
	{"subscribe", subscriptions},
	{"peers", peers},
}

func names() []string {
	var all []string
	for _, m := range measurements {
		all = append(all, m.name)
	}
	return all
}

// chosen are the measurements of the flag only.
func (o options) chosen() ([]measurement, error) {
	if o.only == "" {
		return measurements, nil
	}
	var some []measurement
	for name := range strings.SplitSeq(o.only, ",") {
		i := slices.Index(names(), strings.TrimSpace(name))
		if i < 0 {
			return nil, fmt.Errorf("there is no measurement %q; there are %s", name, strings.Join(names(), ", "))
		}
		some = append(some, measurements[i])
	}
	return some, nil
}

func bench(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	some, err := o.chosen()
	if err != nil {
		return err
	}
	w, err := newWorld(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	stop, err := profile(o.profile)
	if err != nil {
		return err
	}
	defer stop()
	measured := w.measure(ctx, some) // what there is up to a fault is worth printing
	return errors.Join(w.report.write(stdout, o.json), measured)
}

// measure takes the measurements, up to the first that fails.
func (w *world) measure(ctx context.Context, some []measurement) error {
	for _, m := range some {
		w.log("— %s", m.name)
		if err := m.do(ctx, w); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// profile starts a CPU profile, if there is a file for it.
func profile(file string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // whoever reads it will see
	}, nil
}
