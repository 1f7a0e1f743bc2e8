package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spillway/spillway/internal/failpoint"
	"github.com/spillway/spillway/spool/recordbatch"
)

// writer is what the holder of the turn owns.
type writer struct {
	mark    markWriter
	scratch []byte
	buffer  []byte
	bufs    [][]byte
	// debris are segments that could not be finished and must go.
	debris []string
	// full is the size at which the segment under construction is full, opening
	// the size of its opening.
	full, opening int64
	// looked is when and lookedBytes at which size the spool's filling was last
	// looked at, and early whether it was two-thirds full.
	looked      time.Time
	lookedBytes int64
	early       bool
	// saidFull is when it was last said that the spool is full.
	saidFull time.Time
	// told is how many lanes the mark under construction has told of.
	told int
	// torn says that what a failed write left behind the segment's end is still
	// there.
	torn bool
}

// began notes that a segment has begun with an opening of so many bytes.
func (w *writer) began(segmentBytes, opening int64) {
	w.opening, w.full = opening, max(segmentBytes, openingRatio*opening)
}

// Waits between attempts grow from the first to the longest.
const (
	firstWait   = 10 * time.Millisecond
	longestWait = 5 * time.Second
)

// written is a group that has been written but not yet synced, as it must be
// written again if the sync fails.
type written struct {
	frames []*Frame
	mark   []byte
	// The group has the offsets from start up to end.
	start, end int64
	bytes      int64
}

// Append puts a group into the spool: all its frames and the mark that commits
// them in one write. While the spool or the disk is full, or the disk fails, it
// waits and tries again; only ctx or Close ends that.
func (s *Spool) Append(ctx context.Context, g *Group) error {
	err := s.append(ctx, g)
	for _, f := range g.Frames {
		f.Release()
	}
	if err != nil && g.Durable != nil {
		g.Durable(err)
	}
	return err
}

func (s *Spool) append(ctx context.Context, g *Group) error {
	size := int64(0)
	for _, f := range g.Frames {
		size += int64(len(f.Data))
	}
	for wait := firstWait; ; {
		select {
		case s.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closing.Done():
			return ErrClosed
		}
		pause, done, err := time.Second, false, error(nil)
		s.useTurn(func() { done, err = s.attempt(g, size) })
		switch {
		case done:
			return nil
		case err != nil:
			pause, wait = wait, min(2*wait, longestWait)
		}
		// What is waited for may need the turn: a dead letter, a sync that failed.
		select {
		case <-s.freed:
		case <-time.After(pause):
		case <-ctx.Done():
			return s.ended(ctx)
		case <-s.closing.Done():
			return ErrClosed
		}
	}
}

func (s *Spool) ended(ctx context.Context) error {
	if s.closing.Err() != nil {
		return ErrClosed
	}
	return ctx.Err()
}

// attempt writes g if there is room for it now, and says whether it did.
func (s *Spool) attempt(g *Group, size int64) (bool, error) {
	if s.broken.Load() {
		return false, ErrClosed
	}
	if !s.room(size, len(g.dead) > 0) {
		return false, nil
	}
	err := s.write(g)
	if err == nil {
		s.setTrouble("")
		return true, nil
	}
	s.setTrouble(err.Error())
	s.log.Error("cannot write to the spool; trying again", "error", err)
	return false, err
}

// write writes g once. After an error the segment is as it was.
func (s *Spool) write(g *Group) error {
	if err := s.sweep(); err != nil {
		return err
	}
	if s.current().size >= s.writer.full {
		if err := s.roll(); err != nil {
			return err
		}
	}
	w := &s.writer
	var at int64
	s.locked(func() {
		at = s.next
		for _, f := range g.Frames {
			f.Base = at
			at = f.End()
		}
		s.buildMark(g, time.Now())
	})
	w.buffer = w.mark.appendMark(w.buffer[:0], time.Now())
	recordbatch.SetBaseOffset(w.buffer, at)
	mark, err := recordbatch.ParseHeader(w.buffer)
	if err != nil {
		return err
	}
	w.bufs = w.bufs[:0]
	for _, f := range g.Frames {
		recordbatch.SetBaseOffset(f.Data, f.Base)
		w.bufs = append(w.bufs, f.Data)
	}
	w.bufs = append(w.bufs, w.buffer)
	n, err := s.put(s.current())
	if err != nil {
		return err
	}
	failpoint.Hit("append.done")
	s.publish(g, n, mark.NextOffset())
	if g.Durable != nil && !s.waits(g) {
		g.Durable(nil)
	}
	return nil
}

