package spool

import (
	"errors"
	"fmt"
	"slices"
)

// Rewind makes Next go on at offset again, although later frames were
// acknowledged; their records count as pending again. Frames that are out stay so.
func (c *Cursor) Rewind(offset int64) error {
	s := c.s
	s.turn <- struct{}{} // so that no segment goes meanwhile
	defer func() { <-s.turn }()
	return c.inTurn(func() error {
		s.mu.Lock()
		first, end := s.segments[0].base, c.out.acked
		s.mu.Unlock()
		if offset < first {
			return fmt.Errorf("spool: offset %d is gone: the oldest is %d", offset, first)
		}
		if offset >= end {
			return nil
		}
		again, err := c.countRecords(offset, end)
		if err != nil {
			return err
		}
		divided, err := c.divide(offset)
		if err != nil {
			return err
		}
		s.mu.Lock()
		dead := int64(0)
		for d := range s.st.dead {
			if d.output == c.spec.ID && d.offset >= offset && (d.offset < end || c.acknowledged(d.offset)) {
				dead++
			}
		}
		again += c.forgetFrom(offset)
		c.out.count.Acked -= again - dead
		c.out.count.DeadLettered -= dead
		c.next, c.out.acked = offset, offset
		body := c.advanceBody()
		s.mu.Unlock()
		if divided {
			return c.renew()
		}
		return c.write(jrAdvance, body)
	})
}

// divide makes two of the acknowledged entry that an offset lies within, if there is one.
// Nothing else may change the cursor meanwhile.
func (c *Cursor) divide(offset int64) (divided bool, err error) {
	i, there := c.place(offset)
	if there || i == 0 || !c.pending[i-1].acked() || c.pending[i-1].end <= offset {
		return false, nil
	}
	g := c.pending[i-1]
	before, err := c.countRecords(g.base, offset)
	if err != nil {
		return false, err
	}
	c.insert(&given{base: offset, end: g.end, count: g.count - before})
	g.end, g.count = offset, before
	return true, nil
}

// forgetFrom forgets what was acknowledged at and behind an offset, and returns how
// many records of it the frontier had not passed. The caller holds mu.
func (c *Cursor) forgetFrom(offset int64) (records int64) {
	c.acked = slices.DeleteFunc(c.acked, func(st Staged) bool { return st.Offset >= offset })
	c.pending = slices.DeleteFunc(c.pending, func(g *given) bool {
		forget := g.acked() && g.base >= offset
		if forget && g.base >= c.out.acked {
			records += g.count
		}
		return forget
	})
	return records
}

// countRecords counts the output's records from one offset up to another, but for
// those in bad bytes. The caller holds the spool's turn.
func (c *Cursor) countRecords(from, to int64) (n int64, err error) {
	c.s.mu.Lock()
	segs := slices.Clone(c.s.segments)
	c.s.mu.Unlock()
	for i, seg := range segs {
		if i+1 < len(segs) && segs[i+1].base <= from || seg.base >= to {
			continue
		}
		in, err := c.countIn(seg, from, to)
		if err != nil {
			return 0, err
		}
		n += in
	}
	return n, nil
}

func (c *Cursor) countIn(seg *segment, from, to int64) (n int64, err error) {
	for sc := newScanner(seg); ; {
		e, err := sc.next()
		switch {
		case isEOF(err):
			return n, nil
		case errors.Is(err, errBad):
			if ok, err := sc.resync(to); err != nil || !ok {
				return n, err
			}
			continue
		case err != nil:
			return 0, err
		case e.BaseOffset >= to:
			return n, nil
		}
		if !e.Control() && e.BaseOffset >= from && c.out.laneAt(e.BaseOffset) == e.ProducerEpoch {
			n += int64(e.Count)
		}
	}
}
