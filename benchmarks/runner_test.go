package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// smallOptions is a bench of a second or so.
func smallOptions(t *testing.T, args ...string) options {
	t.Helper()
	o, err := parseOptions(append([]string{"--size", "1MiB", "--rounds", "2", "--latency", "50ms", "--idle", "2s", "--json"}, args...), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	o.dir = t.TempDir()
	return o
}

func TestBareAndCatDeliverEveryScenario(t *testing.T) {
	tools := []tool{bareTool()}
	if path, err := exec.LookPath("cat"); err == nil {
		tools = append(tools, catTool(path, "1.0"))
	}
	var stdout bytes.Buffer
	err := bench(t.Context(), smallOptions(t, "--scenario", "s1,s2,s3,s4"), tools, &stdout, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for line := range strings.Lines(stdout.String()) {
		r := checkedRow(t, line)
		seen = append(seen, r.Scenario+" "+r.Tool)
		if r.MiBPerS <= 0 || r.KLinesPerS <= 0 || r.CPUSPerGiB <= 0 || r.RSSMiB <= 0 || r.P50Millis <= 0 || r.P99Millis < r.P50Millis || r.RoundsCount != 2 || r.Version == "" {
			t.Errorf("a figure is missing or impossible: %s", line)
		}
	}
	want := "s1 bare s1 cat s2 bare s3 bare s4 bare"
	if len(tools) == 1 {
		want = "s1 bare s2 bare s3 bare s4 bare"
	}
	if got := strings.Join(seen, " "); got != want {
		t.Errorf("rows for %s, want %s", got, want)
	}
}

// checkedRow reads a row and holds it to its published keys, in their order.
func checkedRow(t *testing.T, line string) (r row) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(line))
	var keys []string
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			break
		}
		if token == json.Delim('{') {
			depth++
			continue
		}
		if name, ok := token.(string); ok && depth == 1 {
			keys = append(keys, name)
			if _, err := d.Token(); err != nil {
				t.Fatal(err)
			}
		}
	}
	const want = "scenario tool version mib_per_s klines_per_s cpu_s_per_gib rss_mib lost doubled p50_ms p99_ms rounds"
	if got := strings.Join(keys, " "); got != want {
		t.Fatalf("keys %s\nwant %s", got, want)
	}
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAFaultyToolFailsTheBench(t *testing.T) {
	for _, c := range []struct {
		fault         string
		code          int
		lost, doubled int64
		says          string
	}{
		{"none", exitFine, 0, 0, ""},
		{"lose", exitFailed, 1, 0, "s1 faulty: 1 lines lost (of these 0 came malformed), 0 doubled"},
		{"double", exitFailed, 0, 1, "s1 faulty: 0 lines lost (of these 0 came malformed), 1 doubled"},
		{"garble", exitFailed, 1, 0, "s1 faulty: 1 lines lost (of these 1 came malformed), 0 doubled"},
		{"tear", exitFailed, 0, 0, "not ended by a newline"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			o := smallOptions(t, "--scenario", "s1", "--rounds", "1")
			var stdout, stderr bytes.Buffer
			code := exitCode(bench(t.Context(), o, []tool{faultyTool(c.fault)}, &stdout, &stderr), &stderr)
			r := checkedRow(t, stdout.String())
			if code != c.code || r.Lost != c.lost || r.Doubled != c.doubled {
				t.Errorf("exit code %d, %d lost, %d doubled; want %d, %d, %d", code, r.Lost, r.Doubled, c.code, c.lost, c.doubled)
			}
			if !strings.Contains(stderr.String(), c.says) {
				t.Errorf("said %q, want %q in it", stderr.String(), c.says)
			}
		})
	}
}

func TestACrashedToolIsNamedAndTheOthersAreMeasured(t *testing.T) {
	o := smallOptions(t, "--scenario", "s1", "--rounds", "1")
	var stdout, stderr bytes.Buffer
	code := exitCode(bench(t.Context(), o, []tool{faultyTool("crash"), bareTool()}, &stdout, &stderr), &stderr)
	if code != exitFailed || !strings.Contains(stderr.String(), "s1 faulty: ended by itself: exit status 1\nbenchmarks: crashed as told") {
		t.Errorf("exit code %d, said %q", code, stderr.String())
	}
	if r := checkedRow(t, stdout.String()); r.Tool != "bare" {
		t.Errorf("the row is of %s", r.Tool)
	}
}

func TestACancelledBenchEnds(t *testing.T) {
	o := smallOptions(t, "--scenario", "s1,s2", "--latency", "1h")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	err := bench(ctx, o, []tool{bareTool()}, t.Output(), t.Output())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestIsolationComparesPairs(t *testing.T) {
	o := smallOptions(t, "--scenario", "isolation", "--size", "256KiB")
	standIn := bareTool()
	bare, besides := standIn.command, 0
	standIn.name, standIn.version = "spillway", "0.0"
	standIn.command = func(ctx context.Context, d duty) (*exec.Cmd, func(), error) {
		if d.Blocked != "" {
			besides++
		}
		d.Scenario = "s2"
		return bare(ctx, d)
	}
	var stdout bytes.Buffer
	if err := bench(t.Context(), o, []tool{standIn}, &stdout, t.Output()); err != nil {
		t.Fatal(err)
	}
	var r isolationResult
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("%v in %q", err, stdout.String())
	}
	if besides != isolationPairs || r.Pairs != isolationPairs || r.Ratio <= 0 || r.Alone <= 0 || r.Beside <= 0 {
		t.Errorf("%d runs beside a blocked output, result %+v", besides, r)
	}
}

func TestAWrongCommandLineIsExitCode2(t *testing.T) {
	for _, args := range [][]string{
		{"--scenario", "s9"}, {"--size", "12parsecs"}, {"--rounds", "0"}, {"stray"}, {"--tools", "nosuchtool"}, {"bare", "-scenario", "s7"}, {"sink", "-nope"},
	} {
		var stderr bytes.Buffer
		if code := dispatch(t.Context(), args, strings.NewReader(""), t.Output(), &stderr); code != exitUsage || stderr.Len() == 0 {
			t.Errorf("%q: exit code %d, said %q", args, code, stderr.String())
		}
	}
}
