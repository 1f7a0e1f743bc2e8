package main

import (
	"encoding/json"
	"io"
	"net"
	"testing"
	"time"
)

// talk runs a sink in this process, lets send talk to it, and returns its report.
func talk(t *testing.T, lines string, send func(address string)) sinkReport {
	t.Helper()
	release, stdin := io.Pipe() // named by who holds the end
	stdout, events := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := sinkMain([]string{"-scenario", "s1", "-lines", lines, "-idle", "50ms"}, release, events, t.Output())
		events.Close()
		ended <- err
	}()
	d := json.NewDecoder(stdout)
	for {
		var e sinkEvent
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		switch e.Event {
		case "listening":
			send(e.Address)
		case "complete", "idle":
			stdin.Close()
		case "report":
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			return *e.Report
		}
	}
}

func dialSink(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestSinkJoinsLinesOverReadsAndConnections(t *testing.T) {
	r := talk(t, "4", func(address string) {
		a, b := dialSink(t, address), dialSink(t, address)
		defer a.Close()
		defer b.Close()
		for seq := range int64(2) {
			for i, conn := range []net.Conn{a, b} {
				line := append(appendJSONLine(nil, seq*2+int64(i), generatedMicros(seq*2+int64(i))), '\n')
				for _, part := range [][]byte{line[:100], line[100 : len(line)-1], line[len(line)-1:]} {
					if _, err := conn.Write(part); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Millisecond)
				}
			}
		}
	})
	if r.Lines != 4 || r.Lost != 0 || r.Doubled != 0 || r.Malformed != 0 || r.LastNanos <= r.FirstNanos {
		t.Errorf("%+v", r)
	}
}

func TestSinkCountsWhatIsDoubledAfterTheLastLine(t *testing.T) {
	r := talk(t, "1", func(address string) {
		conn := dialSink(t, address)
		line := append(appendJSONLine(nil, 0, generatedMicros(0)), '\n')
		if _, err := conn.Write(line); err != nil {
			t.Error(err)
		}
		time.AfterFunc(100*time.Millisecond, func() {
			_, _ = conn.Write(line)
			conn.Close()
		})
	})
	if r.Lost != 0 || r.Doubled != 1 {
		t.Errorf("%+v", r)
	}
}

func TestSinkTakesATornOrEndlessLineForMalformed(t *testing.T) {
	r := talk(t, "1", func(address string) {
		conn := dialSink(t, address)
		defer conn.Close()
		if _, err := conn.Write(make([]byte, sinkBuffer+10)); err != nil {
			t.Error(err)
		}
	})
	if r.Malformed != 2 || r.Lost != 1 || r.Lines != 0 {
		t.Errorf("%+v", r)
	}
}

func TestSinkGivesUpOnSilence(t *testing.T) {
	if r := talk(t, "1", func(string) {}); r.Lost != 1 || r.FirstNanos != 0 {
		t.Errorf("%+v", r)
	}
}
