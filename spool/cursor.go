package spool

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spillway/spillway/internal/failpoint"
	"github.com/spillway/spillway/spool/recordbatch"
)

// Cursor is the place of one output in the spool. Its methods belong to the
// output, which may call them from several goroutines; Next from one.
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
	// pending are the frames given out, or acknowledged in an earlier life,
	// that the frontier has not passed, in offset order.
	pending []*given
	count   counts
	acked   []Staged // newest last

	// inDoubt is what an earlier life staged and did not see acknowledged, in
	// offset order.
	inDoubt []Staged

	// Next owns these.
	reading scanner
	seg     *segment
	missing missing
}

// counts are an output's part of the law of conservation.
type counts struct{ Acked, DeadLettered, Dropped int64 }

// given is a frame that Next has returned.
type given struct {
	frame     *Frame // nil once acknowledged
	base, end int64
	count     int32
	rejected  int64
	// abandoned says that the records are counted as dropped already.
	abandoned bool
	staged    *Staged
}

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
	c.seg = nil
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
	c.pass()
	return nil, false, nil
}

// wants says whether a frame is for this output and not yet acknowledged. The
// caller holds mu.
func (c *Cursor) wants(base int64, lane int16) bool {
	if c.out.laneAt(base) != lane {
		return false
	}
	return !slices.ContainsFunc(c.pending, func(g *given) bool { return g.base == base })
}

// give notes that f is out. The caller holds mu.
func (c *Cursor) give(f *Frame) {
	c.insert(&given{frame: f, base: f.Base, end: f.End(), count: f.Count})
}

// insert keeps pending in offset order. The caller holds mu.
func (c *Cursor) insert(g *given) {
	i, _ := slices.BinarySearchFunc(c.pending, g.base, func(g *given, base int64) int { return cmp.Compare(g.base, base) })
	c.pending = slices.Insert(c.pending, i, g)
}

// pass lets the frontier follow where nothing is out. What was acknowledged in an
// earlier life is passed when Next comes to it. The caller holds mu.
func (c *Cursor) pass() {
	n := 0
	for n < len(c.pending) && c.pending[n].frame == nil && c.pending[n].base < c.next {
		c.out.acked = max(c.out.acked, c.pending[n].end)
		n++
	}
	c.pending = slices.Delete(c.pending, 0, n)
	if len(c.pending) == 0 || c.pending[0].base >= c.next {
		c.out.acked = max(c.out.acked, c.next)
	}
	signal(c.s.freed)
}

// Stage notes that f is about to be sent. It survives kill -9 once it returns;
// where the spool syncs always, a power cut too.
func (c *Cursor) Stage(f *Frame, note []byte) error {
	st := Staged{Offset: f.Base, End: f.End(), Checksum: checksum(f.Data), Note: slices.Clone(note)}
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.s.mu.Lock()
	if g := c.find(f); g != nil {
		g.staged = &st
	}
	c.s.mu.Unlock()
	err := c.write(jrStage, appendStaged(nil, &st))
	if err == nil && c.s.o.Sync.Mode == SyncAlways {
		err = c.sync()
	}
	for wait := 10 * time.Millisecond; err != nil; wait = min(2*wait, 5*time.Second) {
		c.s.log.Error("a cursor cannot be written; its output waits", "output", c.spec.ID, "error", err)
		select {
		case <-time.After(wait):
		case <-c.s.closing.Done():
			return ErrClosed
		}
		if err = c.flush(); err == nil && c.s.o.Sync.Mode == SyncAlways {
			err = c.sync()
		}
	}
	return nil
}

// checksum is the CRC-32C in the header of a record batch.
func checksum(batch []byte) uint32 { return binary.BigEndian.Uint32(batch[17:]) }

// InDoubt is what was staged and not acknowledged before the start, in offset
// order.
func (c *Cursor) InDoubt() []Staged {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return slices.Clone(c.inDoubt)
}

// settle takes what begins at base out of what is in doubt, and returns it. The
// caller holds mu.
func (c *Cursor) settle(base int64) (st Staged, ok bool) {
	i, ok := slices.BinarySearchFunc(c.inDoubt, base, func(st Staged, base int64) int { return cmp.Compare(st.Offset, base) })
	if ok {
		st = c.inDoubt[i]
		c.inDoubt = slices.Delete(c.inDoubt, i, i+1)
	}
	return st, ok
}

// doubt puts st with what is in doubt, in the place of what began there before.
// The caller holds mu.
func (c *Cursor) doubt(st Staged) {
	i, there := slices.BinarySearchFunc(c.inDoubt, st.Offset, func(st Staged, base int64) int { return cmp.Compare(st.Offset, base) })
	if there {
		c.inDoubt[i] = st
	} else {
		c.inDoubt = slices.Insert(c.inDoubt, i, st)
	}
}

