package spool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/spillway/spillway/internal/failpoint"
	"github.com/spillway/spillway/spool/recordbatch"
)

// Cursor is the place of one output in the spool. Its methods belong to the
// output, which may call them from several goroutines.
type Cursor struct {
	s       *Spool
	spec    Output
	wake    chan struct{}
	journal *journal

	// Below, mu of the spool guards everything.

	out *outputState
	// next is the offset at which Next goes on.
	next int64
	// pending are the frames given out and not yet passed by the frontier, in
	// offset order.
	pending   []*given
	count     counts
	inDoubt   []Staged
	acked     []Staged // newest last
	durable   int64    // the frontier as the synced journal has it
	journaled bool

	// Next owns these.
	reading scanner
	seg     *segment
}

// counts are an output's part of the law of conservation.
type counts struct {
	Acked, DeadLettered, Dropped int64
}

// given is a frame that Next has returned.
type given struct {
	frame     *Frame
	base, end int64
	count     int32
	acked     bool
	rejected  int64
	staged    *Staged
}

// ackedHistory is how many acknowledged stagings are remembered.
const ackedHistory = 16

// Cursor returns the cursor of an output that was named in the options.
func (s *Spool) Cursor(output string) (*Cursor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.cursors {
		if c.spec.ID == output {
			return c, nil
		}
	}
	return nil, fmt.Errorf("spool: no output %q in the options", output)
}

// Next returns the next frame of the output's lane, and blocks until there is
// one. The cursor keeps the frame's reference until Ack.
func (c *Cursor) Next(ctx context.Context) (*Frame, error) {
	for {
		f, found, err := c.poll()
		if err != nil || f != nil {
			return f, err
		}
		if found {
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
		s.mu.Unlock()
		return c.fromDisk()
	}
	defer s.mu.Unlock()
	for i := s.tail.find(c.next); i < len(s.tail.frames); i++ {
		f := s.tail.frames[i]
		if f.End() > s.visible {
			return nil, false, nil
		}
		c.next = f.End()
		if f.Lane == c.out.laneAt(f.Base) {
			f.Retain()
			c.give(f)
			return f, false, nil
		}
	}
	c.next = s.visible
	c.pass()
	return nil, false, nil
}

// give notes that f is out. The caller holds mu.
func (c *Cursor) give(f *Frame) {
	c.pending = append(c.pending, &given{frame: f, base: f.Base, end: f.End(), count: f.Count})
}

// pass lets the frontier follow where nothing is out. The caller holds mu.
func (c *Cursor) pass() {
	if len(c.pending) == 0 && c.next > c.out.acked {
		c.out.acked = c.next
		signal(c.s.freed)
	}
}

// fromDisk reads the next frame of the lane from its segment.
func (c *Cursor) fromDisk() (*Frame, bool, error) {
	s := c.s
	if err := c.seek(); err != nil {
		return nil, false, err
	}
	for {
		e, err := c.reading.header()
		switch {
		case errors.Is(err, errBad):
			if err := c.skipBad(err); err != nil {
				return nil, false, err
			}
			return nil, true, nil
		case err != nil && c.seg != nil && isEOF(err):
			s.mu.Lock()
			c.next = max(c.next, s.endOf(c.seg))
			c.seg = nil
			c.pass()
			s.mu.Unlock()
			return nil, true, nil
		case err != nil:
			return c.lostSegment(err)
		}
		if e.NextOffset() > c.limit() {
			s.mu.Lock()
			c.seg = nil
			s.mu.Unlock()
			return nil, true, nil
		}
		if e.Control() || e.NextOffset() <= c.next || e.ProducerEpoch != c.laneAt(e.BaseOffset) {
			c.reading.pos += int64(e.Size())
			continue
		}
		f := NewFrame()
		f.Data = slices.Grow(f.Data[:0], e.Size())[:e.Size()]
		if _, err := c.reading.file.ReadAt(f.Data, c.reading.pos); err != nil {
			f.Release()
			return c.lostSegment(err)
		}
		if err := recordbatch.Verify(f.Data); err != nil {
			f.Release()
			if err := c.skipBad(err); err != nil {
				return nil, false, err
			}
			return nil, true, nil
		}
		c.reading.pos += int64(e.Size())
		f.Base, f.Count, f.Lane = e.BaseOffset, e.Count, e.ProducerEpoch
		s.mu.Lock()
		defer s.mu.Unlock()
		c.next = f.End()
		c.give(f)
		return f, false, nil
	}
}

func (c *Cursor) limit() int64 {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.seg == nil {
		return 0
	}
	return min(c.s.visible, c.s.endOf(c.seg))
}

func (c *Cursor) laneAt(offset int64) int16 {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.out.laneAt(offset)
}

// seek makes reading stand in the segment that holds next.
func (c *Cursor) seek() error {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.next < s.segments[0].base {
		c.jump(s.segments[0].base)
	}
	i := len(s.segments) - 1
	for i > 0 && s.segments[i].base > c.next {
		i--
	}
	if seg := s.segments[i]; seg != c.seg {
		c.seg = seg
		c.reading = scanner{file: seg.file, buf: c.reading.buf}
	}
	c.reading.end = c.seg.size
	return nil
}

// jump moves the cursor over segments that are gone. The caller holds mu.
func (c *Cursor) jump(to int64) {
	c.next = max(c.next, to)
	c.pass()
}

// endOf is the offset at which a segment ends. The caller holds mu.
func (s *Spool) endOf(seg *segment) int64 {
	for i := range s.segments {
		if s.segments[i] == seg && i+1 < len(s.segments) {
			return s.segments[i+1].base
		}
	}
	return s.next
}

// Stage notes that f is about to be sent. It survives kill -9 once it returns.
func (c *Cursor) Stage(f *Frame, note []byte) error {
	st := Staged{Offset: f.Base, End: f.End(), Checksum: binary.BigEndian.Uint32(f.Data[17:]), Note: slices.Clone(note)}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if g := c.find(f); g != nil {
		g.staged = &st
	}
	return c.write(jrStage, appendStaged(nil, &st))
}

// InDoubt is what was staged and not acknowledged before the start.
func (c *Cursor) InDoubt() []Staged { return c.inDoubt }

// Acked is what was staged and acknowledged last, newest first.
func (c *Cursor) Acked() []Staged {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	list := slices.Clone(c.acked)
	slices.Reverse(list)
	return list
}

func (c *Cursor) find(f *Frame) *given {
	for _, g := range c.pending {
		if g.frame == f {
			return g
		}
	}
	return nil
}

// Ack acknowledges f; the frontier passes the unbroken prefix.
func (c *Cursor) Ack(f *Frame) error {
	failpoint.Hit("ack.before")
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	g := c.find(f)
	if g == nil || g.acked {
		return fmt.Errorf("spool: frame at %d is not out", f.Base)
	}
	g.acked = true
	g.frame = nil
	f.Release()
	c.count.Acked += int64(g.count) - g.rejected
	c.count.DeadLettered += g.rejected
	if g.staged != nil {
		c.acked = append(c.acked, *g.staged)
		if len(c.acked) > ackedHistory {
			c.acked = slices.Delete(c.acked, 0, len(c.acked)-ackedHistory)
		}
	}
	n := 0
	for n < len(c.pending) && c.pending[n].acked {
		c.out.acked = c.pending[n].end
		n++
	}
	c.pending = slices.Delete(c.pending, 0, n)
	err := c.write(jrAck, c.ackBody(g))
	if n > 0 {
		signal(s.freed)
	}
	failpoint.Hit("ack.after")
	return err
}
