package testkit

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var built struct {
	sync.Mutex
	dir  string
	path map[string]string // by build tags
}

// Main runs the tests of a package that uses [Build], and removes what it built.
// It is called from TestMain.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "spillway-test")
	if err == nil {
		err = os.Chmod(dir, 0o755) // for RunAs
	}
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	built.dir, built.path = dir, map[string]string{}
	return m.Run()
}

// Build builds the program with these tags, once for all tests of a package, and
// returns its path.
func Build(t testing.TB, tags ...string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	key := strings.Join(tags, ",")
	if path := built.path[key]; path != "" {
		return path
	}
	path := filepath.Join(built.dir, "spillway-"+strings.Join(tags, "-"))
	// The profile in cmd/spillway says what to inline, and takes half a minute to compile with.
	cmd := exec.Command("go", "build", "-pgo", "off", "-o", path, "-tags", key, "github.com/spillway/spillway/cmd/spillway")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building spillway: %v\n%s", err, out)
	}
	built.path[key] = path
	return path
}

// Program is the real binary with a folder to work in.
type Program struct {
	Path, Dir string
	// Env is added to the environment of the test.
	Env []string

	attributes *syscall.SysProcAttr
}

// NewProgram builds the program and gives it a new folder.
func NewProgram(t testing.TB, tags ...string) *Program {
	t.Helper()
	return &Program{Path: Build(t, tags...), Dir: t.TempDir()}
}

// File is the path of a file in the program's folder.
func (p *Program) File(name string) string { return filepath.Join(p.Dir, name) }

// Write writes a file in the program's folder, whose own folder is made.
func (p *Program) Write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.File(name)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.File(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Result is how a process ended. Code is -1 if a signal ended it.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs the program to its end, with a minute's patience.
func (p *Program) Run(t testing.TB, args ...string) Result {
	t.Helper()
	return p.Start(t, args...).Wait(t, time.Minute)
}

// Start starts the program. If it still runs when the test ends, it is killed.
func (p *Program) Start(t testing.TB, args ...string) *Process {
	t.Helper()
	cmd := exec.Command(p.Path, args...)
	cmd.Dir = p.Dir
	cmd.Env = slices.Concat(os.Environ(), p.Env)
	r := &Process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &r.stdout, &r.stderr
	cmd.SysProcAttr = p.attributes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-r.ended
	})
	return r
}

// Process is a running program.
type Process struct {
	cmd            *exec.Cmd
	stdout, stderr buffer
	ended          chan struct{}
}

// Signal sends a signal.
func (p *Process) Signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%v: %v\n%s", s, err, p.stderr.String())
	}
}

// Kill kills the process as kill -9 does, unless it has ended. The test learns
// how it ended from Wait.
func (p *Process) Kill() { _ = p.cmd.Process.Kill() }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Pid is the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Log is what the process has written to standard error so far.
func (p *Process) Log() string { return p.stderr.String() }

// Wait waits until the process has ended. Beyond the limit the test fails, with
// the process's own log and, since it is asked to, its stacks.
func (p *Process) Wait(t testing.TB, limit time.Duration) Result {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.dump()
		t.Fatalf("the process still runs after %v:\n%s", limit, p.stderr.String())
	}
	return Result{p.cmd.ProcessState.ExitCode(), p.stdout.String(), p.stderr.String()}
}

// buffer is a bytes.Buffer that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
