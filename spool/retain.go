package spool

import (
	"errors"
	"slices"
	"time"

	"github.com/spillway/spillway/internal/failpoint"
	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
)

// full is the reason that Status gives for a spool without room.
const full = "spool full: an output does not keep up, and its on_full is block"

// earlyBytes of a spool of limit bytes are two-thirds of it.
func earlyBytes(limit int64) int64 { return limit / 3 * 2 }

// warnEvery is how often it is said that the spool is filling, or full.
const warnEvery = time.Minute

// warnEarly says loudly that two-thirds of the spool are in use, at once and then at
// intervals, and how long the rest lasts at the rate since it last looked. The caller
// holds the turn.
func (s *Spool) warnEarly(used int64) {
	w, now := &s.writer, time.Now()
	early, since := used >= earlyBytes(s.o.MaxBytes), now.Sub(w.looked)
	if since < warnEvery && (w.early || !early) {
		return
	}
	if early {
		left := "unknown"
		if rate := float64(used-w.lookedBytes) / since.Seconds(); rate > 0 && !w.looked.IsZero() {
			left = time.Duration(float64(s.o.MaxBytes-used) / rate * float64(time.Second)).Round(time.Second).String()
		}
		s.log.Warn("the spool is two-thirds full: an output does not keep up", "bytes", used, "max_bytes", s.o.MaxBytes, "full_in", left)
	}
	w.looked, w.lookedBytes, w.early = now, used, early
}

// room says whether size bytes may be written now, and makes room for them if it
// can. Dead letters may use the reserve. The caller holds the turn.
func (s *Spool) room(size int64, dead bool) bool {
	limit := s.o.MaxBytes
	if dead {
		limit += reserveBytes
	}
	if s.tooMuchUnsynced() {
		signal(s.dirty)
		return false
	}
	for {
		used := s.used()
		s.warnEarly(used)
		if used+size <= limit {
			return true
		}
		if err := s.free(); err != nil {
			s.setTrouble(err.Error())
			return false
		}
		if used := s.used(); used+size <= limit || used <= s.smallest() {
			return true
		}
		if !s.dropOldest() {
			if now := time.Now(); now.Sub(s.writer.saidFull) >= warnEvery {
				s.writer.saidFull = now
				s.log.Warn(full, "bytes", used, "max_bytes", s.o.MaxBytes)
			}
			s.setTrouble(full)
			return false
		}
	}
}

// tooMuchUnsynced says that a sync has to succeed before more may be written: what is
// not synced is held in memory.
func (s *Spool) tooMuchUnsynced() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unsyncedBytes >= unsyncedMax
}

func (s *Spool) used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// smallest is the size of a spool that holds nothing but its opening: it takes a
// group of any size, or the group could never be taken.
func (s *Spool) smallest() int64 { return s.writer.opening }

