package spool

import (
	"context"
	"errors"
	"time"

	"github.com/spillway/spillway/internal/failpoint"
	"github.com/spillway/spillway/record"
)

func failpointDisabledCheckpoints() bool { return failpoint.Disabled("checkpoints") }

// makeRoom waits until a group fits. Dead letters may use the reserve.
func (s *Spool) makeRoom(ctx context.Context, size int64, dead bool) error {
	limit := s.o.MaxBytes
	if dead {
		limit += reserveBytes
	}
	for {
		s.mu.Lock()
		full := s.bytes+size > limit && len(s.segments) > 1 || s.bytes > 0 && s.bytes+size > limit && s.bytes > limit/2
		s.mu.Unlock()
		if !full {
			return nil
		}
		s.deletePassed()
		s.mu.Lock()
		full = s.bytes+size > limit
		s.mu.Unlock()
		if !full {
			return nil
		}
		if s.dropOldest() {
			continue
		}
		s.setTrouble("spool full: an output does not keep up and its on_full is block")
		s.log.Warn("spool full: the inputs wait for the outputs", "bytes", s.bytes, "max_bytes", s.o.MaxBytes)
		select {
		case <-s.freed:
		case <-time.After(time.Second):
		case <-ctx.Done():
			return s.ended(ctx)
		}
	}
}

// pinned is the least offset that a cursor still needs. The caller holds mu.
func (s *Spool) pinned() int64 {
	least := s.next
	for _, c := range s.cursors {
		least = min(least, c.out.acked)
	}
	return least
}

// deletePassed deletes segments that every cursor is durably past. The caller
// holds the turn.
func (s *Spool) deletePassed() {
	for {
		s.mu.Lock()
		if len(s.segments) < 2 || s.pinned() < s.segments[1].base {
			s.mu.Unlock()
			return
		}
		seg := s.segments[0]
		err := s.syncCursors()
		s.mu.Unlock()
		if err != nil {
			s.log.Error("a cursor cannot be made durable; no segment is deleted", "error", err)
			return
		}
		failpoint.Hit("delete.mid")
		if err := s.fs.Remove(seg.name); err != nil {
			s.log.Error("cannot delete a segment", "segment", seg.name, "error", err)
			return
		}
		s.mu.Lock()
		s.segments = s.segments[1:]
		s.bytes -= seg.size
		s.mu.Unlock()
		if err := errors.Join(seg.file.Close(), s.fs.SyncDir(s.dir)); err != nil {
			s.log.Error("after deleting a segment", "segment", seg.name, "error", err)
		}
	}
}

// syncCursors makes all frontiers durable. The caller holds mu.
func (s *Spool) syncCursors() error {
	var errs []error
	for _, c := range s.cursors {
		if c.journal == nil {
			continue
		}
		errs = append(errs, c.write(jrAdvance, appendVarints(nil, c.out.acked, c.count.Acked, c.count.DeadLettered, c.count.Dropped)))
		if c.journal.file != nil && s.o.Sync.Mode != SyncNever {
			errs = append(errs, c.journal.file.Sync())
		}
	}
	return errors.Join(errs...)
}

// dropOldest makes the outputs that allow it let go of the oldest segment, and
// says whether that helped.
func (s *Spool) dropOldest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) < 2 {
		return false
	}
	to := s.segments[1].base
	for _, c := range s.cursors {
		if c.out.acked < to && !c.spec.DropOldest {
			return false
		}
	}
	for _, c := range s.cursors {
		if c.out.acked < to {
			c.drop(to)
		}
	}
	return true
}

// drop moves a cursor to an offset and counts what it loses. The caller holds mu.
func (c *Cursor) drop(to int64) {
	before := c.remaining()
	for len(c.pending) > 0 && c.pending[0].base < to {
		c.pending = c.pending[1:]
	}
	c.out.acked, c.next = to, max(c.next, to)
	c.count.Dropped += before - c.remaining()
}

func (c *Cursor) remaining() int64 { return 0 }

// commit takes a copy of a position into the state. The caller holds mu.
func (s *Spool) commit(p *record.Position) {
	old := s.st.sources[p.Source]
	if old == nil {
		c := p.Clone()
		s.st.sources[p.Source] = &c
		return
	}
	state := append(old.State[:0], p.State...)
	*old = *p
	old.State = state
}

// forget lets go of sources that have not been seen for long. The caller holds
// mu.
func (s *Spool) forget(now time.Time) {
	for key, p := range s.st.sources {
		if !p.Seen.IsZero() && now.Sub(p.Seen) > s.o.ForgetAfter {
			delete(s.st.sources, key)
		}
	}
}
