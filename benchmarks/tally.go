package main

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// sampleEvery is the distance of the lines that are compared whole; all others get the cheap check.
const sampleEvery = 1024

// maxComplaints bounds how many faulty lines a report quotes.
const maxComplaints = 4

// A sinkReport is what a sink has seen.
type sinkReport struct {
	Lines      int64    `json:"lines"`     // distinct ones, in good order
	Lost       int64    `json:"lost"`      // never came, or only malformed
	Doubled    int64    `json:"doubled"`   // came again
	Malformed  int64    `json:"malformed"` // came, but not as the scenario wants it
	FirstNanos int64    `json:"first_ns"`  // when the first byte was read, since 1970
	LastNanos  int64    `json:"last_ns"`   // when the last missing line was read
	P50Micros  int64    `json:"p50_us"`    // median of the time from a line's own time to its reading; 0 unless asked for
	P99Micros  int64    `json:"p99_us"`
	Complaints []string `json:"complaints,omitempty"` // the first faults, in words
}

// A tally accounts for lines 0 to total-1. Connections share it, a block at a time.
type tally struct {
	check     lineCheck
	total     int64
	latency   bool // lines carry the time of their writing: measure, and take it for true when comparing
	first     chan struct{}
	completed chan struct{}

	mu        sync.Mutex
	seq, sent numberFinder
	seen      []uint64 // a bit per line
	latencies []int64  // microseconds
	lastHeard time.Time
	report    sinkReport
}

func newTally(check lineCheck, total int64, latency bool) *tally {
	sentMarker := `"sent_us":`
	if _, ok := check.(parsedCheck); ok {
		sentMarker = "sent="
	}
	return &tally{
		check: check, total: total, latency: latency,
		first: make(chan struct{}), completed: make(chan struct{}),
		seq: numberFinder{marker: check.marker()}, sent: numberFinder{marker: []byte(sentMarker)},
		seen: make([]uint64, total/64+1),
	}
}

// add accounts for a block of whole lines, each ended by a newline, that was read at the given time.
func (t *tally) add(block []byte, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard(now)
	for len(block) > 0 {
		end := bytes.IndexByte(block, '\n')
		t.line(block[:end], now)
		block = block[end+1:]
	}
}

// addRecords accounts for records of a topic, each of which holds a line.
func (t *tally) addRecords(records []*kgo.Record, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard(now)
	for _, r := range records {
		t.line(r.Value, now)
	}
}

func (t *tally) line(line []byte, now time.Time) {
	if len(line) == 0 || !t.check.cheap(line) {
		t.malformed(line, "not of the wanted form")
		return
	}
	seq, ok := t.seq.find(line)
	if !ok || seq >= t.total {
		t.malformed(line, "no valid sequence number")
		return
	}
	if t.latency || seq%sampleEvery == 0 {
		if !t.compare(line, seq, now) {
			return
		}
	}
	if word, bit := &t.seen[seq/64], uint64(1)<<(seq%64); *word&bit != 0 {
		t.report.Doubled++
		t.complain(line, "doubled")
	} else {
		*word |= bit
		if t.report.Lines++; t.report.Lines == t.total {
			t.report.LastNanos = now.UnixNano()
			close(t.completed)
		}
	}
}

// compare looks at a whole line, and takes its latency where that is wanted. Line 0 only warms up.
func (t *tally) compare(line []byte, seq int64, now time.Time) bool {
	sent := generatedMicros(seq)
	if t.latency {
		var ok bool
		if sent, ok = t.sent.find(line); !ok {
			t.malformed(line, "no time of writing")
			return false
		}
		if seq > 0 {
			t.latencies = append(t.latencies, now.UnixMicro()-sent)
		}
	}
	if seq%sampleEvery == 0 {
		if err := t.check.whole(line, seq, sent); err != nil {
			t.malformed(line, err.Error())
			return false
		}
	}
	return true
}

func (t *tally) heard(now time.Time) {
	if t.report.FirstNanos == 0 {
		t.report.FirstNanos = now.UnixNano()
		close(t.first)
	}
	t.lastHeard = now
}

// torn accounts for bytes that were not a whole line when their connection ended, or that never will be.
func (t *tally) torn(rest []byte, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard(now)
	t.malformed(rest, "not ended by a newline")
}

func (t *tally) malformed(line []byte, why string) {
	t.report.Malformed++
	t.complain(line, why)
}

func (t *tally) complain(line []byte, why string) {
	if len(t.report.Complaints) < maxComplaints {
		t.report.Complaints = append(t.report.Complaints, fmt.Sprintf("%s: %.400q", why, line))
	}
}

// silentSince says when something was last read; it is the zero time before that.
func (t *tally) silentSince() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lastHeard
}

// lines says how many distinct lines have come so far.
func (t *tally) lines() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.report.Lines
}

// result says what has been seen so far.
func (t *tally) result() sinkReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.report
	r.Lost = t.total - r.Lines
	if r.LastNanos == 0 && !t.lastHeard.IsZero() {
		r.LastNanos = t.lastHeard.UnixNano()
	}
	slices.Sort(t.latencies)
	r.P50Micros, r.P99Micros = quantile(t.latencies, 50), quantile(t.latencies, 99)
	return r
}

// quantile returns the nearest-rank percentile of sorted values, 0 where there are none.
func quantile(sorted []int64, percent int) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*percent+99)/100-1]
}
