package spool

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"slices"
	"time"

	"github.com/spillway/spillway/internal/failpoint"
	"github.com/spillway/spillway/spool/recordbatch"
)

// remember keeps what a failed sync would need. The caller holds mu.
func (s *Spool) remember(g *Group, start, n int64) {
	if s.o.Sync.Mode == SyncNever {
		return
	}
	w := &written{mark: append([]byte(nil), s.writer.buffer...), start: start, end: s.next, bytes: n}
	for _, f := range g.Frames {
		f.Retain()
		w.frames = append(w.frames, f)
	}
	s.unsynced = append(s.unsynced, w)
	s.unsyncedBytes += n
}

// syncer syncs until the spool closes: at the interval, and when asked to.
func (s *Spool) syncer() {
	var tick <-chan time.Time
	if s.o.Sync.Mode == SyncInterval {
		t := time.NewTicker(s.o.Sync.Every)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-s.closing.Done():
			return
		case <-tick:
		case <-s.dirty:
		}
		if !s.sync() {
			s.mend()
		}
	}
}

// sync makes everything that has been written durable, and says whether it did.
// A sync that fails is never repeated on the same file, since the system may have
// forgotten what it could not write: mend writes it again elsewhere.
func (s *Spool) sync() bool {
	s.syncTurn <- struct{}{}
	defer func() { <-s.syncTurn }()
	s.mu.Lock()
	n, failed := len(s.unsynced), s.syncFailed
	if n == 0 || failed {
		s.mu.Unlock()
		return !failed
	}
	end := s.unsynced[n-1].end
	file := s.segments[len(s.segments)-1].file
	s.mu.Unlock()
	if err := file.Sync(); err != nil {
		s.log.Error("sync failed; writing what is not synced into a new segment", "error", err)
		s.setTrouble(err.Error())
		s.mu.Lock()
		s.syncFailed = true
		s.mu.Unlock()
		return false
	}
	s.durable(end)
	return true
}

// syncAll makes everything durable where nothing has been synced so far.
func (s *Spool) syncAll() error {
	errs := []error{s.fs.SyncDir(s.dir)}
	for _, seg := range s.segments {
		errs = append(errs, seg.file.Sync())
	}
	return errors.Join(errs...)
}

// durable notes that everything before end is synced.
func (s *Spool) durable(end int64) {
	for _, a := range s.settleSynced(end) {
		a.tell(nil)
	}
	signal(s.freed)
}

// settleSynced lets go of what is synced, and returns who is to be told.
func (s *Spool) settleSynced(end int64) []answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for ; n < len(s.unsynced) && s.unsynced[n].end <= end; n++ {
		s.unsyncedBytes -= s.unsynced[n].bytes
		for _, f := range s.unsynced[n].frames {
			f.Release()
		}
	}
	s.unsynced = slices.Delete(s.unsynced, 0, n)
	s.st.synced = max(s.st.synced, end)
	if s.o.Sync.Mode == SyncAlways {
		s.visible = max(s.visible, end)
		s.wake()
	}
	n = 0
	for n < len(s.waiting) && s.waiting[n].end <= end {
		n++
	}
	told := slices.Clone(s.waiting[:n])
	s.waiting = slices.Delete(s.waiting, 0, n)
	return told
}

// mend writes the unsynced groups again until a sync of them succeeds, or the
// spool closes. Between attempts others have their turn: they may free space.
func (s *Spool) mend() {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		select {
		case s.turn <- struct{}{}:
		case <-s.closing.Done():
			return
		}
		var err error
		s.useTurn(func() { err = s.rewrite() })
		if err == nil {
			s.setTrouble("")
			return
		}
		s.setTrouble(err.Error())
		s.log.Error("cannot write the unsynced frames again; trying again", "error", err)
		if isFull(err) {
			s.dropBallast()
		}
		select {
		case <-time.After(wait):
		case <-s.closing.Done():
			return
		}
	}
}

