package spool

import (
	"encoding/binary"
	"errors"
	"io"
	iofs "io/fs"
	"path/filepath"
	"slices"
	"syscall"
)

func isEOF(err error) bool   { return errors.Is(err, io.EOF) }
func isExist(err error) bool { return errors.Is(err, iofs.ErrExist) }

// isFull says that the disk, or this user's share of it, is full.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func (s *Spool) path(name string) string { return filepath.Join(s.dir, name) }

func appendVarints(b []byte, ns ...int64) []byte {
	for _, n := range ns {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func appendStaged(b []byte, st *Staged) []byte {
	b = appendVarints(b, st.Offset, st.End, int64(st.Checksum))
	return appendText(b, st.Note)
}

func (r *markReader) staged() Staged {
	return Staged{r.varint(), r.varint(), uint32(r.varint()), slices.Clone(r.bytes())}
}

// ackBody is the journal's record of an acknowledgement: what was acknowledged,
// and where that leaves the frontier and the counts.
func (c *Cursor) ackBody(g *given) []byte {
	return appendVarints(nil, g.base, g.end, c.out.acked, c.out.count.Acked, c.out.count.DeadLettered, c.out.count.Dropped)
}

// write adds a record to the journal, behind those that could not be written
// before. The caller holds the cursor's turn.
func (c *Cursor) write(typ byte, body []byte) error {
	if c.journal == nil {
		return nil
	}
	c.backlog = append(c.backlog, journalRecord{typ, body})
	return c.flush()
}

// flush writes the records that are due. A journal that is long begins anew, with
// a snapshot that includes them. The caller holds the cursor's turn.
func (c *Cursor) flush() error {
	if c.journal.file == nil || c.journal.size > c.journal.full {
		if err := c.renew(); err == nil || c.journal.file == nil {
			return err
		}
	}
	for n, r := range c.backlog {
		err := c.s.withBallast(func() error { return c.journal.add(r.typ, r.body) })
		if err != nil {
			c.backlog = slices.Delete(c.backlog, 0, n)
			return err
		}
	}
	c.backlog = c.backlog[:0]
	return nil
}

// renew begins the journal anew with a snapshot. The caller holds the cursor's turn.
func (c *Cursor) renew() error {
	var snapshot []byte
	c.s.locked(func() {
		c.merge()
		snapshot = c.snapshot()
	})
	err := c.journal.compact(snapshot)
	if err == nil {
		c.backlog = c.backlog[:0]
	}
	return err
}

// sync makes the journal durable. A sync that fails is not repeated on the same
// file: the cursor goes into a new one. The caller holds the cursor's turn.
func (c *Cursor) sync() error {
	if c.journal == nil {
		return nil
	}
	err := c.journal.sync()
	if err != nil {
		err = c.renew()
	}
	return err
}

// catchUp writes what could not be written before, and makes the journal durable:
// what was acknowledged longer ago than the keeper's pace is not delivered again
// after a power cut.
func (c *Cursor) catchUp() {
	if c.journal == nil {
		return
	}
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	var err error
	if len(c.backlog) > 0 {
		err = c.flush()
	}
	if err == nil && c.journal.dirty && c.s.o.Sync.Mode != SyncNever {
		err = c.sync()
	}
	if err != nil {
		c.s.log.Error("a cursor cannot be written; a crash now would deliver records again", "output", c.spec.ID, "error", err)
	}
}

// snapshot is the whole cursor: frontier, counts, what is acknowledged behind the
// frontier, what is in doubt, and what was acknowledged last.
func (c *Cursor) snapshot() []byte {
	b := appendVarints(nil, c.out.acked, c.out.count.Acked, c.out.count.DeadLettered, c.out.count.Dropped)
	var acked []*given
	var staged []*Staged
	for _, g := range c.pending {
		if g.acked() {
			acked = append(acked, g)
		} else if g.staged != nil {
			staged = append(staged, g.staged)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(acked)))
	for _, g := range acked {
		b = appendVarints(b, g.base, g.end, g.count)
	}
	for i := range c.inDoubt {
		staged = append(staged, &c.inDoubt[i])
	}
	b = binary.AppendUvarint(b, uint64(len(staged)))
	for _, st := range staged {
		b = appendStaged(b, st)
	}
	b = binary.AppendUvarint(b, uint64(len(c.acked)))
	for i := range c.acked {
		b = appendStaged(b, &c.acked[i])
	}
	return b
}

// passed are the counts of what the frontier has passed. The caller holds mu.
func (c *Cursor) passed() counts {
	n := c.out.count
	for _, g := range c.pending {
		if g.acked() && g.base >= c.out.acked {
			n.Acked -= g.count
		}
	}
	return n
}

// replay applies a record of the journal at the start.
func (c *Cursor) replay(typ byte, body []byte) error {
	r := markReader{b: body}
	switch typ {
	case jrSnapshot:
		c.out.acked = r.varint()
		c.out.count = counts{r.varint(), r.varint(), r.varint()}
		c.pending, c.inDoubt, c.acked = nil, nil, nil
		for n := r.uvarint(); n > 0 && r.err == nil; n-- {
			c.insert(&given{base: r.varint(), end: r.varint(), count: r.varint()})
		}
		for n := r.uvarint(); n > 0 && r.err == nil; n-- {
			c.doubt(r.staged())
		}
		for n := r.uvarint(); n > 0 && r.err == nil; n-- {
			c.acked = append(c.acked, r.staged())
		}
	case jrStage:
		c.doubt(r.staged())
	case jrDefer:
		c.doubtRow(r.staged())
	case jrAck:
		base, end := r.varint(), r.varint()
		c.out.acked = r.varint()
		c.out.count = counts{r.varint(), r.varint(), r.varint()}
		if st, ok := c.settle(base, end); ok {
			c.acked = append(c.acked, st)
		}
		c.acked = c.acked[max(0, len(c.acked)-ackedHistory):]
		c.doubtPassed()
		c.insert(&given{base: base, end: end, count: end - base})
		c.pending = slices.DeleteFunc(c.pending, func(g *given) bool { return g.end <= c.out.acked })
	case jrAdvance:
		before := c.out.acked
		if c.out.acked = r.varint(); c.out.acked < before {
			c.forgetFrom(c.out.acked)
		}
		c.out.count = counts{r.varint(), r.varint(), r.varint()}
	}
	return r.err
}

// advanceBody is the journal's record of the frontier and the counts.
func (c *Cursor) advanceBody() []byte {
	return appendVarints(nil, c.out.acked, c.out.count.Acked, c.out.count.DeadLettered, c.out.count.Dropped)
}
