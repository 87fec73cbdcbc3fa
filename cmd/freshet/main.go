// Command freshet keeps read models fresh: see the README.
//
// The package holds flags, configuration, logs, signals and wiring. Whatever
// decides something about documents is in the packages that it joins.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"freshet/model"
)

func main() { os.Exit(newMain().Run(context.Background(), os.Args[1:])) }

// The exit codes.
const (
	exitOK    = 0
	exitFound = 1 // something is wrong, or was found to be
	exitUsage = 2
)

// Main is the program with its surroundings injected, so that tests run it in
// their own process.
type Main struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	// Terminal says whether a person looks at Stderr: progress bars then.
	Terminal bool
	// Listening, when set, is called with each address that is served: name
	// is "graphql" or "admin".
	Listening func(name, addr string)
	// Exit ends the process at once, on a second signal.
	Exit func(code int)
}

func newMain() *Main {
	return &Main{
		Stdin:    os.Stdin,
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Getenv:   os.Getenv,
		Terminal: term.IsTerminal(int(os.Stderr.Fd())),
		Exit:     os.Exit,
	}
}

// exited is what kong's exit becomes, after --help and --version.
type exited int

// Run runs a command line, without the program's name, and returns the exit
// code. It ends early, in good order, when ctx ends or at the first SIGINT or
// SIGTERM.
func (m *Main) Run(ctx context.Context, args []string) (code int) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(exited)
			if !ok {
				panic(r)
			}
			code = int(e)
		}
	}()
	c, kctx, err := m.parse(args)
	if err != nil {
		return m.fail(err)
	}
	ctx, stop := m.untilSignal(ctx)
	defer stop()
	a := &app{Main: m, cli: c}
	kctx.BindTo(ctx, (*context.Context)(nil))
	kctx.Bind(a)
	if err := kctx.Run(); err != nil {
		return m.fail(err)
	}
	return exitOK
}

func (m *Main) parse(args []string) (*cli, *kong.Context, error) {
	c := &cli{getenv: m.Getenv}
	parser, err := kong.New(c,
		kong.Name("freshet"),
		kong.Description(description),
		kong.Writers(m.Stdout, m.Stderr),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.DefaultEnvars("FRESHET"),
		kong.Vars{"version": "freshet " + buildVersion()},
	)
	if err != nil {
		return nil, nil, err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if err != nil {
		return nil, nil, parseFault(err)
	}
	return c, kctx, nil
}

// parseFault makes kong's errors usage errors that say where help is.
func parseFault(err error) error {
	var usage *usageError
	if errors.As(err, &usage) {
		return usage
	}
	command := "freshet"
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		command += " " + parse.Context.Selected().Name
	}
	return usagef("see "+command+" --help", "%s", err)
}

// fail prints an error and returns its exit code.
func (m *Main) fail(err error) int {
	if errors.Is(err, errFound) {
		return exitFound
	}
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(m.Stderr, "freshet: %s\n", usage)
		return exitUsage
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(m.Stderr, "freshet: interrupted")
		return exitFound
	}
	var faults model.Diagnostics
	if errors.As(err, &faults) {
		fmt.Fprintln(m.Stderr, faults) // by themselves, so that editors find their way
		return exitFound
	}
	fmt.Fprintf(m.Stderr, "freshet: %s\n", strings.TrimSpace(explain(err).Error()))
	return exitFound
}

// untilSignal ends the context at the first SIGINT or SIGTERM. A second one
// ends the process at once. The returned function waits for the watcher's end.
func (m *Main) untilSignal(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done, finish := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-signals:
			cancel()
		case <-finish:
			return
		}
		select {
		case <-signals:
			m.Exit(exitFound)
		case <-finish:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(finish)
		<-done
		cancel()
	}
}
