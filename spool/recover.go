package spool

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"time"

	"github.com/spillway/spillway/internal/failpoint"
	"github.com/spillway/spillway/spool/vfs"
)

// Open opens the spool in dir, or begins one. It reads the last segment only,
// however long the backlog is. What is torn or damaged never stops it; only what
// a newer version has written does, with [ErrNewer].
func Open(fs vfs.FS, dir string, o Options) (*Spool, error) {
	o = o.withDefaults()
	s := &Spool{
		fs: fs, dir: dir, o: o, log: o.Log, opened: time.Now(),
		turn: make(chan struct{}, 1), syncTurn: make(chan struct{}, 1),
		st: newState(), freed: make(chan struct{}, 1), dirty: make(chan struct{}, 1),
	}
	s.closing, s.stop = context.WithCancel(context.Background())
	if err := s.recover(); err != nil {
		s.stop()
		return nil, errors.Join(err, s.closeFiles())
	}
	if o.Sync.Mode != SyncNever {
		s.start(s.syncer)
	}
	if o.Checkpoints != nil {
		s.start(s.checkpointer)
	}
	s.start(s.keeper)
	return s, nil
}

// plan is what is to be made of the files that a start finds.
type plan struct {
	found
	// keep are the segments that count, by offset; aside are those that do not.
	keep, aside []*segment
	// jump says that offsets behind the end may have been used.
	jump bool
}

// recover brings the spool to the state of the last mark that counts. Nothing is
// changed before everything has been looked at: a newer format may come to light.
func (s *Spool) recover() error {
	s.findBallast()
	p, err := s.plan()
	if err != nil {
		return err
	}
	cursors, err := readCursors(s.fs, s.path("outputs"))
	if err != nil {
		return err
	}
	used := p.end
	for _, seg := range slices.Concat(p.keep, p.aside) {
		used = max(used, seg.base)
	}
	for _, c := range cursors {
		used = max(used, c.farthest())
	}
	if err := s.carryOut(p); err != nil {
		return err
	}
	if p.state != nil {
		s.st = p.state
	}
	s.next = p.end
	clean := s.st.synced >= s.next
	jump := p.jump || used > s.next || s.newBoot(s.st) && !clean && s.next > 0
	if jump {
		// Offsets up to here may have been sent before what stood at them was
		// lost: none is used twice.
		s.next = (used>>epochBits + 1) << epochBits
	}
	s.syncEarlier(jump)
	failpoint.Hit("recover.mid")
	for _, seg := range s.segments {
		s.bytes += seg.size
	}
	s.visible, s.tail.from = s.next, s.next
	if len(s.segments) > 0 && s.o.Sync.Mode != SyncNever {
		if err := s.loadUnsynced(s.segments[len(s.segments)-1]); err != nil {
			return err
		}
		s.syncNames(len(cursors) > 0)
	}
	return s.begin(jump || len(s.segments) == 0, p.end)
}

// syncNames makes the names of the files that are there durable: a former process may
// have been killed between creating one and syncing its folder. Where that fails, what
// is not synced is written again, under a name that is.
func (s *Spool) syncNames(journals bool) {
	err := s.fs.SyncDir(s.dir)
	s.syncFailed = err != nil && len(s.unsynced) > 0
	if journals {
		err = errors.Join(err, s.fs.SyncDir(s.path("outputs")))
	}
	if err != nil {
		s.log.Error("the spool's folder cannot be synced: a power cut might take its newest files", "error", err)
	}
}

// syncEarlier syncs what a life with SyncNever has left: later ones take all but the
// last segment for synced, and with SyncNever the next start would take a jump for a
// gap that a power cut left.
func (s *Spool) syncEarlier(jump bool) {
	last := len(s.segments) - 1
	if last < 0 || s.o.Sync.Mode == SyncNever && !jump || s.o.Sync.Mode != SyncNever && s.st.synced >= s.segments[last].base {
		return
	}
	if err := s.syncAll(); err != nil {
		s.log.Error("what was written without syncs cannot be synced", "error", err)
	} else if s.o.Sync.Mode == SyncNever {
		s.st.synced = s.next
	}
}

// farthest is the highest offset that the cursor's journal speaks of.
func (c *Cursor) farthest() int64 {
	at := c.out.acked
	for _, g := range c.pending {
		at = max(at, g.end)
	}
	for i := range c.inDoubt {
		at = max(at, c.inDoubt[i].End)
	}
	return at
}