// free deletes what every output has passed, the segment under construction
// included. One that is all there is ends, too, if it may be dropped.
func (s *Spool) free() error {
	s.expire(time.Now())
	s.mu.Lock()
	last := s.segments[len(s.segments)-1]
	done := s.pinned() >= s.next || len(s.segments) == 1 && s.mayDrop(s.next)
	done = done && last.size > s.writer.opening
	s.mu.Unlock()
	if done {
		if err := s.roll(); err != nil {
			return err
		}
	}
	return s.deletePassed()
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
func (s *Spool) deletePassed() error {
	for {
		s.mu.Lock()
		if len(s.segments) < 2 || s.pinned() < s.segments[1].base {
			s.mu.Unlock()
			return nil
		}
		seg := s.segments[0]
		s.mu.Unlock()
		err := s.keepCursors()
		if err == nil {
			failpoint.Hit("delete.mid")
			err = s.fs.Remove(seg.name)
		}
		if err != nil {
			s.log.Error("cannot delete a segment that every output has passed; it is kept", "segment", seg.name, "error", err)
			return err
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

// keepCursors makes all frontiers durable.
func (s *Spool) keepCursors() error {
	var errs []error
	for _, c := range s.cursors {
		errs = append(errs, c.keep())
	}
	return errors.Join(errs...)
}

// keep makes the frontier durable, whatever the mode: what lies before it may go.
func (c *Cursor) keep() error {
	return c.inTurn(func() error {
		s := c.s
		s.mu.Lock()
		frontier, body := c.out.acked, c.advanceBody()
		s.mu.Unlock()
		err := c.write(jrAdvance, body)
		if err == nil {
			err = c.sync()
		}
		if err == nil {
			s.mu.Lock()
			s.st.forgetDead(c.spec.ID, frontier)
			s.mu.Unlock()
		}
		return err
	})
}

// dropOldest makes the outputs that allow it let go of the oldest segment, if
// nothing else holds it, and says whether that helped.
func (s *Spool) dropOldest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) < 2 || !s.mayDrop(s.segments[1].base) {
		return false
	}
	s.dropTo(s.segments[1], "the spool is full")
	return true
}

// mayDrop says whether outputs hold what lies before an offset, and all of them allow
// that it is dropped. The caller holds mu.
func (s *Spool) mayDrop(before int64) bool {
	held := false
	for _, c := range s.cursors {
		if c.out.acked < before {
			if !c.spec.DropOldest {
				return false
			}
			held = true
		}
	}
	return held
}

// expire drops segments that are older than the age allows.
func (s *Spool) expire(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.MaxAge == 0 {
		return
	}
	for _, following := range s.segments[1:] {
		began, err := following.began()
		if err != nil {
			s.log.Error("the age of a segment cannot be read; it is kept", "segment", following.name, "error", err)
			return
		}
		if now.Sub(began) <= s.o.MaxAge {
			return
		}
		s.dropTo(following, "the records are older than max_age")
	}
}

// dropTo moves every cursor at least to the base of a segment. What a cursor loses
// is counted as dropped, to it alone; a frame that is out stays valid, but its
// acknowledgement no longer counts. The caller holds mu.
func (s *Spool) dropTo(seg *segment, why string) {
	for _, c := range s.cursors {
		if c.out.acked < seg.base {
			lost := c.drop(seg)
			s.log.Warn("records are dropped", "output", c.spec.ID, "records", lost, "because", why)
		}
	}
}

// drop moves the cursor to the base of a segment and returns how many records it
// loses. The caller holds mu.
func (c *Cursor) drop(seg *segment) int64 {
	for _, g := range c.pending {
		g.abandoned = g.abandoned || g.frame != nil && g.base < seg.base
	}
	c.pending = slices.DeleteFunc(c.pending, func(g *given) bool { return g.frame == nil && g.base < seg.base })
	lost := c.unaccounted(seg.base, c.s.routedBefore(c.out, seg))
	c.out.count.Dropped += lost
	c.out.acked, c.next = max(c.out.acked, seg.base), max(c.next, seg.base)
	return lost
}

// unaccounted is how many records before an offset the counts do not know, where so
// many had been routed. Those that are out or deferred are known. The caller holds mu.
func (c *Cursor) unaccounted(offset, routed int64) int64 {
	known := c.out.count.Acked + c.out.count.DeadLettered + c.out.count.Dropped
	for _, g := range c.pending {
		switch {
		case g.acked() && g.base >= offset:
			known -= g.count
		case !g.acked() && g.base < offset && !g.abandoned:
			known += g.count
		}
	}
	return max(0, routed-known)
}

// routedBefore is how many records were for an output when a segment began. The
// caller holds mu.
func (s *Spool) routedBefore(o *outputState, seg *segment) int64 {
	if seg.lanes == nil {
		lanes, err := readLanes(seg)
		if err != nil {
			s.log.Error("the counts at the beginning of a segment cannot be read", "segment", seg.name, "error", err)
			return 0
		}
		seg.lanes = lanes
	}
	n, _ := o.routedAt(seg.base, seg.lanes)
	return n
}

// readLanes reads how many records each lane had when the segment began, from its
// opening.
func readLanes(seg *segment) ([]int64, error) {
	sc := newScanner(seg)
	e, err := sc.next()
	if err != nil {
		return nil, err
	}
	if lanes := lanesIn(e.data); lanes != nil {
		return lanes, nil
	}
	return nil, errBad
}

// lanesIn are the lanes' counts in an opening; nil where the batch is none.
func lanesIn(batch []byte) []int64 {
	var r recordbatch.Reader
	st := newState()
	content, ours, err := parseMark(batch, &r)
	if err != nil || !ours || content[1] != markOpening || st.apply(content) != nil {
		return nil
	}
	return st.laneCounts()
}

func (st *state) laneCounts() []int64 {
	counts := make([]int64, 0, len(st.lanes))
	for _, l := range st.lanes {
		counts = append(counts, l.records)
	}
	return counts
}

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

// forgetGrace is for how long after the start nothing is forgotten: after a long
// time off, the inputs must first see what is still there. It is longer than an
// input waits before it renews the position of an idle source.
const forgetGrace = 12 * time.Hour

// forget lets go of sources that have not been seen for long. The caller holds
// mu.
func (s *Spool) forget(now time.Time) {
	if now.Sub(s.opened) < min(forgetGrace, s.o.ForgetAfter) {
		return
	}
	for key, p := range s.st.sources {
		if !p.Seen.IsZero() && now.Sub(p.Seen) > s.o.ForgetAfter {
			delete(s.st.sources, key)
			delete(s.checkpoints.settled, key)
			s.checkpoints.changed = true
		}
	}
}
