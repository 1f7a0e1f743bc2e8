package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options is the command line of a bench.
type options struct {
	scenarios  []scenario
	isolation  bool          // also measure two outputs, one of them blocked for ever
	outages    bool          // also take the broker away for a while
	named      bool          // the scenarios were asked for by name
	tools      []string      // empty: every tool that is here
	rounds     int           // runs of each tool in each scenario; medians are printed
	size       int64         // bytes of input of a run
	latency    time.Duration // length of the latency phase
	rate       int           // lines per second in the latency phase
	outage     time.Duration // how long the broker is away in s6
	outageRate int           // lines per second meanwhile
	dir        string        // where inputs, spools and configurations are written; a bench makes a folder of its own in it
	spillway   string        // path of a built binary; empty: build it
	printJSON  bool
	assert     bool
	idleExpiry time.Duration // a run ends when the sink has heard nothing for so long
}

// parseOptions reads a bench's command line. What is wrong in it comes back as a usageError.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{size: 512 << 20}
	fs := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	fs.SetOutput(stderr)
	names := fs.String("scenario", "", "comma-separated: s1, s2, s3, s4, s5, s6, isolation (default s1 to s5, and isolation with --assert)")
	tools := fs.String("tools", "", "comma-separated tools (default: every one that is here)")
	fs.IntVar(&o.rounds, "rounds", 3, "interleaved runs of each tool; medians are printed")
	fs.Var((*byteSize)(&o.size), "size", "input of one run, with KiB, MiB or GiB")
	fs.DurationVar(&o.latency, "latency", 3*time.Second, "length of the latency phase")
	fs.IntVar(&o.rate, "rate", 2000, "lines per second in the latency phase")
	fs.DurationVar(&o.outage, "outage", time.Minute, "how long the broker is away in s6")
	fs.IntVar(&o.outageRate, "outage-rate", 20000, "lines per second in s6")
	fs.StringVar(&o.dir, "dir", os.TempDir(), "folder for inputs and spools, on the disk that is meant")
	fs.StringVar(&o.spillway, "spillway", "", "spillway binary (default: built from this module)")
	fs.BoolVar(&o.printJSON, "json", false, "print one JSON object a line instead of a table")
	fs.BoolVar(&o.assert, "assert", false, "fail when a ratio that Spillway must keep is missed")
	fs.DurationVar(&o.idleExpiry, "idle", 20*time.Second, "end a run when the sink has heard nothing for so long")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, usageError{err}
	}
	if fs.NArg() > 0 {
		return o, usagef("unexpected argument %q", fs.Arg(0))
	}
	if *tools != "" {
		o.tools = strings.Split(*tools, ",")
	}
	o.named = *names != ""
	switch {
	case o.named:
	case o.assert:
		*names = "s1,s2,s3,s4,s5,isolation"
	default:
		*names = "s1,s2,s3,s4,s5"
	}
	for name := range strings.SplitSeq(*names, ",") {
		switch name {
		case "isolation":
			o.isolation = true
			continue
		case "s6":
			o.outages = true
			continue
		}
		s, err := scenarioNamed(name)
		if err != nil {
			return o, err
		}
		o.scenarios = append(o.scenarios, s)
	}
	if o.outage < time.Second || o.outageRate < 10 {
		return o, usagef("--outage must be a second at least, and --outage-rate 10")
	}
	if o.rounds < 1 || o.size < 1 || o.rate < 1 || o.latency < time.Second/time.Duration(o.rate) || o.idleExpiry <= 0 {
		return o, usagef("--rounds, --size, --rate, --latency and --idle must allow at least one round and one line")
	}
	return o, nil
}

// findKafka leaves out the scenarios that need a broker where none is installed. It is an error if they were asked for by
// name.
func (o *options) findKafka(stderr io.Writer) error {
	needs := func(s scenario) bool { return s.kafka }
	if !o.outages && !slices.ContainsFunc(o.scenarios, needs) {
		return nil
	}
	_, err := findKafka()
	if err == nil {
		return nil
	}
	if o.named {
		return fmt.Errorf("s5 and s6 need a broker: %w", err)
	}
	o.scenarios = slices.DeleteFunc(o.scenarios, needs)
	fmt.Fprintf(stderr, "*** NO BROKER: s5 IS LEFT OUT: %v ***\n", err)
	return nil
}

// byteSize is a flag of bytes: a number with an optional KiB, MiB or GiB.
type byteSize int64

func (b *byteSize) String() string { return fmt.Sprintf("%dMiB", int64(*b)>>20) }

func (b *byteSize) Set(s string) error {
	number, shift := s, 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			number, shift = n, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is not a size such as 64MiB", s)
	}
	*b = byteSize(n << shift)
	return nil
}
