package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/testkit"
)

// randomTime is a kill at no named point.
const randomTime = "random time"

var (
	spoolPoints = []string{"append.mid", "append.done", "ack.before", "ack.after", "recover.mid", "roll.mid", "delete.mid"}
	filePoints  = []string{"file.stage", "file.staged", "file.torn", "file.written", "file.synced", "file.acked", "file.rotate", "file.renamed", "file.created"}

	// phases are what the first kills of a run go through, in this order. Those
	// after them are random.
	phases = slices.Concat(spoolPoints, []string{randomTime, randomTime, randomTime}, filePoints)
)

// Segments and files are small, so that rolls, deletions and rotations come often.
const killConfig = `data_dir: ./data
admin: {listen: ""}
pipelines:
  kill:
    inputs:
      - file: {paths: ["./logs/*.log*"]}
    encode: {codec: raw}
    spool: {segment_bytes: 64KiB, max_bytes: 1MiB, compression: none, sync: %s}
    outputs:
      - file: {path: ./out/all.log, rotate: {max_bytes: 256KiB}}
`

// TestExactlyOnceAcrossKill ships growing, rotating files to a rotating file and
// kills the process again and again, at random times and at named points. In the
// end every line is there once, in the order of its source.
//
// SPILLWAY_SOAK_KILLS sets how many kills, SPILLWAY_SEED which.
func TestExactlyOnceAcrossKill(t *testing.T) {
	start, kills := time.Now(), testkit.Number(t, "SPILLWAY_SOAK_KILLS", 10)
	k := newKilling(t)
	d := k.run(kills)
	t.Logf("%d kills by phase: %v", kills, k.phases)
	t.Logf("%v; %d rotated source files deleted", d, k.deleted())
	if !d.Exact() {
		t.Errorf("not every line arrived once and in order: %v", d)
	}
	for _, p := range phases[:min(kills, len(phases))] {
		if k.phases[p] == 0 {
			t.Errorf("no kill came at %s", p)
		}
	}
	k.audit("file")
	testkit.KeepEvidence(t, "kill", k.seed, start, map[string]any{
		"kills": kills, "phases": k.phases, "lines": d.Lines, "lost": d.Lost, "doubled": d.Doubled, "out_of_order": d.OutOfOrder,
		"source_files_deleted": k.deleted(),
	})
}

// TestKillHarnessNoticesMissingCheckpoints switches the checkpoints off: the same
// check must then find doubled lines, or it proves nothing.
func TestKillHarnessNoticesMissingCheckpoints(t *testing.T) {
	k := newKilling(t)
	k.Env = []string{"SPILLWAY_DISABLE=checkpoints"}
	if d := k.run(3); d.Doubled == 0 {
		t.Fatalf("without checkpoints nothing was doubled: %v", d)
	}
}

// killing is one run of the harness.
type killing struct {
	*testkit.Program
	t       *testing.T
	seed    uint64
	rand    *rand.Rand
	sources []*testkit.Source
	// config is the configuration, for a sync setting.
	config string
	// phases counts the kills by the point at which they came.
	phases map[string]int
}

func newKilling(t *testing.T) *killing {
	seed := testkit.Seed(t)
	k := &killing{
		Program: testkit.NewProgram(t, "failpoints"), t: t,
		seed: seed, rand: rand.New(rand.NewPCG(seed, 1)), config: killConfig, phases: map[string]int{},
	}
	if err := os.Mkdir(k.File("logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		k.sources = append(k.sources, &testkit.Source{
			Name: fmt.Sprintf("s%d", i), Dir: k.File("logs"),
			FileLines: 4000 + 1000*i, Burst: 15, Pause: 5 * time.Millisecond,
		})
	}
	return k
}

// run writes, kills, and finally lets the process deliver what is left.
func (k *killing) run(kills int) *testkit.Delivery {
	k.among(func() {
		for i := range kills {
			point := randomTime
			if i < len(phases) {
				point = phases[i]
			} else if k.rand.IntN(2) == 0 {
				point = phases[k.rand.IntN(len(phases))]
			}
			k.kill(point)
			k.tellDelivered()
		}
	})
	return testkit.CheckDelivery(k.t, k.outputs(), k.written())
}

