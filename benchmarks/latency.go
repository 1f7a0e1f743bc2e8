package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// latencyPhase measures, in a run of its own, the time from a line's writing to its reading at the sink, at a fixed
// modest rate. Line 0 lies in the file when the tool starts; the others follow once it has arrived.
func (b *bencher) latencyPhase(ctx context.Context, s scenario, t tool) (sinkReport, error) {
	path := filepath.Join(b.dir, "growing-"+s.input.file)
	file, err := os.Create(path)
	if err != nil {
		return sinkReport{}, err
	}
	defer os.Remove(path)
	defer file.Close()
	w := pacedWriter{file: file, format: s.input, rate: b.rate, lines: max(1, int64(b.options.latency.Seconds()*float64(b.rate)))}
	if err := w.write(0); err != nil {
		return sinkReport{}, err
	}
	m, err := b.run(ctx, job{scenario: s, tool: t, lines: 1 + w.lines, duty: duty{Scenario: s.name, Input: path, Follow: true}, feed: w.feed})
	if err == nil && m.report.P99Micros == 0 {
		err = errors.New("no line arrived but the first")
	}
	return m.report, err
}

// A pacedWriter appends lines to a file at a rate. A line carries the time of its own write.
type pacedWriter struct {
	file   *os.File
	format lineFormat
	rate   int   // lines per second
	lines  int64 // after line 0
	buf    []byte
	// written is how many lines are in the file; others may read it.
	written atomic.Int64
}

// feed writes lines 1 to w.lines, each in a write of its own, as they fall due.
func (w *pacedWriter) feed(ctx context.Context) error {
	started := time.Now()
	for seq := int64(1); seq <= w.lines; seq++ {
		due := started.Add(time.Duration(seq) * time.Second / time.Duration(w.rate))
		if wait := time.Until(due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := w.write(seq); err != nil {
			return err
		}
	}
	return nil
}

func (w *pacedWriter) write(seq int64) error {
	w.buf = append(w.format.append(w.buf[:0], seq, time.Now().UnixMicro()), '\n')
	_, err := w.file.Write(w.buf)
	w.written.Store(seq + 1)
	return err
}