// rewrite writes the unsynced groups into a new segment, behind an opening that
// stands in the place of the last synced mark, and syncs it. The caller holds the
// turn.
func (s *Spool) rewrite() error {
	s.mu.Lock()
	groups := slices.Clone(s.unsynced)
	old := s.segments[len(s.segments)-1]
	if !s.syncFailed || len(groups) == 0 {
		s.syncFailed = false
		s.mu.Unlock()
		return nil
	}
	base := groups[0].start
	generation := 1
	if old.base == base-1 {
		generation = old.generation + 1
	}
	s.mu.Unlock()
	var lanes []int64
	s.locked(func() {
		lanes = s.st.laneCounts()
		for _, g := range groups {
			for _, f := range g.frames {
				lanes[f.Lane] -= int64(f.Count)
			}
		}
		s.buildOpening(groups[len(groups)-1].end, lanes)
	})
	opening := s.writer.mark.appendWhole(nil, time.Now())
	recordbatch.SetBaseOffset(opening, base-1)

	seg := &segment{base: base - 1, generation: generation, created: time.Now().UnixMilli(), lanes: lanes}
	bufs := [][]byte{opening}
	for _, g := range groups {
		for _, f := range g.frames {
			bufs = append(bufs, f.Data)
		}
		bufs = append(bufs, g.mark)
	}
	if err := s.create(seg, bufs); err != nil {
		return err
	}
	s.writer.began(s.o.SegmentBytes, int64(len(opening)))
	s.writer.torn = false
	s.supersede(old, seg)
	s.durable(groups[len(groups)-1].end)
	return nil
}

// supersede puts seg, which holds what could not be synced, in the place of the end
// of old. The caller holds the turn.
func (s *Spool) supersede(old, seg *segment) {
	cut := int64(0)
	if seg.base > old.base {
		cut = s.cutAt(old, seg.base)
	}
	s.mu.Lock()
	s.bytes += seg.size + cut - old.size
	old.size = cut
	if cut == 0 {
		s.segments = s.segments[:len(s.segments)-1]
	}
	s.segments = append(s.segments, seg)
	s.syncFailed = false
	s.mu.Unlock()
	// A start would pass over what is cut or removed here, if that fails.
	if cut == 0 {
		_, _ = old.file.Close(), s.fs.Remove(old.name)
	} else {
		_ = old.file.Truncate(cut)
	}
}

// cutAt is the size of seg up to an offset.
func (s *Spool) cutAt(seg *segment, offset int64) int64 {
	sc := newScanner(seg)
	for {
		e, err := sc.header()
		if err != nil || e.BaseOffset >= offset {
			return sc.pos
		}
		sc.pass(e)
	}
}

// create makes the file of seg with these contents, synced.
func (s *Spool) create(seg *segment, bufs [][]byte) error {
	err := s.sweep()
	if err != nil {
		return err
	}
	for ; ; seg.generation++ {
		seg.name = s.path(segmentName(seg.base, seg.generation))
		if seg.file, err = s.fs.Create(seg.name); !isExist(err) {
			break
		}
	}
	if err != nil {
		return err
	}
	for _, b := range bufs {
		seg.size += int64(len(b))
	}
	n, err := seg.file.Writev(bufs, 0)
	if err == nil && int64(n) != seg.size {
		err = fmt.Errorf("%s: wrote %d of %d bytes", seg.name, n, seg.size)
	}
	if err == nil { // whatever the mode: the one before may be deleted for it
		err = errors.Join(seg.file.Sync(), s.fs.SyncDir(s.dir))
	}
	if err == nil {
		return nil
	}
	err = errors.Join(err, seg.file.Close())
	s.writer.debris = append(s.writer.debris, seg.name)
	return err
}

// sweep removes segments that could not be finished: a start would take them for
// the end of the one before. Nothing is written while one of them is there.
func (s *Spool) sweep() error {
	d := &s.writer.debris
	for len(*d) > 0 {
		if err := s.fs.Remove((*d)[0]); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return err
		}
		*d = (*d)[1:]
	}
	return nil
}

// roll begins a new segment. The old one is synced first, so that only the last
// segment is ever in doubt. The caller holds the turn.
func (s *Spool) roll() error {
	if s.o.Sync.Mode != SyncNever && !s.sync() {
		if err := s.rewrite(); err != nil {
			return err
		}
	}
	seg := &segment{created: time.Now().UnixMilli()}
	s.locked(func() {
		seg.base, seg.lanes = s.next, s.st.laneCounts()
		s.forget(time.Now())
		s.buildOpening(0, seg.lanes)
	})
	opening := s.writer.mark.appendMark(nil, time.Now())
	recordbatch.SetBaseOffset(opening, seg.base)
	h, err := recordbatch.ParseHeader(opening)
	if err != nil {
		return err
	}
	failpoint.Hit("roll.mid")
	if err := s.create(seg, [][]byte{opening}); err != nil {
		return err
	}
	s.writer.began(s.o.SegmentBytes, seg.size)
	s.mu.Lock()
	s.segments = append(s.segments, seg)
	s.bytes += seg.size
	s.next = h.NextOffset()
	s.visible = s.next
	if s.o.Sync.Mode != SyncNever {
		s.st.synced = s.next
	}
	s.mu.Unlock()
	s.writer.torn = false
	s.wakeAll()
	_ = s.deletePassed() // it has said why, and the keeper tries again
	return nil
}
