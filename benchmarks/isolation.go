package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
)

// isolationPairs is how many pairs of runs an isolation ratio is the median of.
const isolationPairs = 7

// An isolationResult compares an output's throughput beside one that is blocked for ever with its throughput alone.
type isolationResult struct {
	Scenario string  `json:"scenario"`
	Tool     string  `json:"tool"`
	Version  string  `json:"version"`
	Ratio    float64 `json:"ratio"`         // median of the pairs' ratios
	Alone    float64 `json:"mib_per_s_one"` // medians
	Beside   float64 `json:"mib_per_s_two"`
	Pairs    int     `json:"pairs"`
}

// isolation runs Spillway in interleaved pairs: one output, then the same output beside one whose peer never reads.
func (b *bencher) isolation(ctx context.Context, tools []tool) (isolationResult, error) {
	i := slices.IndexFunc(tools, func(t tool) bool { return t.name == "spillway" })
	if i < 0 {
		return isolationResult{}, usagef("isolation is a scenario of spillway alone")
	}
	spillway := tools[i]
	s, err := scenarioNamed("s2")
	if err != nil {
		return isolationResult{}, err
	}
	in, err := b.input(s.input)
	if err != nil {
		return isolationResult{}, err
	}
	wall, err := newWall()
	if err != nil {
		return isolationResult{}, err
	}
	defer wall.close()

	var alone, beside, ratios []float64
	for pair := range isolationPairs {
		var speeds [2]float64
		for k, blocked := range []string{"", wall.address()} {
			m, err := b.run(ctx, job{scenario: s, tool: spillway, lines: in.lines, duty: duty{Scenario: "isolation", Input: in.path, Blocked: blocked}})
			if err != nil {
				return isolationResult{}, err
			}
			b.audit("isolation", "spillway", m.report)
			speeds[k] = ratio(mib(in.bytes), m.seconds)
		}
		alone, beside = append(alone, speeds[0]), append(beside, speeds[1])
		ratios = append(ratios, ratio(speeds[1], speeds[0]))
		fmt.Fprintf(b.log, "isolation pair %d: %.0f MiB/s alone, %.0f beside a blocked output\n", pair+1, speeds[0], speeds[1])
	}
	return isolationResult{"isolation", "spillway", spillway.version, rounded(median(ratios), 3), rounded(median(alone), 1), rounded(median(beside), 1), isolationPairs}, nil
}

// A wall accepts connections and never reads from them.
type wall struct {
	listener net.Listener
	accepted sync.WaitGroup
	conns    []net.Conn // its goroutine's until accepted is done
}

func newWall() (*wall, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wall{listener: listener}
	w.accepted.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the listener was closed
			}
			w.conns = append(w.conns, conn)
		}
	})
	return w, nil
}

func (w *wall) address() string { return w.listener.Addr().String() }

func (w *wall) close() {
	w.listener.Close()
	w.accepted.Wait()
	for _, conn := range w.conns {
		conn.Close()
	}
}
