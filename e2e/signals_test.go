package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/testkit"
)

// patient is how long something may take that should take moments.
const patient = 20 * time.Second

// peer is a TCP listener that counts connections, and keeps what comes in a file
// or never reads.
type peer struct {
	address     string
	connections atomic.Int64
	bytes       atomic.Int64
	got         *os.File // nil: never reads
}

func listen(t *testing.T, reads bool) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &peer{address: l.Addr().String()}
	if reads {
		if p.got, err = os.CreateTemp(t.TempDir(), "peer"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.got.Close() })
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.connections.Add(1)
			t.Cleanup(func() { c.Close() })
			if reads {
				go p.read(c)
			}
		}
	}()
	return p
}

func (p *peer) read(c net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if _, failed := p.got.Write(buf[:n]); failed != nil || err != nil {
			return
		}
		p.bytes.Add(int64(n))
	}
}

// arrived fails unless the peer has got the first lines of source a, each once.
func (p *peer) arrived(t *testing.T, lines int) {
	t.Helper()
	if d := testkit.CheckDelivery(t, []string{p.got.Name()}, map[string]int{"a": lines}); !d.Exact() {
		t.Errorf("at the peer: %v", d)
	}
}

// withBlocked is a pipeline to a file, and to a peer that accepts and never reads.
func withBlocked(address, rest string) string {
	return pipelineYAML(readLogs + fmt.Sprintf(`encode: {codec: raw}
outputs:
  - file: {path: ./out/all.log}
  - tcp: {address: %q}
`, address) + rest)
}

// More than the sockets' buffers between two processes hold.
const manyLines = 200_000

func TestOnceReadsWhatIsThereAndEnds(t *testing.T) {
	p := testkit.NewProgram(t)
	p.Write(t, configFile, pipelineYAML(readLogs+rawToFile))
	writeLines(t, p, "logs/a.log", 0, 1000)
	runOnce(t, p, 1000)
	runOnce(t, p, 1000)
	writeLines(t, p, "logs/a.log", 1000, 1500)
	runOnce(t, p, 1500)
}

func TestSIGTERMDrains(t *testing.T) {
	p := testkit.NewProgram(t)
	p.Write(t, configFile, pipelineYAML(readLogs+rawToFile))
	writeLines(t, p, "logs/a.log", 0, manyLines)
	run := p.Start(t, "run", "-c", configFile)
	testkit.WaitFor(t, "the first lines", patient, func() bool { return lineCount(p.File("out/all.log")) > 0 })
	run.Signal(t, syscall.SIGTERM)
	if r := run.Wait(t, patient); r.Code != 0 {
		t.Fatalf("ended with %d:\n%s", r.Code, r.Stderr)
	}
	// What was read has arrived, and what was not is read by the next.
	a := p.Conserved(t, configFile)["p"]
	if o := a.Output(t, "file"); o.PendingRecords != 0 || o.Acked != a.Account.Read {
		t.Errorf("not drained: %+v", a)
	}
	runOnce(t, p, manyLines)
}

func TestADrainThatTakesTooLongKeepsTheRest(t *testing.T) {
	p, sink := testkit.NewProgram(t), listen(t, false)
	p.Write(t, configFile, withBlocked(sink.address, "drain_timeout: 200ms\n"))
	writeLines(t, p, "logs/a.log", 0, manyLines)
	run := p.Start(t, "run", "-c", configFile)
	testkit.WaitFor(t, "all lines in the file", patient, func() bool { return lineCount(p.File("out/all.log")) == manyLines })
	run.Signal(t, syscall.SIGTERM)
	if r := run.Wait(t, patient); r.Code != 0 || !strings.Contains(r.Stderr, "the rest stays in the spool") {
		t.Fatalf("ended with %d:\n%s", r.Code, r.Stderr)
	}
	arrived(t, p, manyLines)
	a := p.Conserved(t, configFile)["p"]
	if tcp := a.Output(t, "tcp"); tcp.PendingRecords == 0 || tcp.Acked+tcp.PendingRecords != manyLines {
		t.Errorf("%d lines, but the audit says %+v", manyLines, tcp)
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	p, sink := testkit.NewProgram(t), listen(t, false)
	p.Write(t, configFile, withBlocked(sink.address, "drain_timeout: 10m\n"))
	writeLines(t, p, "logs/a.log", 0, manyLines)
	run := p.Start(t, "run", "-c", configFile)
	testkit.WaitFor(t, "all lines in the file", patient, func() bool { return lineCount(p.File("out/all.log")) == manyLines })
	run.Signal(t, syscall.SIGINT)
	testkit.WaitFor(t, "the first signal's message", patient, func() bool { return strings.Contains(run.Log(), "a second signal leaves at once") })
	select {
	case <-run.Ended():
		t.Fatal("the first signal did not wait for the blocked output")
	case <-time.After(300 * time.Millisecond):
	}
	run.Signal(t, syscall.SIGTERM)
	if r := run.Wait(t, 2*time.Second); r.Code != 130 {
		t.Fatalf("ended with %d, want 130:\n%s", r.Code, r.Stderr)
	}
	p.Conserved(t, configFile)
	arrived(t, p, manyLines)
}

func TestSIGQUITDumpsStacks(t *testing.T) {
	p := testkit.NewProgram(t)
	p.Write(t, configFile, pipelineYAML(readLogs+rawToFile))
	run := p.Start(t, "run", "-c", configFile)
	testkit.WaitFor(t, "the start", patient, func() bool { return logged(run, "spillway is running") })
	run.Signal(t, syscall.SIGQUIT)
	if r := run.Wait(t, patient); r.Code == 0 || !strings.Contains(r.Stderr, "goroutine ") || !strings.Contains(r.Stderr, "pipeline.(*Daemon).Run") {
		t.Fatalf("ended with %d:\n%s", r.Code, r.Stderr)
	}
	writeLines(t, p, "logs/a.log", 0, 100)
	runOnce(t, p, 100)
}

func TestOneBlockedOutputHoldsNoOther(t *testing.T) {
	p, blocked, reading := testkit.NewProgram(t), listen(t, false), listen(t, true)
	p.Write(t, configFile, withBlocked(blocked.address, fmt.Sprintf("  - tcp: {id: fine, address: %q}\ndrain_timeout: 100ms\n", reading.address)))
	writeLines(t, p, "logs/a.log", 0, manyLines)
	run := p.Start(t, "run", "-c", configFile)
	testkit.WaitFor(t, "all lines in the file", patient, func() bool { return lineCount(p.File("out/all.log")) == manyLines })
	size := func() (n int64) {
		for i := range manyLines {
			n += int64(len(testkit.AppendLine(nil, "a", i)))
		}
		return n
	}()
	testkit.WaitFor(t, "all bytes at the peer that reads", patient, func() bool { return reading.bytes.Load() == size })
	run.Signal(t, syscall.SIGTERM)
	if r := run.Wait(t, patient); r.Code != 0 {
		t.Fatalf("ended with %d:\n%s", r.Code, r.Stderr)
	}
	arrived(t, p, manyLines)
	reading.arrived(t, manyLines)
	a := p.Conserved(t, configFile)["p"]
	if a.Output(t, "fine").Acked != manyLines || a.Output(t, "tcp").PendingRecords == 0 {
		t.Errorf("want everything at one peer and a backlog for the other: %+v", a.Outputs)
	}
}
