package brokers

import (
	"bytes"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	readyLimit = 90 * time.Second // a broker is ready in seconds, but not on a machine that tests everything
	stopLimit  = 30 * time.Second
)

// Server is a broker's process, and stays the same one through restarts. Its
// methods fail the test that started it. One goroutine at a time may call them.
type Server struct {
	t    testing.TB
	name string // for messages
	dir  string // the broker's own, deleted after the test
	// command is run at every start; what it prints goes to the log.
	command func() *exec.Cmd
	// ready asks the broker, once and with a limit, whether it serves.
	ready func() error

	process *process // the latest
}

// start starts the server for the first time. It is killed when the test ends,
// and after a failure the end of its log is printed.
func (s *Server) start() {
	s.t.Helper()
	s.t.Cleanup(func() {
		s.Kill()
		if s.t.Failed() {
			s.t.Logf("the last that %s said:\n%s", s.name, s.logTail(16<<10))
		}
	})
	s.launch()
}

func (s *Server) launch() {
	s.t.Helper()
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	cmd := s.command()
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	if s.process, err = start(cmd); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(readyLimit); ; {
		if err = s.ready(); err == nil {
			return
		}
		if s.process.wait(50 * time.Millisecond) {
			s.t.Fatalf("%s ended while it started: %v", s.name, cmd.ProcessState)
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s is not ready after %v: %v", s.name, readyLimit, err)
		}
	}
}

// Kill ends the broker as kill -9 does, and returns when it is gone. One that has
// ended stays as it is.
func (s *Server) Kill() {
	if s.process != nil {
		s.process.kill()
	}
}

// Stop ends the broker in an orderly way and returns when it is gone. The test
// fails if that takes more than half a minute.
func (s *Server) Stop() {
	s.t.Helper()
	if !s.process.stop(stopLimit) {
		s.t.Fatalf("%s did not stop within %v", s.name, stopLimit)
	}
}

// Restart starts a broker that has ended, on the same data and ports, and returns
// when it is ready. One that still runs is killed first.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.launch()
}

// Stall halts the broker: its connections stay open and nothing is answered
// until Resume.
func (s *Server) Stall() {
	s.t.Helper()
	if err := s.process.stall(); err != nil {
		s.t.Fatalf("stalling %s: %v", s.name, err)
	}
}

// Resume lets a stalled broker go on where it was.
func (s *Server) Resume() {
	s.t.Helper()
	if err := s.process.signal(syscall.SIGCONT); err != nil {
		s.t.Fatalf("resuming %s: %v", s.name, err)
	}
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "server.log") }

// logTail is the end of the log, at most size bytes of whole lines.
func (s *Server) logTail(size int) []byte {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return []byte(err.Error())
	}
	if len(text) > size {
		_, text, _ = bytes.Cut(text[len(text)-size:], []byte("\n"))
	}
	return text
}

// The ports of brokers are below those that the system gives to clients and to
// listeners without a wish. Were they among them, a client that dials a broker
// that is down could be given the very port, reach itself, and keep the broker
// from coming back.
const firstPort, portCount = 20000, 12000

// nextPort begins anywhere, since other packages' tests run at the same time.
var nextPort atomic.Uint32

func init() { nextPort.Store(rand.Uint32N(portCount)) }

// freeAddr is an address of the loopback interface on which nobody listens, and
// that this process has given to nobody else.
func freeAddr(t testing.TB) string {
	t.Helper()
	for range portCount {
		port := firstPort + int(nextPort.Add(1)%portCount)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}
