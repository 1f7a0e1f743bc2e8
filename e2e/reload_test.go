package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spillway/spillway/internal/testkit"
)

const reloadYAML = `data_dir: ./data
admin: {listen: ""}
pipelines:
  steady:
    inputs: [{file: {paths: [./logs/steady.log]}}]
    encode: {codec: raw}
    outputs: [{tcp: {address: %q}}]
  p:
    inputs: [{file: {paths: [./logs/a.log]}}]
    encode: {codec: %s}
    outputs: [{file: {path: ./out/all.log}}]
`

// reloading is a process with the pipelines p and steady. The latter's connection
// shows whether it was disturbed.
type reloading struct {
	*testkit.Program
	t       *testing.T
	run     *testkit.Process
	peer    *peer
	written int
	steady  int64 // bytes
}

func startReloading(t *testing.T) *reloading {
	t.Helper()
	r := &reloading{Program: testkit.NewProgram(t), t: t, peer: listen(t, true)}
	r.configure("raw")
	r.writeBoth()
	r.run = r.Start(t, "run", "-c", configFile)
	r.bothArrive()
	return r
}

func (r *reloading) configure(codec string) {
	r.Write(r.t, configFile, fmt.Sprintf(reloadYAML, r.peer.address, codec))
}

// writeBoth writes a hundred lines for each pipeline.
func (r *reloading) writeBoth() {
	writeLines(r.t, r.Program, "logs/a.log", r.written, r.written+100)
	writeLines(r.t, r.Program, "logs/steady.log", r.written, r.written+100)
	r.written += 100
	info, err := os.Stat(r.File("logs/steady.log"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.steady = info.Size()
}

func (r *reloading) bothArrive() {
	r.t.Helper()
	testkit.WaitFor(r.t, "all lines of p", patient, func() bool { return lineCount(r.File("out/all.log")) == r.written })
	testkit.WaitFor(r.t, "all lines of steady", patient, func() bool { return r.peer.bytes.Load() == r.steady })
}

// hangup sends SIGHUP and waits for the message.
func (r *reloading) hangup(message string) {
	r.t.Helper()
	r.run.Signal(r.t, syscall.SIGHUP)
	testkit.WaitFor(r.t, message, patient, func() bool { return logged(r.run, message) })
}

// end drains, and checks that nothing was lost or doubled on the way.
func (r *reloading) end() {
	r.t.Helper()
	r.run.Signal(r.t, syscall.SIGTERM)
	if res := r.run.Wait(r.t, patient); res.Code != 0 {
		r.t.Fatalf("ended with %d:\n%s", res.Code, res.Stderr)
	}
	if n := r.peer.connections.Load(); n != 1 {
		r.t.Errorf("the unchanged pipeline connected %d times, want once", n)
	}
	r.peer.arrived(r.t, r.written)
	for name, a := range r.Conserved(r.t, configFile) {
		if a.Account.Read != int64(r.written) {
			r.t.Errorf("pipeline %s read %d lines, want %d", name, a.Account.Read, r.written)
		}
	}
}

func TestReloadReplacesOnlyWhatChanged(t *testing.T) {
	r := startReloading(t)
	r.configure("json")
	r.hangup("reloaded")
	if !strings.Contains(r.run.Log(), "Replaced:[p]") || !strings.Contains(r.run.Log(), "Unchanged:[steady]") {
		t.Errorf("the log does not tell what changed:\n%s", r.run.Log())
	}
	r.writeBoth()
	r.bothArrive()
	text, err := os.ReadFile(r.File("out/all.log"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for n, line := range lines {
		plain := string(testkit.AppendLine(nil, "a", n))
		if n >= 100 {
			plain = fmt.Sprintf("{\"message\":%q", strings.TrimSuffix(plain, "\n"))
		} else {
			plain = strings.TrimSuffix(plain, "\n")
		}
		if !strings.HasPrefix(line, plain) || n < 100 && line != plain {
			t.Fatalf("line %d is %s, want %s", n, line, plain)
		}
	}
	r.end()
}

func TestABadConfigurationIsRefusedAndTheOldGoesOn(t *testing.T) {
	r := startReloading(t)
	r.Write(t, configFile, "pipelines: {p: {inputs: [{flie: {}}]}}\n")
	r.hangup("the new configuration is refused; the old one goes on")
	if !strings.Contains(r.run.Log(), `did you mean`) {
		t.Errorf("the log does not tell why:\n%s", r.run.Log())
	}
	r.writeBoth()
	r.bothArrive()
	r.configure("raw")
	r.end()
	arrived(t, r.Program, r.written)
}

func TestAReloadOfTheOnlyPipelineLetsTheProcessLive(t *testing.T) {
	p := testkit.NewProgram(t)
	configure := func(linger int) {
		p.Write(t, configFile, pipelineYAML(readLogs+rawToFile+fmt.Sprintf("linger: %dms\n", linger)))
	}
	configure(0)
	run := p.Start(t, "run", "-c", configFile)
	for n := range 5 {
		writeLines(t, p, "logs/a.log", 100*n, 100*(n+1))
		testkit.WaitFor(t, "the lines", patient, func() bool { return lineCount(p.File("out/all.log")) == 100*(n+1) })
		configure(n + 1)
		reloadOverSocket(t, p, `"Replaced":["p"]`)
	}
	run.Signal(t, syscall.SIGTERM)
	if r := run.Wait(t, patient); r.Code != 0 {
		t.Fatalf("ended with %d:\n%s", r.Code, r.Stderr)
	}
	arrived(t, p, 500)
	if a := p.Conserved(t, configFile)["p"]; a.Account.Read != 500 {
		t.Errorf("500 lines were written, but the audit says %+v", a.Account)
	}
}