// put writes w.bufs at the end of seg and returns how many bytes that was. What
// was written of a failed write is cut off again.
func (s *Spool) put(seg *segment) (int64, error) {
	total := int64(0)
	for _, b := range s.writer.bufs {
		total += int64(len(b))
	}
	if failpoint.Due("append.mid") {
		s.writeHalf(seg, total)
	}
	if err := s.cutTorn(seg); err != nil {
		return 0, err
	}
	n, err := seg.file.Writev(s.writer.bufs, seg.size)
	if err == nil && int64(n) == total {
		return total, nil
	}
	if err == nil {
		err = fmt.Errorf("%s: wrote %d of %d bytes", seg.name, n, total)
	}
	s.writer.torn = true
	return 0, errors.Join(err, s.cutTorn(seg))
}

// cutTorn cuts off what a failed write has left. Nothing may be written before that
// has succeeded: behind something shorter, a whole mark of what failed could be left.
func (s *Spool) cutTorn(seg *segment) error {
	if !s.writer.torn {
		return nil
	}
	err := seg.file.Truncate(seg.size)
	s.writer.torn = err != nil
	return err
}

// writeHalf is for the failpoint: a kill in the middle of a write.
func (s *Spool) writeHalf(seg *segment, total int64) {
	var flat []byte
	for _, b := range s.writer.bufs {
		flat = append(flat, b...)
	}
	_, _ = seg.file.Writev([][]byte{flat[:total/2]}, seg.size)
	failpoint.Die("append.mid")
}

// buildMark builds the content of g's mark. The caller holds mu.
func (s *Spool) buildMark(g *Group, now time.Time) {
	w := &s.writer
	w.mark.begin(markDelta)
	for i := range g.Positions {
		w.scratch = appendSource(w.scratch[:0], &g.Positions[i])
		w.mark.entry(tagSource, w.scratch)
	}
	total := s.st.account
	total.Add(&g.Account)
	w.scratch = appendAccount(w.scratch[:0], &total)
	w.mark.entry(tagAccount, w.scratch)
	w.scratch = appendVarints(w.scratch[:0], s.st.synced)
	w.mark.entry(tagSynced, w.scratch)
	w.told = len(s.st.lanes)
	for i, l := range s.st.lanes {
		for _, f := range g.Frames {
			if int(f.Lane) == i {
				l.records += int64(f.Count)
			}
		}
		if l.records != s.st.lanes[i].records || !l.marked {
			w.scratch = appendLane(w.scratch[:0], i, l)
			w.mark.entry(tagLane, w.scratch)
		}
	}
	for _, d := range g.dead {
		w.scratch = appendDead(w.scratch[:0], d)
		w.mark.entry(tagDead, w.scratch)
	}
}

// publish makes a written group known: to the state, to the cursors, and to the
// syncer.
func (s *Spool) publish(g *Group, n, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments[len(s.segments)-1].size += n
	s.bytes += n
	start := s.next
	s.next = next
	s.st.account.Add(&g.Account)
	for i := range g.Positions {
		s.commit(&g.Positions[i])
	}
	for i := range s.st.lanes[:s.writer.told] {
		s.st.lanes[i].marked = true
	}
	for _, f := range g.Frames {
		s.st.lanes[f.Lane].records += int64(f.Count)
		s.tail.push(f)
	}
	for _, d := range g.dead {
		s.st.dead[d] = struct{}{}
	}
	s.remember(g, start, n)
	s.tail.shrink(s.o.TailBytes)
	if s.o.Checkpoints != nil {
		s.checkpoints.add(next, g.Positions)
	}
	if s.o.Sync.Mode != SyncAlways {
		s.visible = next
		s.wake()
	}
	if s.waits(g) && g.Durable != nil {
		s.waiting = append(s.waiting, answer{next, g.Durable})
	}
	if s.waits(g) || s.unsyncedBytes >= unsyncedMax/2 {
		signal(s.dirty)
	}
}

// waits says that g is to be synced before anybody is told of it. An output's dead
// letters are: its cursor moves then, and nothing would give them again.
func (s *Spool) waits(g *Group) bool {
	return s.o.Sync.Mode == SyncAlways || s.o.Sync.Mode == SyncInterval && len(g.dead) > 0
}

// wake tells all cursors that there may be something new.
func (s *Spool) wake() {
	for _, c := range s.cursors {
		signal(c.wake)
	}
}

func (s *Spool) wakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake()
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *Spool) current() *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.segments[len(s.segments)-1]
}

// setTrouble notes what keeps the spool from taking records, or, with no reason,
// that nothing does; a sync that failed does until mend is done.
func (s *Spool) setTrouble(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case reason == "" && s.syncFailed:
	case reason == "":
		s.trouble = Trouble{}
	case s.trouble.Reason == "":
		s.trouble = Trouble{reason, time.Now()}
	default:
		s.trouble.Reason = reason
	}
}
