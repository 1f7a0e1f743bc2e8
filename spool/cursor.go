package spool

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spillway/spillway/internal/failpoint"
)

// Cursor is the place of one output in the spool. Its methods belong to the
// output, which may call them from several goroutines; Next and Rewind from one.
type Cursor struct {
	s    *Spool
	spec Output
	wake chan struct{}

	// turn is held while the journal is written.
	turn    chan struct{}
	journal *journal
	// backlog are records that the journal lacks, oldest first.
	backlog []journalRecord

	// The spool's mu guards these.
	out *outputState
	// next is the offset at which Next goes on.
	next int64
	// crowd is how many entries of pending are merged where they can be.
	crowd int
	// pending are the frames given out, and what is acknowledged or deferred of
	// those that the frontier has not passed, in offset order.
	pending []*given
	acked   []Staged // newest last

	// inDoubt is what an earlier life staged and did not see acknowledged, in
	// offset order.
	inDoubt []Staged

	// Next owns these: where it reads, and whether bad bytes were skipped whose
	// records are not yet counted.
	reading reader
	gap     bool
	// recalling is where Recall reads.
	recalling reader
}

// counts are an output's part of the law of conservation.
type counts struct{ Acked, DeadLettered, Dropped int64 }

// given is a frame that is out, or frames in a row that are not: acknowledged or
// deferred, within one segment.
type given struct {
	frame     *Frame // nil once acknowledged or deferred
	base, end int64
	// count is how many records there are of the output's lane.
	count int64
	// abandoned says that the records are counted as dropped already.
	abandoned bool
	staged    *Staged
	// deferred says that the output has put it back; staged has its note.
	deferred bool
}

func (g *given) acked() bool { return g.frame == nil && !g.deferred }

// ackedHistory is how many acknowledged stagings are remembered.
const ackedHistory = 16

// Cursor returns the cursor of an output that was named in the options.
func (s *Spool) Cursor(output string) (*Cursor, error) {
	for _, c := range s.cursors {
		if c.spec.ID == output {
			return c, nil
		}
	}
	return nil, fmt.Errorf("spool: no output %q in the options", output)
}

// Next returns the next frame of the output's lane, and blocks until there is
// one. The frame is valid until Ack. The error is that of ctx, or [ErrClosed].
func (c *Cursor) Next(ctx context.Context) (*Frame, error) {
	for {
		f, again, err := c.poll()
		if err != nil || f != nil {
			return f, err
		}
		if again {
			continue
		}
		if c.s.o.AtTail != nil {
			c.s.o.AtTail(c.spec.ID)
		}
		select {
		case <-c.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.s.closing.Done():
			return nil, ErrClosed
		}
	}
}

// poll looks once for a frame. again says that it is worth looking again at once.
func (c *Cursor) poll() (f *Frame, again bool, err error) {
	s := c.s
	s.mu.Lock()
	if s.closing.Err() != nil {
		s.mu.Unlock()
		return nil, false, ErrClosed
	}
	if c.next >= s.visible {
		s.mu.Unlock()
		return nil, false, nil
	}
	if c.next < s.tail.from {
		if len(s.unsynced) > 0 && c.next >= s.unsynced[0].start {
			defer s.mu.Unlock()
			return c.fromUnsynced(), true, nil
		}
		s.mu.Unlock()
		return c.fromDisk()
	}
	defer s.mu.Unlock()
	c.reading.seg = nil
	for i := s.tail.find(c.next); i < s.tail.len(); i++ {
		f := s.tail.at(i)
		if f.End() > s.visible {
			break
		}
		c.next = f.End()
		if c.wants(f.Base, f.Lane) {
			f.Retain()
			c.give(f)
			return f, false, nil
		}
	}
	c.next = s.visible
	if c.next == s.next {
		c.closeGap(s.next, s.st.laneCounts())
	}
	c.pass()
	return nil, false, nil
}

// wants says whether a frame is for this output and not yet acknowledged. The
// caller holds mu.
func (c *Cursor) wants(base int64, lane int16) bool {
	if c.out.laneAt(base) != lane {
		return false
	}
	i, there := c.place(base)
	return !there && (i == 0 || c.pending[i-1].end <= base)
}

// place is where in pending what begins at base is or would be. The caller holds mu.
func (c *Cursor) place(base int64) (int, bool) {
	return slices.BinarySearchFunc(c.pending, base, func(g *given, base int64) int { return cmp.Compare(g.base, base) })
}

// give notes that f is out. The caller holds mu.
func (c *Cursor) give(f *Frame) {
	c.insert(&given{frame: f, base: f.Base, end: f.End(), count: int64(f.Count)})
}

// insert keeps pending in offset order. The caller holds mu.
func (c *Cursor) insert(g *given) {
	i, _ := c.place(g.base)
	c.pending = slices.Insert(c.pending, i, g)
}

// pass lets the frontier follow where nothing is out. What was acknowledged in an
// earlier life is passed when Next comes to it. The caller holds mu.
func (c *Cursor) pass() {
	n := 0
	for n < len(c.pending) && c.pending[n].acked() && c.pending[n].end <= c.next {
		c.out.acked = max(c.out.acked, c.pending[n].end)
		n++
	}
	c.pending = slices.Delete(c.pending, 0, n)
	if len(c.pending) == 0 || c.pending[0].base >= c.next {
		c.out.acked = max(c.out.acked, c.next)
	}
	signal(c.s.freed)
}

// find is the entry of a frame that is out. The caller holds mu.
func (c *Cursor) find(f *Frame) *given {
	if i, ok := c.place(f.Base); ok && c.pending[i].frame == f {
		return c.pending[i]
	}
	return nil
}

// Ack acknowledges f; the frontier passes the unbroken prefix. If the journal cannot
// be written, on a full disk say, the acknowledgement counts all the same and is
// written later; a crash before that delivers the frame again.
func (c *Cursor) Ack(f *Frame) error {
	failpoint.Hit("ack.before")
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	body := c.acknowledge(f)
	if body == nil {
		return fmt.Errorf("%w: at %d", errNotOut, f.Base)
	}
	f.Release()
	if err := c.write(jrAck, body); err != nil {
		c.s.log.Error("a cursor cannot be written; a crash now would deliver records again", "output", c.spec.ID, "error", err)
	}
	failpoint.Hit("ack.after")
	return nil
}

// acknowledge moves the frontier and returns what the journal is to have of that; nil
// where f is not out.
func (c *Cursor) acknowledge(f *Frame) []byte {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	g := c.find(f)
	if g == nil {
		return nil
	}
	g.frame = nil
	if old, ok := c.settle(g.base, g.end); ok && g.staged == nil {
		g.staged = &old
	}
	if !g.abandoned {
		dead := c.s.st.deadIn(c.spec.ID, g.base, g.end)
		c.out.count.Acked += g.count - dead
		c.out.count.DeadLettered += dead
	}
	if g.staged != nil {
		c.acked = append(c.acked, *g.staged)
		c.acked = c.acked[max(0, len(c.acked)-ackedHistory):]
	}
	g.staged = nil
	c.pass()
	c.doubtPassed()
	body := c.ackBody(g)
	c.thin()
	return body
}