// Acked is what was staged and acknowledged last, newest first.
func (c *Cursor) Acked() []Staged {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	list := slices.Clone(c.acked)
	slices.Reverse(list)
	return list
}

// find is the entry of a frame that is out. The caller holds mu.
func (c *Cursor) find(f *Frame) *given {
	for _, g := range c.pending {
		if g.frame == f {
			return g
		}
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
	c.s.mu.Lock()
	g := c.find(f)
	if g == nil {
		c.s.mu.Unlock()
		return fmt.Errorf("spool: the frame at %d is not out", f.Base)
	}
	g.frame = nil
	if old, ok := c.settle(g.base); ok && g.staged == nil {
		g.staged = &old
	}
	if !g.abandoned {
		c.count.Acked += int64(g.count) - g.rejected
		c.count.DeadLettered += g.rejected
	}
	if g.staged != nil {
		c.acked = append(c.acked, *g.staged)
		c.acked = c.acked[max(0, len(c.acked)-ackedHistory):]
	}
	c.pass()
	body := c.ackBody(g)
	c.s.mu.Unlock()
	f.Release()
	if err := c.write(jrAck, body); err != nil {
		c.s.log.Error("a cursor cannot be written; a crash now would deliver records again", "output", c.spec.ID, "error", err)
	}
	failpoint.Hit("ack.after")
	return nil
}

// fromUnsynced returns the next frame of those that are not synced: after a sync
// that failed, the file may no longer hold them. The caller holds mu.
func (c *Cursor) fromUnsynced() *Frame {
	c.seg = nil
	for _, g := range c.s.unsynced {
		for _, f := range g.frames {
			if f.Base < c.next || !c.wants(f.Base, f.Lane) {
				continue
			}
			if f.End() > c.s.visible {
				c.next = c.s.visible
				return nil
			}
			f.Retain()
			c.next = f.End()
			c.give(f)
			return f
		}
	}
	// What is not synced is the newest there is, but for what the tail has.
	c.next = max(c.next, min(c.s.tail.from, c.s.visible))
	c.pass()
	return nil
}

// fromDisk reads the next frame of the lane from its segment.
func (c *Cursor) fromDisk() (*Frame, bool, error) {
	s := c.s
	limit := c.seek()
	for {
		e, err := c.reading.header()
		switch {
		case isEOF(err) || c.reading.expected >= limit || err == nil && e.NextOffset() > limit:
			s.mu.Lock()
			defer s.mu.Unlock()
			c.closeGap(s.countsAt(limit))
			c.next = max(c.next, min(limit, s.visible))
			c.seg = nil
			c.pass()
			return nil, true, nil
		case errors.Is(err, errBad):
			return nil, true, c.skipBad(err, limit)
		case err != nil:
			return c.unreadable(err)
		}
		s.mu.Lock()
		wanted := !e.Control() && e.BaseOffset >= c.next && c.wants(e.BaseOffset, e.ProducerEpoch)
		s.mu.Unlock()
		if !wanted {
			if err := c.tally(e); err != nil {
				return c.unreadable(err)
			}
			c.reading.pass(e)
			continue
		}
		f := NewFrame()
		f.Data = slices.Grow(f.Data[:0], e.Size())[:e.Size()]
		if _, err := c.reading.file.ReadAt(f.Data, c.reading.pos); err != nil {
			f.Release()
			return c.unreadable(err)
		}
		if err := recordbatch.Verify(f.Data); err != nil {
			f.Release()
			return nil, true, c.skipBad(err, limit)
		}
		c.missing.seen += int64(e.Count)
		c.reading.pass(e)
		f.Base, f.Count, f.Lane = e.BaseOffset, e.Count, e.ProducerEpoch
		s.mu.Lock()
		defer s.mu.Unlock()
		if f.Base < c.next { // dropped meanwhile
			f.Release()
			return nil, true, nil
		}
		c.next = f.End()
		c.give(f)
		return f, false, nil
	}
}

// seek makes reading stand in the segment that holds next, and returns the offset
// up to which it may read there: the synced part.
func (c *Cursor) seek() int64 {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.segments[0]; c.next < first.base {
		if lost := c.drop(first); lost > 0 {
			s.log.Error("the segments where an output would go on are gone", "output", c.spec.ID, "records", lost)
		}
	}
	i := len(s.segments) - 1
	for i > 0 && s.segments[i].base > c.next {
		i--
	}
	if seg := s.segments[i]; seg != c.seg {
		c.seg = seg
		c.reading = scanner{file: seg.file, expected: seg.base, buf: c.reading.buf}
		c.missing = missing{lane: c.out.laneAt(c.next)}
	}
	c.reading.end = c.seg.size
	if i+1 < len(s.segments) {
		return s.segments[i+1].base
	}
	if len(s.unsynced) > 0 {
		return min(s.visible, s.unsynced[0].start)
	}
	return s.visible
}
