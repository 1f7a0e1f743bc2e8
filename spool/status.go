package spool

import (
	"context"
	"encoding/binary"
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
	// QuarantinedBytes were unreadable and are kept aside.
	QuarantinedBytes int64
	// Uncertain counts cursors whose journal was lost.
	Uncertain int64
	Account   Account
	Outputs   []OutputStatus
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
		Trouble: s.trouble, QuarantinedBytes: s.quarantined, Uncertain: s.uncertain, Account: s.st.account,
	}
	for _, c := range s.cursors {
		routed := s.st.routed(c.out)
		o := OutputStatus{
			ID: c.spec.ID, Frontier: c.out.acked, Routed: routed,
			Acked: c.out.count.Acked, DeadLettered: c.out.count.DeadLettered, Dropped: c.out.count.Dropped,
			PendingRecords: routed - c.out.count.Acked - c.out.count.DeadLettered - c.out.count.Dropped,
		}
		s.behind(c, &o, time.Now())
		st.Outputs = append(st.Outputs, o)
	}
	return st
}

// behind fills in how far the output lags, by segments: more is not known without
// reading. The caller holds mu.
func (s *Spool) behind(c *Cursor, o *OutputStatus, now time.Time) {
	if o.PendingRecords <= 0 {
		return
	}
	for i := len(s.segments) - 1; i >= 0; i-- {
		seg := s.segments[i]
		o.PendingBytes += seg.size
		if seg.base <= c.out.acked {
			if began, err := seg.began(); err == nil {
				o.OldestUnsent = now.Sub(began)
			}
			break
		}
	}
	if i := s.tail.find(c.out.acked); i < s.tail.len() && c.out.acked >= s.tail.from {
		o.PendingBytes = 0
		o.OldestUnsent = now.Sub(frameTime(s.tail.at(i)))
		for ; i < s.tail.len(); i++ {
			o.PendingBytes += int64(len(s.tail.at(i).Data))
		}
	}
}

// frameTime is when a frame was made.
func frameTime(f *Frame) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(f.Data[27:])))
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

// Stop ends every wait: Append, Next, Stage and Reject return [ErrClosed] from now on,
// also while the disk fails. Close still follows, once those who use the spool have
// ended.
func (s *Spool) Stop() { s.stop() }

// Close syncs what is written, keeps the cursors, and ends everything. Nothing
// may be appended or read any more. After a panic it only lets go of the files.
func (s *Spool) Close() error {
	s.stop()
	s.workers.Wait()
	s.turn <- struct{}{}
	var err error
	if !s.broken.Load() {
		err = s.settle()
	}
	for _, c := range s.cursors {
		if c.journal != nil {
			c.turn <- struct{}{}
			err = errors.Join(err, c.journal.close())
		}
	}
	if j := s.checkpoints.journal; j != nil {
		err = errors.Join(err, j.close())
	}
	s.mu.Lock()
	unsynced := s.waiting
	s.waiting = nil
	s.tail.shrink(-1)
	err = errors.Join(err, s.closeFiles())
	s.mu.Unlock()
	for _, a := range unsynced {
		a.tell(ErrClosed)
	}
	return err
}

// settle makes everything durable, and says so in a last mark, so that after a
// power cut that follows nothing is in doubt.
func (s *Spool) settle() error {
	var errs []error
	if s.o.Sync.Mode == SyncNever {
		errs = append(errs, s.syncAll())
	} else if !s.sync() {
		errs = append(errs, s.rewrite())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.mu.Lock()
	s.st.synced = s.next + 1
	s.mu.Unlock()
	if err := s.write(&Group{}); err != nil {
		s.log.Warn("no last mark: the next start takes a little longer", "error", err)
	} else if err := s.current().file.Sync(); err != nil {
		return err
	}
	errs = append(errs, s.keepCursors())
	if s.o.Checkpoints != nil {
		errs = append(errs, s.writeCheckpoints())
	}
	return errors.Join(errs...)
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
