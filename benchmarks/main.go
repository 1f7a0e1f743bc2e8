// Command benchmarks measures log shippers from outside, each as a process of its own, on the same input, against the
// same sink, in interleaved rounds. It knows Spillway only as a binary and imports nothing of it.
//
// It runs itself again for some of its parts, so that their processor time is not counted with anybody else's:
// "benchmarks sink" reads and verifies lines, "benchmarks bare", "bare-kafka" and "writer" are the loops that a shipper in
// Go is measured against.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitFine   = 0
	exitFailed = 1 // a line was lost, doubled or malformed, a tool did not run, or an assertion was missed
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := dispatch(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func dispatch(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var err error
	switch {
	case len(args) > 0 && args[0] == "sink":
		err = sinkMain(args[1:], stdin, stdout, stderr)
	case len(args) > 0 && args[0] == "bare":
		err = bareMain(ctx, args[1:], stderr)
	case len(args) > 0 && args[0] == "bare-kafka":
		err = bareKafkaMain(ctx, args[1:], stderr)
	case len(args) > 0 && args[0] == "writer":
		err = writerMain(ctx, args[1:], stderr)
	default:
		err = benchMain(ctx, args, stdout, stderr)
	}
	return exitCode(err, stderr)
}

// exitCode says what went wrong and how a process ends for it.
func exitCode(err error, stderr io.Writer) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitFine
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "benchmarks:", err)
		return exitUsage
	default:
		fmt.Fprintln(stderr, "benchmarks:", err)
		return exitFailed
	}
}

// A usageError is a fault of the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func benchMain(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	if err := o.findKafka(stderr); err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp(o.dir, "bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.dir)
	tools, err := findTools(ctx, o)
	if err != nil {
		return err
	}
	return bench(ctx, o, tools, stdout, stderr)
}
