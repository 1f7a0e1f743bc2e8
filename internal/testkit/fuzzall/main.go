// Command fuzzall runs every fuzz target of the module for a while, one after the
// other: `go test -fuzz` takes one target of one package.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spillway/spillway/internal/testkit"
)

var (
	each     = flag.Duration("time", 5*time.Second, "how long each target runs")
	only     = flag.String("only", "", "run only targets of packages whose path ends so, such as jsonscan")
	evidence = flag.String("evidence", "", "folder for a JSON file of what was run")
)

// target is one fuzz test.
type target struct{ pkg, name string }

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "fuzzall:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	targets, err := list(ctx)
	if err != nil {
		return err
	}
	start, ran := time.Now(), map[string]any{}
	for _, t := range targets {
		if !strings.HasSuffix(t.pkg, *only) {
			continue
		}
		fmt.Printf("fuzz %s %s for %v\n", t.pkg, t.name, *each)
		n, err := t.fuzz(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("  %d inputs, none of them fails\n", n)
		ran[t.pkg+"."+t.name] = n
	}
	if len(ran) == 0 {
		return fmt.Errorf("no package with a fuzz target ends in %q", *only)
	}
	if *evidence == "" {
		return nil
	}
	name := "fuzz"
	if *only != "" {
		name += "-" + strings.ReplaceAll(*only, "/", "-")
	}
	return testkit.WriteEvidence(*evidence, name, 0, start, map[string]any{"seconds_each": each.Seconds(), "inputs": ran})
}

// list asks every package for its fuzz targets.
func list(ctx context.Context) ([]target, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-list", "^Fuzz", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the targets: %w\n%s", err, out)
	}
	var targets []target
	var names []string
	for line := range strings.Lines(string(out)) {
		switch f := strings.Fields(line); {
		case len(f) == 1 && strings.HasPrefix(f[0], "Fuzz"):
			names = append(names, f[0])
		case len(f) > 1 && f[0] == "ok":
			for _, name := range names {
				targets = append(targets, target{f[1], name})
			}
			names = nil
		}
	}
	return targets, nil
}

var execs = regexp.MustCompile(`execs: (\d+)`)

// fuzz returns how many inputs were tried. Where one fails, the error holds what
// go test says, with the file that reproduces it.
func (t target) fuzz(ctx context.Context) (int, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "test", t.pkg, "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", each.String())
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && !endedByClock(out.Bytes()) {
		return 0, fmt.Errorf("%s %s: %w\n%s", t.pkg, t.name, err, out.Bytes())
	}
	tried := execs.FindAllSubmatch(out.Bytes(), -1)
	if len(tried) == 0 {
		return 0, fmt.Errorf("%s %s: go test tells no count:\n%s", t.pkg, t.name, out.Bytes())
	}
	return strconv.Atoi(string(tried[len(tried)-1][1]))
}

// endedByClock tells a run that failed for no other reason than that its time was
// over: go test takes its own deadline for a failure when a worker notices it
// first. A failing input is always written to a file.
func endedByClock(out []byte) bool {
	return bytes.Contains(out, []byte("    context deadline exceeded\n")) && !bytes.Contains(out, []byte("Failing input written to"))
}