// among does its worst while the sources write, and then has the process deliver
// what is left.
func (k *killing) among(worst func()) {
	ctx, stop := context.WithCancel(k.t.Context())
	var writing sync.WaitGroup
	for _, s := range k.sources {
		writing.Go(func() {
			if err := s.Run(ctx); err != nil {
				k.t.Error(err)
			}
		})
	}
	defer writing.Wait()
	defer stop()
	worst()
	stop()
	writing.Wait()
	k.Write(k.t, "spillway.yaml", fmt.Sprintf(k.config, "1s"))
	if r := k.Run(k.t, "run", "--once", "-c", "spillway.yaml"); r.Code != 0 {
		k.t.Fatalf("the last run ended with %d:\n%s", r.Code, r.Stderr)
	}
}

// patience is how long a named point may take to be reached before the process is
// killed all the same.
const patience = 2500 * time.Millisecond

// kill runs the process until it dies at the named point, or is killed at a
// random time, and returns its log.
func (k *killing) kill(point string) (log string) {
	sync, limit := "1s", patience
	switch point {
	case randomTime:
		limit = time.Duration(20+k.rand.IntN(250)) * time.Millisecond
	case "append.mid", "append.done", "recover.mid", "roll.mid", "kafka.staged", "kafka.answered", "kafka.prepared", "kafka.committed":
	default: // comes with a sync, for which nobody wants to wait a second
		sync = "always"
	}
	if k.rand.IntN(2) == 0 {
		sync = "always"
	}
	k.Write(k.t, "spillway.yaml", fmt.Sprintf(k.config, sync))
	run := *k.Program
	run.Env = append(slices.Clone(k.Env), "SPILLWAY_FAILPOINT="+k.pass(point), "SPILLWAY_FAILPOINT_LOG="+k.File("died"))
	p := run.Start(k.t, "run", "-c", "spillway.yaml")
	select {
	case <-p.Ended():
	case <-time.After(limit):
		p.Kill()
	}
	r := p.Wait(k.t, patience)
	if r.Code != -1 {
		k.t.Fatalf("the process ended by itself with %d:\n%s", r.Code, r.Stderr)
	}
	k.phases[k.died()]++
	return r.Stderr
}

// pass chooses at which pass of a point to die. Recovery passes once, and what
// is rare is not waited for twice.
func (k *killing) pass(point string) string {
	switch point {
	case "kafka.staged", "kafka.answered", "kafka.prepared", "kafka.committed", "append.mid", "append.done", "ack.before", "ack.after", "file.stage", "file.staged", "file.torn", "file.written", "file.synced", "file.acked":
		return point + ":" + strconv.Itoa(1+k.rand.IntN(4))
	}
	return point
}

// died is the point at which the last process died.
func (k *killing) died() string {
	text, err := os.ReadFile(k.File("died"))
	if err != nil {
		return randomTime
	}
	if err := os.Remove(k.File("died")); err != nil {
		k.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// outputs are the delivered files, oldest first.
func (k *killing) outputs() []string {
	files, err := filepath.Glob(k.File("out/all.log.*"))
	if err != nil {
		k.t.Fatal(err)
	}
	slices.Sort(files)
	return append(files, k.File("out/all.log"))
}

// tellDelivered tells the sources how far they have arrived, by the last lines of
// the output: what stands there is in the spool, or it could not have been sent.
func (k *killing) tellDelivered() {
	f, err := os.Open(k.File("out/all.log"))
	if err != nil {
		return // a kill came before the first line, or within a rotation
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err != nil || size < 64<<10 {
		return
	}
	if _, err := f.Seek(-64<<10, io.SeekEnd); err != nil {
		k.t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		k.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		who, n, ok := testkit.ParseLine(strings.TrimSuffix(line, "\n"))
		for _, s := range k.sources {
			if ok && s.Name == who {
				s.Delivered(n + 1)
			}
		}
	}
}

func (k *killing) written() map[string]int {
	written := map[string]int{}
	for _, s := range k.sources {
		written[s.Name] = s.Written()
	}
	return written
}

func (k *killing) deleted() (n int) {
	for _, s := range k.sources {
		n += s.Deleted()
	}
	return n
}

// audit holds the process's own account against what was written.
func (k *killing) audit(output string) {
	a := k.Conserved(k.t, "spillway.yaml")["kill"]
	var written int64
	for _, n := range k.written() {
		written += int64(n)
	}
	if a.Account.Read != written || a.Output(k.t, output).Acked != written {
		k.t.Errorf("%d lines were written, but the audit says %+v", written, a)
	}
	for _, s := range a.Sources {
		if s.Lost != 0 {
			k.t.Errorf("%d bytes of %s are said to be lost", s.Lost, s.Source)
		}
	}
}
