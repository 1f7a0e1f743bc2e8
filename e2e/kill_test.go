package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// killPoints are the named places where the process is killed, beside random
// times.
var killPoints = []string{"append.mid", "append.done", "ack.before", "ack.after", "recover.mid", "roll.mid", "delete.mid"}

const killConfig = `data_dir: ./data
admin: {listen: ""}
pipelines:
  kill:
    inputs:
      - file: {paths: ["./logs/*.log*"]}
    encode: {codec: raw}
    spool: {segment_bytes: 64KiB, max_bytes: 1MiB, compression: none, sync: %s}
    outputs:
      - file: {path: ./out/all.log}
`

// killing is one run of the harness.
type killing struct {
	t       *testing.T
	dir     string
	binary  string
	rand    *rand.Rand
	env     []string
	phases  map[string]int
	sources []*source
}

// TestExactlyOnceAcrossKill ships growing, rotating files to a file and kills the
// process again and again, at random times and at named points. In the end every
// line is there once, in the order of its source.
//
// SPILLWAY_SOAK_KILLS sets how many kills, SPILLWAY_SEED which.
func TestExactlyOnceAcrossKill(t *testing.T) {
	kills := number(t, "SPILLWAY_SOAK_KILLS", 10)
	start := time.Now()
	k := newKilling(t)
	d := k.run(kills)
	t.Logf("%d kills by phase: %v", kills, k.phases)
	t.Log(d)
	if !d.exact() {
		t.Errorf("not every line arrived once and in order: %s", d)
	}
	for _, p := range killPoints {
		if k.phases[p] == 0 {
			t.Errorf("no kill hit %s", p)
		}
	}
	k.audit()
	evidence(t, "kill", start, map[string]any{
		"kills": kills, "phases": k.phases, "lines": d.lines, "lost": d.lost, "doubled": d.doubled, "out_of_order": d.outOfOrder,
	})
}

// TestKillHarnessNoticesMissingCheckpoints switches the checkpoints off: the same
// check must then find doubled lines, or it proves nothing.
func TestKillHarnessNoticesMissingCheckpoints(t *testing.T) {
	k := newKilling(t)
	k.env = []string{"SPILLWAY_DISABLE=checkpoints"}
	if d := k.run(3); d.doubled == 0 {
		t.Fatalf("without checkpoints nothing was doubled: %s", d)
	}
}

func newKilling(t *testing.T) *killing {
	seed := uint64(number(t, "SPILLWAY_SEED", int(time.Now().UnixNano()%1_000_000)))
	t.Logf("SPILLWAY_SEED=%d", seed)
	k := &killing{t: t, dir: t.TempDir(), binary: failpointBinary(t), rand: rand.New(rand.NewPCG(seed, 1)), phases: map[string]int{}}
	if err := os.MkdirAll(filepath.Join(k.dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	return k
}

// run writes, kills, and finally lets the process deliver what is left.
func (k *killing) run(kills int) *delivery {
	ctx, stop := context.WithCancel(k.t.Context())
	var writing sync.WaitGroup
	for i := range 3 {
		s := &source{name: fmt.Sprintf("s%d", i), dir: filepath.Join(k.dir, "logs"), rotate: 4000 + 1000*i}
		k.sources = append(k.sources, s)
		writing.Go(func() {
			if err := s.run(ctx, 15, 5*time.Millisecond); err != nil {
				k.t.Error(err)
			}
		})
	}
	for i := range kills {
		point := ""
		if i < len(killPoints) {
			point = killPoints[i]
		} else if k.rand.IntN(2) == 0 {
			point = killPoints[k.rand.IntN(len(killPoints))]
		}
		k.kill(point)
	}
	stop()
	writing.Wait()
	k.configure("1s")
	out, err := k.command("", "run", "--once", "-c", "spillway.yaml").CombinedOutput()
	if err != nil {
		k.t.Fatalf("the last run: %v\n%s", err, out)
	}
	return checkDelivery(k.t, []string{filepath.Join(k.dir, "out", "all.log")}, k.sources)
}

// patience is how long a named point may take to be reached before the process is
// killed all the same.
const patience = 2500 * time.Millisecond

// kill runs the process until it dies at the named point, or, without one, is
// killed at a random time.
func (k *killing) kill(point string) {
	sync := "1s"
	if point == "ack.before" || point == "ack.after" || point == "delete.mid" || k.rand.IntN(2) == 0 {
		sync = "always"
	}
	k.configure(sync)
	if point == "recover.mid" {
		point += ":1"
	} else if point != "" {
		point += ":" + strconv.Itoa(1+k.rand.IntN(4))
	}
	cmd := k.command(point, "run", "-c", "spillway.yaml")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	after := patience
	if point == "" {
		after = time.Duration(20+k.rand.IntN(250)) * time.Millisecond
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	timer.Stop()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		k.t.Fatalf("the process ended by itself: %v\n%s", err, said.String())
	}
	k.phases[k.died()]++
}

// died is the point at which the last process died.
func (k *killing) died() string {
	name := filepath.Join(k.dir, "died")
	text, err := os.ReadFile(name)
	if err != nil {
		return "random time"
	}
	if err := os.Remove(name); err != nil {
		k.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func (k *killing) configure(sync string) {
	text := fmt.Sprintf(killConfig, sync)
	if err := os.WriteFile(filepath.Join(k.dir, "spillway.yaml"), []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

func (k *killing) command(point string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(k.t.Context(), k.binary, args...)
	cmd.Dir = k.dir
	cmd.Env = append(slices.Concat(os.Environ(), k.env),
		"SPILLWAY_FAILPOINT="+point, "SPILLWAY_FAILPOINT_LOG="+filepath.Join(k.dir, "died"))
	return cmd
}

// audit holds the process's own account against what was written.
func (k *killing) audit() {
	out, err := k.command("", "audit", "--json", "-c", "spillway.yaml").Output()
	if err != nil {
		k.t.Errorf("audit: %v\n%s", err, out)
		return
	}
	var report struct {
		Balanced bool
		Account  struct{ Read, Appended int64 }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		k.t.Fatalf("audit: %v\n%s", err, out)
	}
	written := int64(0)
	for _, s := range k.sources {
		written += int64(s.written)
	}
	if !report.Balanced || report.Account.Read != written {
		k.t.Errorf("%d lines were written, but the audit says %s", written, out)
	}
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// evidence writes what a long run has shown, where SPILLWAY_EVIDENCE names a folder.
func evidence(t *testing.T, name string, start time.Time, figures map[string]any) {
	t.Helper()
	dir := os.Getenv("SPILLWAY_EVIDENCE")
	if dir == "" || t.Failed() {
		return
	}
	text, err := json.MarshalIndent(map[string]any{
		"name": name, "seed": os.Getenv("SPILLWAY_SEED"), "revision": os.Getenv("SPILLWAY_REVISION"),
		"started": start.UTC().Format(time.RFC3339), "duration_seconds": int(time.Since(start).Seconds()), "figures": figures,
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
