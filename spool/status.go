package spool

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Status is a look at a spool.
type Status struct {
	Bytes, MaxBytes int64
	Segments        int
	// Next is the next offset; everything before Synced survives a power cut.
	Next, Synced int64
	// Trouble is what keeps the spool from taking records; its reason is empty
	// if nothing does.
	Trouble Trouble
	// QuarantinedBytes were unreadable and are kept aside; LostRecords could
	// not be read any more.
	QuarantinedBytes, LostRecords int64
	Account                       Account
	Outputs                       []OutputStatus
}

// OutputStatus is one output's part.
type OutputStatus struct {
	ID string
	// Frontier is the offset before which everything is acknowledged.
	Frontier int64
	// Routed counts the records that were for this output; the others say what
	// became of them.
	Routed, Acked, DeadLettered, Dropped, PendingRecords int64
	// PendingBytes is about how many bytes of the spool lie before it.
	PendingBytes int64
	// OldestUnsent is the age of the oldest record that is not acknowledged, as
	// far as it is known.
	OldestUnsent time.Duration
}

// Balance checks the output's law of conservation.
func (o *OutputStatus) Balance() error {
	if out := o.Acked + o.DeadLettered + o.Dropped + o.PendingRecords; o.Routed != out {
		return fmt.Errorf("output %s: %d records routed, but %d accounted for (%d acknowledged, %d dead-lettered, %d dropped, %d pending)",
			o.ID, o.Routed, out, o.Acked, o.DeadLettered, o.Dropped, o.PendingRecords)
	}
	return nil
}

// Status returns a look at the spool as it is now.
func (s *Spool) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{
		Bytes: s.bytes, MaxBytes: s.o.MaxBytes, Segments: len(s.segments), Next: s.next, Synced: s.st.synced,
		Trouble: s.trouble, QuarantinedBytes: s.quarantined, LostRecords: s.lost, Account: s.st.account,
	}
	for _, c := range s.cursors {
		routed := s.st.routed(c.out)
		o := OutputStatus{
			ID: c.spec.ID, Frontier: c.out.acked, Routed: routed,
			Acked: c.count.Acked, DeadLettered: c.count.DeadLettered, Dropped: c.count.Dropped,
			PendingRecords: routed - c.count.Acked - c.count.DeadLettered - c.count.Dropped,
		}
		st.Outputs = append(st.Outputs, o)
	}
	return st
}

// Delivered waits until every output has acknowledged everything.
func (s *Spool) Delivered(ctx context.Context) error {
	for {
		s.mu.Lock()
		done := s.pinned() >= s.visible && len(s.waiting) == 0
		s.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close syncs what is written, keeps the cursors, and ends everything. Nothing
// may be appended or read any more.
func (s *Spool) Close() error {
	if s.o.Sync.Mode != SyncNever && !s.sync() {
		s.turn <- struct{}{}
		_ = s.rewrite()
		<-s.turn
	}
	s.stop()
	s.workers.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.syncCursors()
	for _, a := range s.waiting {
		a.tell(ErrClosed)
	}
	s.waiting = nil
	for _, c := range s.cursors {
		for _, g := range c.pending {
			if g.frame != nil {
				g.frame.Release()
				g.frame = nil
			}
		}
		err = errors.Join(err, c.journal.close())
	}
	for _, f := range s.tail.frames {
		f.Release()
	}
	s.tail.frames = nil
	return errors.Join(err, s.closeFiles())
}

func (s *Spool) closeFiles() error {
	var errs []error
	for _, seg := range s.segments {
		if seg.file != nil {
			errs = append(errs, seg.file.Close())
			seg.file = nil
		}
	}
	return errors.Join(errs...)
}
