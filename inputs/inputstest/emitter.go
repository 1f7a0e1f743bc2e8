// Package inputstest tests inputs against their contract: an [Emitter] that
// behaves as the pipeline and its spool do, and a suite that every input must
// pass.
package inputstest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spillway/spillway/record"
)

// Emitter stands in for the pipeline. What is emitted is committed in order,
// records and positions together: at once, or, after [Emitter.Hold], when the
// test says so. It is always hungry: Demand delivers again after each batch.
// All methods may be called at any time.
type Emitter struct {
	demand chan struct{}
	gate   gate

	mu        sync.Mutex
	hold      bool
	refusal   error
	emitted   int
	pending   []emission
	lines     []Line
	last      map[string]record.Position // as emitted
	committed map[string]record.Position
	broken    []error
}

// Line is a committed record.
type Line struct {
	Source string
	Offset int64
	Text   string
	Fields map[string]string // other than the message; nil if there are none
}

type emission struct {
	lines     []Line
	positions []record.Position
}

// NewEmitter returns an emitter of a pipeline whose spool is empty.
func NewEmitter() *Emitter {
	e := &Emitter{demand: make(chan struct{}, 1), last: map[string]record.Position{}, committed: map[string]record.Position{}}
	e.demand <- struct{}{}
	return e
}

// Batch returns an empty batch.
func (e *Emitter) Batch() *record.Batch { return record.NewBatch() }

// Emit takes b, checks that it keeps the contract, and releases it.
func (e *Emitter) Emit(ctx context.Context, b *record.Batch) error {
	defer b.Release()
	if err := e.gate.wait(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refusal != nil {
		if b.Appended != nil {
			b.Appended(e.refusal)
		}
		return e.refusal
	}
	e.check(b)
	e.emitted++
	e.pending = append(e.pending, copyOf(b))
	if !e.hold {
		e.commit(len(e.pending))
	}
	if b.Appended != nil {
		b.Appended(nil)
	}
	select {
	case e.demand <- struct{}{}:
	default:
	}
	return nil
}

// Resume returns the committed positions.
func (e *Emitter) Resume() []record.Position {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ps []record.Position
	for _, key := range slices.Sorted(maps.Keys(e.committed)) {
		ps = append(ps, e.committed[key].Clone())
	}
	return ps
}

// Demand delivers when nothing is left to be sent.
func (e *Emitter) Demand() <-chan struct{} { return e.demand }

// Sate takes the token out of Demand, so that the input must emit unasked.
func (e *Emitter) Sate() {
	select {
	case <-e.demand:
	default:
	}
}

// Hold keeps what is emitted from being committed until [Emitter.Commit].
func (e *Emitter) Hold() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hold = true
}

// Commit commits the oldest n batches that are held, or as many as there are.
func (e *Emitter) Commit(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.commit(min(n, len(e.pending)))
}

// Crash forgets what was emitted and not committed, as a kill does. The input
// must have ended. Batches are committed at once again.
func (e *Emitter) Crash() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pending, e.hold, e.refusal = nil, false, nil
	e.last = maps.Clone(e.committed)
}

// Refuse makes Emit fail with err from now on.
func (e *Emitter) Refuse(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refusal = err
}

// Block makes Emit wait, as a full pipeline does, until the returned function
// is called.
func (e *Emitter) Block() (unblock func()) { return e.gate.close() }

// Emitted is the number of batches that were taken.
func (e *Emitter) Emitted() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.emitted
}

// Lines are the committed records in order.
func (e *Emitter) Lines() []Line {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.lines)
}

// Count is the number of committed records.
func (e *Emitter) Count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.lines)
}

// Texts are the messages of the committed records in order.
func (e *Emitter) Texts() []string {
	var texts []string
	for _, l := range e.Lines() {
		texts = append(texts, l.Text)
	}
	return texts
}

// Await waits until n records are committed, and fails t if there are more, or
// not as many within half a minute.
func (e *Emitter) Await(t *testing.T, n int) {
	t.Helper()
	AwaitFor(t, func() bool { return e.Count() >= n }, func() string {
		return fmt.Sprintf("%d records of %d", e.Count(), n)
	})
	if got := e.Count(); got > n {
		t.Fatalf("%d records, want %d", got, n)
	}
}

// AwaitFor waits until done, and fails t with what state says if that takes more
// than half a minute, which is long even on a busy machine.
func AwaitFor(t *testing.T, done func() bool, state func() string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after half a minute: %s", state())
		}
	}
}

// Check fails t if a batch broke the contract.
func (e *Emitter) Check(t *testing.T) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, err := range e.broken {
		t.Error(err)
	}
}

func (e *Emitter) commit(n int) {
	for _, p := range e.pending[:n] {
		e.lines = append(e.lines, p.lines...)
		for _, position := range p.positions {
			e.committed[position.Source] = position
		}
	}
	e.pending = slices.Delete(e.pending, 0, n)
}

// check notes where b breaks the contract: each record has a source with a
// position, and positions count what was read.
func (e *Emitter) check(b *record.Batch) {
	if b.Empty() {
		e.breaks("an empty batch was emitted")
	}
	records := map[string]int64{}
	for i := range b.Len() {
		records[b.Record(i).Source().Source]++
	}
	for _, p := range b.Positions() {
		last := e.last[p.Source]
		switch {
		case p.Source == "":
			e.breaks("a source has no key")
		case p.Records != last.Records+records[p.Source]:
			e.breaks("source %s: Records went from %d to %d with %d records", p.Source, last.Records, p.Records, records[p.Source])
		case p.Bytes < last.Bytes || p.Cut < last.Cut || p.Lost < last.Lost:
			e.breaks("source %s: counters went back: %+v after %+v", p.Source, p, last)
		case p.Seen.IsZero():
			e.breaks("source %s: Seen is not set", p.Source)
		}
		e.last[p.Source] = p.Clone()
	}
}

func (e *Emitter) breaks(format string, args ...any) {
	if len(e.broken) < 10 {
		e.broken = append(e.broken, fmt.Errorf("contract: "+format, args...))
	}
}

func copyOf(b *record.Batch) emission {
	var m emission
	for i := range b.Len() {
		r := b.Record(i)
		l := Line{Source: strings.Clone(r.Source().Source), Offset: r.Offset()}
		fields := r.Fields()
		for j := range fields {
			f := &fields[j]
			switch name, value := string(r.FieldName(f)), string(r.FieldValue(f).Bytes()); {
			case f.Removed():
			case name == record.Message:
				l.Text = value
			default:
				if l.Fields == nil {
					l.Fields = map[string]string{}
				}
				l.Fields[name] = value
			}
		}
		m.lines = append(m.lines, l)
	}
	for _, p := range b.Positions() {
		m.positions = append(m.positions, p.Clone())
	}
	return m
}

// gate holds up those who wait while it is closed.
type gate struct {
	mu     sync.Mutex
	closed chan struct{}
}

func (g *gate) close() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := make(chan struct{})
	g.closed = c
	return sync.OnceFunc(func() { close(c) })
}

func (g *gate) wait(ctx context.Context) error {
	g.mu.Lock()
	c := g.closed
	g.mu.Unlock()
	if c == nil {
		return nil
	}
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errRefused is what the suite's pipeline fails with.
var errRefused = errors.New("the pipeline has failed")
