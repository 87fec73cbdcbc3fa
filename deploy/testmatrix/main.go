// Command testmatrix runs the tests against every version of Postgres that
// this machine has or can get, one after another, and prints a table of what
// passed:
//
//	go run ./deploy/testmatrix [-versions 14,17] [-race] [-fetch=false] [packages]
//
// Servers come from the usual places, and those of other versions from
// deploy/fetch-postgres.sh. A version that cannot be had is told and left out.
// It exits with 1 when a test failed, or when no version could be tested.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// flags are what may be said on the command line.
type flags struct {
	versions []int // none: all
	race     bool
	fetch    bool
	timeout  time.Duration
	packages []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	f, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, f)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "testmatrix:", err)
		stop()
		os.Exit(1)
	}
}

func parse(args []string) (flags, error) {
	var f flags
	set := flag.NewFlagSet("testmatrix", flag.ContinueOnError)
	versions := set.String("versions", "", "major versions to test, as in 14,17; default all")
	set.BoolVar(&f.race, "race", false, "with the race detector")
	set.BoolVar(&f.fetch, "fetch", true, "get servers that are not installed, with deploy/fetch-postgres.sh")
	set.DurationVar(&f.timeout, "timeout", 10*time.Minute, "for the tests of one package")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	for v := range strings.SplitSeq(*versions, ",") {
		if v == "" {
			continue
		}
		major, err := strconv.Atoi(v)
		if err != nil {
			return f, fmt.Errorf("-versions: %q is not a major version such as 17", v)
		}
		f.versions = append(f.versions, major)
	}
	f.packages = set.Args()
	if len(f.packages) == 0 {
		f.packages = []string{"./..."}
	}
	return f, nil
}

func run(ctx context.Context, f flags) error {
	servers, err := find(ctx, f)
	if err != nil {
		return err
	}
	var results []*result
	for _, s := range servers {
		fmt.Printf("== Postgres %s (%s)\n", s.exact, s.binDir)
		r, err := test(ctx, s, f)
		if err != nil {
			return err
		}
		r.tell(os.Stdout)
		results = append(results, r)
	}
	table(os.Stdout, results)
	if slices.ContainsFunc(results, func(r *result) bool { return !r.good() }) {
		return errors.New("not all tests passed on every version")
	}
	return nil
}

// table prints a line for each version.
func table(w io.Writer, results []*result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nPostgres\tpassed\tfailed\tskipped\tseconds\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%.0f\t\n", r.server.exact, r.passed, len(r.failed), len(r.skipped), r.took.Seconds())
	}
	_ = t.Flush() // to a terminal: nothing to be done
}
