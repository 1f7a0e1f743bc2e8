package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net"
	"sync"
	"time"
)

// sinkBuffer is how much a sink reads at once, in bytes. A line must fit.
const sinkBuffer = 256 << 10

// A sinkEvent is a line of JSON on a sink's standard output.
type sinkEvent struct {
	Event   string      `json:"event"` // listening, first, complete, idle, report: in this order; progress in between
	Address string      `json:"address,omitempty"`
	Topic   string      `json:"topic,omitempty"` // of the broker at Address
	Lines   int64       `json:"lines,omitempty"` // distinct ones so far
	Report  *sinkReport `json:"report,omitempty"`
}

// sinkMain listens on a free port of the loopback and accounts for newline-framed lines. It says when the first byte
// came, and when all lines have come or nothing came for a while; then it goes on reading, since a doubled line may
// come late. It reports and ends after its standard input was closed and every connection has ended.
func sinkMain(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("sink", flag.ContinueOnError)
	fs.SetOutput(stderr)
	name := fs.String("scenario", "s1", "what lines must look like")
	lines := fs.Int64("lines", 0, "lines to expect")
	latency := fs.Bool("latency", false, "measure each line's latency")
	idle := fs.Duration("idle", 20*time.Second, "silence that ends the waiting")
	broker := fs.String("broker", "", "Kafka's host:port: account for a topic there instead of listening")
	progress := fs.Bool("progress", false, "say all the while how many lines have come")
	if err := fs.Parse(args); err != nil {
		return usageError{err}
	}
	scenario, err := scenarioNamed(*name)
	if err != nil {
		return err
	}
	t := newTally(scenario.check, *lines, *latency)
	released := make(chan struct{})
	go func() { // ends with the process's standard input, which its parent closes
		defer close(released)
		_, _ = io.Copy(io.Discard, stdin)
	}()
	a := announcer{events: json.NewEncoder(stdout), idle: *idle}
	if *progress {
		a.progress = t.lines
	}
	if *broker != "" {
		return topicSinkMain(*broker, t, a, released)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &sink{listener: listener, tally: t, conns: make(map[net.Conn]struct{})}
	s.readers.Go(s.accept)
	if err := a.events.Encode(sinkEvent{Event: "listening", Address: listener.Addr().String()}); err != nil {
		return err
	}
	a.announce(t.first, t.completed, t.silentSince, released)
	<-released
	s.finish()
	report := t.result()
	return a.events.Encode(sinkEvent{Event: "report", Report: &report})
}

// drainPatience is how long connections may stay open once the shipper is known to have ended.
const drainPatience = 10 * time.Second

// acceptPatience is how long connections that wait may take to be accepted then.
const acceptPatience = 50 * time.Millisecond

type sink struct {
	listener net.Listener
	tally    *tally
	readers  sync.WaitGroup

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	draining bool
}

// An announcer tells the parent how far the lines are.
type announcer struct {
	events   *json.Encoder
	idle     time.Duration
	progress func() int64 // lines so far; nil where nobody asks
}

// announce returns when it has told all or is released.
func (a announcer) announce(first, completed <-chan struct{}, silentSince func() time.Time, released <-chan struct{}) {
	started := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-first:
			first = nil
			_ = a.events.Encode(sinkEvent{Event: "first"})
		case <-completed:
			_ = a.events.Encode(sinkEvent{Event: "complete"})
			return
		case now := <-tick.C:
			if last := silentSince(); now.Sub(last) > a.idle && now.Sub(started) > a.idle {
				_ = a.events.Encode(sinkEvent{Event: "idle"})
				return
			}
			if a.progress != nil {
				_ = a.events.Encode(sinkEvent{Event: "progress", Lines: a.progress()})
			}
		case <-released:
			return
		}
	}
}

func (s *sink) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // the listener was closed
		}
		s.mu.Lock()
		s.conns[conn] = struct{}{}
		if s.draining {
			_ = conn.SetReadDeadline(time.Now().Add(drainPatience))
		}
		s.mu.Unlock()
		s.readers.Go(func() { s.read(conn) })
	}
}

// finish reads what is still on its way, and waits for all readers.
func (s *sink) finish() {
	s.mu.Lock()
	s.draining = true
	for conn := range s.conns {
		_ = conn.SetReadDeadline(time.Now().Add(drainPatience))
	}
	s.mu.Unlock()
	// A shipper that had little to say may be gone before it was accepted.
	if l, ok := s.listener.(*net.TCPListener); ok {
		_ = l.SetDeadline(time.Now().Add(acceptPatience))
	}
	s.readers.Wait()
	s.listener.Close()
}

// read accounts for one connection's lines.
func (s *sink) read(conn net.Conn) {
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	buf := make([]byte, sinkBuffer)
	held := 0 // bytes of an unfinished line at the start of buf
	for {
		n, err := conn.Read(buf[held:])
		now := time.Now()
		if filled := held + n; n > 0 {
			whole := bytes.LastIndexByte(buf[held:filled], '\n') + 1
			if whole > 0 {
				whole += held
				s.tally.add(buf[:whole], now)
			}
			held = copy(buf, buf[whole:filled])
			if held == len(buf) {
				s.tally.torn(buf, now)
				held = 0
			}
		}
		if err != nil {
			if held > 0 {
				s.tally.torn(buf[:held], now)
			}
			return
		}
	}
}
