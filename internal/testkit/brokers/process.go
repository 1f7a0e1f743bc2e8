package brokers

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// process is a running program and all that it starts. On Linux it dies with the
// test, whichever way that ends.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the program has ended and was waited for
}

func start(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = attributes()
	p := &process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		defer close(p.ended)
		// Linux counts the end of the thread that started a child as its
		// parent's: so this thread stays until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// signal sends a signal to the whole group.
func (p *process) signal(s syscall.Signal) error {
	select {
	case <-p.ended:
		return os.ErrProcessDone // its id may be another's by now
	default:
		return syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// kill ends the process, stalled or not, as kill -9 does, and waits for it.
func (p *process) kill() {
	_ = p.signal(syscall.SIGKILL)
	<-p.ended
}

// stop asks the process to end, and says whether it did within the limit. One
// that did not is killed.
func (p *process) stop(limit time.Duration) bool {
	_ = p.signal(syscall.SIGTERM)
	_ = p.signal(syscall.SIGCONT) // a stalled process sees no other signal
	if p.wait(limit) {
		return true
	}
	p.kill()
	return false
}

// stall halts the process until it gets SIGCONT, and waits until it stands still.
func (p *process) stall() error {
	return errors.Join(p.signal(syscall.SIGSTOP), p.waitStopped())
}

// wait says whether the process ended within the limit.
func (p *process) wait(limit time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(limit):
		return false
	}
}

// run runs a program to its end and returns what it printed. It fails the test if
// the program fails, or takes longer than the limit.
func run(t testing.TB, limit time.Duration, cmd *exec.Cmd) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	p, err := start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	inTime := p.wait(limit)
	if !inTime {
		p.kill()
	}
	if !inTime || !cmd.ProcessState.Success() {
		t.Fatalf("%v: %v (limit %v)\n%s%s", cmd.Args, cmd.ProcessState, limit, stdout.String(), stderr.String())
	}
	return stdout.String()
}
