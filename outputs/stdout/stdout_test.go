package stdout

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool/recordbatch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reader reads a pipe, unless it hangs.
type reader struct {
	mu   sync.Mutex
	hung chan struct{}
	got  bytes.Buffer
}

func (r *reader) run(pipe *os.File) {
	buf := make([]byte, 64<<10)
	for {
		r.mu.Lock()
		hung := r.hung
		r.mu.Unlock()
		if hung != nil {
			<-hung
		}
		n, err := pipe.Read(buf)
		r.mu.Lock()
		r.got.Write(buf[:n])
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// hang makes the reader take one more piece at most.
func (r *reader) hang() (heal func()) {
	hung := make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hung = hung
	return func() { close(hung) }
}

func (r *reader) values() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	whole := r.got.String()
	return strings.Split(whole[:strings.LastIndexByte(whole, '\n')+1], "\n")[:strings.Count(whole, "\n")]
}

func TestContract(t *testing.T) {
	outputstest.Contract(t, func(t *testing.T) outputstest.Target {
		out, in, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r := &reader{}
		ended := make(chan struct{})
		go func() { defer close(ended); r.run(out) }()
		t.Cleanup(func() { in.Close(); <-ended; out.Close() })
		env := outputstest.Env(t)
		return outputstest.Target{
			Output: func() outputs.Output { return &Output{env, int(in.Fd())} },
			Values: r.values,
			Hang:   r.hang,
			Text:   true, Torn: true,
		}
	})
}

func TestReaderGoneEndsThePipeline(t *testing.T) {
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out.Close()
	log := outputstest.NewLog(t, recordbatch.None)
	log.Append("a")
	ended := make(chan error, 1)
	go func() { ended <- (&Output{outputstest.Env(t), int(in.Fd())}).Run(t.Context(), log.Open()) }()
	select {
	case err := <-ended:
		if !errors.Is(err, syscall.EPIPE) || !strings.Contains(err.Error(), "standard output") {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Run goes on although nobody reads")
	}
	if log.Frontier() != 0 {
		t.Error("the frame was acknowledged")
	}
}