// plan looks for the state to go on from.
func (s *Spool) plan() (*plan, error) {
	all, err := listSegments(s.fs, s.dir)
	if err != nil {
		return nil, err
	}
	s.segments = all // to be closed after an error
	for _, seg := range all {
		if seg.file, err = s.fs.Open(seg.name); err != nil {
			return nil, err
		}
	}
	p := &plan{keep: all}
	for len(p.keep) > 0 {
		last := p.keep[len(p.keep)-1]
		if p.found, err = s.examine(last); err != nil {
			return nil, err
		}
		if p.opened {
			break
		}
		// It was never used, or its beginning is damaged; the one before it
		// then says where to go on.
		p.found = found{end: last.base}
		p.jump = p.jump || last.size > 0
		p.cutOff(len(p.keep) - 1)
	}
	var superseded []*segment
	p.keep, superseded = latest(p.keep)
	p.aside = append(p.aside, superseded...)
	if p.opened && s.newBoot(p.state) {
		err = s.verifyUnsynced(p)
	}
	p.jump = p.jump || p.cut
	return p, err
}

// cutOff puts the segments from the n-th on aside.
func (p *plan) cutOff(n int) {
	p.aside = append(p.aside, p.keep[n:]...)
	p.keep = p.keep[:n:n]
}

// verifyUnsynced looks at earlier segments that were not synced when the machine
// went down: with sync: never more than the last one is in doubt. At the first bad
// frame everything behind it goes.
func (s *Spool) verifyUnsynced(p *plan) error {
	for i := 0; i+1 < len(p.keep); i++ {
		next := p.keep[i+1].base
		if next <= p.state.synced {
			continue
		}
		earlier, err := s.examine(p.keep[i])
		if err != nil {
			return err
		}
		if earlier.opened && !earlier.cut && earlier.end >= next {
			continue
		}
		keep := i + 1
		for ; keep > 1 && !earlier.opened; keep-- {
			if earlier, err = s.examine(p.keep[keep-2]); err != nil {
				return err
			}
		}
		if !earlier.opened {
			keep = 0
		}
		p.found, p.cut = earlier, true
		p.cutOff(keep)
	}
	return nil
}

// carryOut puts aside what does not count, and cuts the last segment behind the
// last mark that does.
func (s *Spool) carryOut(p *plan) error {
	for _, seg := range p.aside {
		if err := s.setAside(seg); err != nil {
			return err
		}
	}
	s.segments = p.keep
	if len(p.keep) == 0 {
		return nil
	}
	last := p.keep[len(p.keep)-1]
	if last.size <= p.size {
		return nil
	}
	s.log.Info("cutting what no mark has committed", "segment", last.name, "bytes", last.size-p.size)
	last.size = p.size
	// Synced, or a power cut could bring back what was cut.
	return errors.Join(last.file.Truncate(p.size), last.file.Sync())
}

func (s *Spool) newBoot(st *state) bool { return s.o.BootID == "" || st.boot != s.o.BootID }

// loadUnsynced takes the groups that a former process wrote and did not sync into
// memory, as this one would have them: a sync of them may fail too.
func (s *Spool) loadUnsynced(seg *segment) error {
	sc := newScanner(seg)
	w := &written{}
	for {
		e, err := sc.next()
		switch {
		case err == io.EOF:
			if len(s.unsynced) > 0 {
				if s.o.Sync.Mode == SyncAlways {
					s.visible = s.st.synced
				}
				signal(s.dirty)
			}
			return nil
		case errors.Is(err, errBad):
			if ok, err := sc.resync(math.MaxInt64); err != nil || !ok {
				return err
			}
			continue
		case err != nil:
			return err
		case e.NextOffset() <= s.st.synced || e.BaseOffset == seg.base && e.Control():
			continue
		}
		if w.bytes == 0 {
			w.start = e.BaseOffset
		}
		w.bytes += int64(e.Size())
		if !e.Control() {
			f := NewFrame()
			f.Data = append(f.Data[:0], e.data...)
			f.Base, f.Count, f.Lane = e.BaseOffset, e.Count, e.ProducerEpoch
			w.frames = append(w.frames, f)
			continue
		}
		w.mark, w.end = slices.Clone(e.data), e.NextOffset()
		s.unsynced = append(s.unsynced, w)
		s.unsyncedBytes += w.bytes
		w = &written{}
	}
}
