package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/spillway/spillway/internal/failpoint"
	"github.com/spillway/spillway/spool/recordbatch"
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
		s.workers.Go(s.syncer)
	}
	if o.Checkpoints != nil {
		s.workers.Go(s.checkpointer)
	}
	s.workers.Go(s.keeper)
	return s, nil
}

// found is what a segment says.
type found struct {
	state *state
	// opened says that the opening is there, and so that state is whole.
	opened bool
	// end is the offset behind the last mark that counts, size the bytes up to
	// there.
	end, size int64
	// cut says that something behind them was lost that a kill cannot explain.
	cut bool
}

// recover brings the spool to the state of the last mark that counts.
func (s *Spool) recover() error {
	segs, superseded, err := listSegments(s.fs, s.dir)
	if err != nil {
		return err
	}
	for _, seg := range slices.Concat(segs, superseded) {
		if seg.file, err = s.fs.Open(seg.name); err != nil {
			return err
		}
		s.segments = append(s.segments, seg)
	}
	s.segments = segs
	highest := int64(0)
	for _, seg := range segs {
		highest = max(highest, seg.base)
	}
	last, jump, err := s.lastState()
	if err != nil {
		return err
	}
	for _, seg := range superseded {
		if err := s.setAside(seg); err != nil {
			return err
		}
	}
	if last.state != nil {
		s.st = last.state
	}
	s.next = last.end
	clean := s.st.synced >= s.next
	if jump || s.newBoot(s.st) && !clean && s.next > 0 {
		// Offsets up to here may have been sent before what stood at them was
		// lost: none is used twice.
		s.next, jump = (max(s.next, highest)>>epochBits+1)<<epochBits, true
	}
	failpoint.Hit("recover.mid")
	for _, seg := range s.segments {
		s.bytes += seg.size
	}
	s.visible, s.tail.from = s.next, s.next
	if len(s.segments) > 0 && s.o.Sync.Mode != SyncNever {
		if err := s.loadUnsynced(s.segments[len(s.segments)-1]); err != nil {
			return err
		}
	}
	return s.begin(jump || len(s.segments) == 0)
}

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

// lastState finds the state to go on from. jump says that offsets behind it may
// have been used.
func (s *Spool) lastState() (f found, jump bool, err error) {
	for len(s.segments) > 0 {
		last := s.segments[len(s.segments)-1]
		if f, err = s.examine(last); err != nil {
			return f, false, err
		}
		if f.opened {
			break
		}
		// It was never used, or its beginning is damaged; the one before it
		// then says where to go on.
		f = found{end: last.base}
		jump = jump || last.size > 0
		if err := s.setAside(last); err != nil {
			return f, false, err
		}
		s.segments = s.segments[:len(s.segments)-1]
	}
	if !f.opened {
		return f, jump, nil
	}
	if s.newBoot(f.state) {
		if f, err = s.verifyUnsynced(f); err != nil {
			return f, false, err
		}
	}
	last := s.segments[len(s.segments)-1]
	if last.size > f.size {
		s.log.Info("cutting what no mark has committed", "segment", last.name, "bytes", last.size-f.size)
		// Synced, or a power cut could bring back what was cut.
		if err := errors.Join(last.file.Truncate(f.size), last.file.Sync()); err != nil {
			return f, false, err
		}
		last.size = f.size
	}
	return f, jump || f.cut, nil
}

// whole is f, unless the segment ends before it may: then it was never in use.
func (f found) whole(seg *segment) found {
	if f.opened && f.end < f.state.until {
		return found{state: newState(), end: seg.base}
	}
	return f
}

// verifyUnsynced looks at earlier segments that were not synced when the machine
// went down: with sync: never more than the last one is in doubt. At the first bad
// frame everything behind it goes.
func (s *Spool) verifyUnsynced(f found) (found, error) {
	for i := 0; i+1 < len(s.segments); i++ {
		if s.segments[i+1].base <= f.state.synced {
			continue
		}
		earlier, err := s.examine(s.segments[i])
		if err != nil {
			return f, err
		}
		if earlier.opened && !earlier.cut && earlier.end >= s.segments[i+1].base {
			continue
		}
		for _, seg := range s.segments[i+1:] {
			if err := s.setAside(seg); err != nil {
				return f, err
			}
		}
		s.segments = s.segments[:i+1]
		earlier.cut = true
		return earlier, nil
	}
	return f, nil
}

// examine reads a segment: its opening and its marks, up to the last that counts.
func (s *Spool) examine(seg *segment) (found, error) {
	f := found{state: newState(), end: seg.base}
	sc := newScanner(seg)
	var r recordbatch.Reader
	for {
		e, err := sc.next()
		var newer *recordbatch.VersionError
		switch {
		case err == io.EOF:
			return f.whole(seg), nil
		case errors.As(err, &newer):
			return f, fmt.Errorf("%w: %s: %w", ErrNewer, seg.name, err)
		case errors.Is(err, errBad):
			if !f.opened {
				return f, nil
			}
			if counts, err := s.resumes(&sc, &f); err != nil || !counts {
				return f.whole(seg), err
			}
			continue
		case err != nil:
			return f, err
		}
		if e.Control() {
			content, ours, err := parseMark(e.data, &r)
			if errors.Is(err, ErrNewer) {
				return f, fmt.Errorf("%s: %w", seg.name, err)
			}
			if ours && err == nil && (f.opened || content[1] == markOpening) && f.state.apply(content) == nil {
				f.opened, f.end, f.size = true, e.NextOffset(), sc.pos
			}
		}
	}
}

// resumes moves sc behind bad bytes if what follows them counts: if a mark there
// says that the place had been synced. Bad bytes that stay are skipped, and kept
// aside, by the cursors that come to them. Otherwise the bytes never became
// durable, by a power cut or a failed sync, and everything behind them goes with
// them, so that the sources read it again.
func (s *Spool) resumes(sc *scanner, f *found) (bool, error) {
	bad := sc.expected
	ok, err := sc.resync(math.MaxInt64)
	if err != nil || !ok {
		return false, err
	}
	probe := scanner{file: sc.file, pos: sc.pos, end: sc.end, expected: sc.expected}
	var r recordbatch.Reader
	for {
		e, err := probe.next()
		switch {
		case errors.Is(err, errBad):
			if ok, err := probe.resync(math.MaxInt64); err != nil || !ok {
				f.cut = true
				return false, err
			}
			continue
		case err == io.EOF:
			f.cut = true
			return false, nil
		case err != nil:
			return false, err
		}
		if !e.Control() {
			continue
		}
		later := newState()
		later.lanes = f.state.lanes
		if content, ours, err := parseMark(e.data, &r); ours && err == nil && later.apply(content) == nil && later.synced > bad {
			return true, nil
		}
	}
}

func (s *Spool) newBoot(st *state) bool { return s.o.BootID == "" || st.boot != s.o.BootID }

// setAside copies what an unusable segment holds into the quarantine, and removes
// it.
func (s *Spool) setAside(seg *segment) error {
	data, err := readAll(seg.file)
	if err != nil {
		return err
	}
	if len(data) > 0 {
		if err := s.quarantine(seg.base, data); err != nil {
			return err
		}
	}
	return errors.Join(seg.file.Close(), s.fs.Remove(seg.name))
}

// quarantine keeps unreadable bytes in a side file.
func (s *Spool) quarantine(offset int64, data []byte) error {
	for i := 0; ; i++ {
		f, err := s.fs.Create(s.path(fmt.Sprintf("quarantine/%020d-%d.bad", offset, i)))
		if isExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.quarantined += int64(len(data))
		s.mu.Unlock()
		s.log.Error("unreadable bytes are kept aside", "offset", offset, "bytes", len(data))
		n, err := f.Writev([][]byte{data}, 0)
		if err == nil && n < len(data) {
			err = io.ErrShortWrite
		}
		return errors.Join(err, f.Close())
	}
}

// begin settles outputs, lanes and cursors and, where they or the boot are new,
// begins a segment whose opening says so.
func (s *Spool) begin(fresh bool) error {
	if s.o.Checkpoints != nil {
		if err := s.openCheckpoints(); err != nil {
			return err
		}
	}
	fresh = fresh || s.newBoot(s.st)
	s.st.boot = s.o.BootID
	if s.o.DeadLane != "" {
		s.st.lane(s.o.DeadLane)
	}
	wanted := map[string]bool{}
	for _, spec := range s.o.Outputs {
		wanted[spec.ID] = true
		changed, err := s.addCursor(spec)
		if err != nil {
			return err
		}
		fresh = fresh || changed
	}
	for id := range s.st.outputs {
		if !wanted[id] {
			s.log.Warn("an output is gone from the configuration: its cursor no longer holds anything", "output", id)
		}
	}
	if fresh {
		return s.roll()
	}
	last := s.segments[len(s.segments)-1]
	s.writer.full = s.o.SegmentBytes
	s.writer.opening = min(last.size, s.o.SegmentBytes)
	// The last mark may say that everything is synced. That must not be what a
	// power cut leaves of this life.
	if err := s.write(&Group{}); err != nil {
		return err
	}
	if s.o.Sync.Mode != SyncNever {
		s.sync()
	}
	return nil
}

// addCursor makes the cursor of an output, and says whether the marks have to
// learn something about it.
func (s *Spool) addCursor(spec Output) (changed bool, err error) {
	o, known := s.st.outputs[spec.ID]
	lane := s.st.lane(spec.Lane)
	switch {
	case !known:
		o = &outputState{acked: s.next, spans: []laneSpan{{from: s.next, lane: lane, base: s.st.lanes[lane].records}}}
		if spec.StartOldest && len(s.segments) > 0 {
			s.startOldest(o)
		}
		s.st.outputs[spec.ID] = o
	case o.spans[len(o.spans)-1].lane != lane:
		o.spans = append(o.spans, laneSpan{s.next, lane, s.st.lanes[lane].records, s.st.routed(o)})
	}
	changed = !known || o.spans[len(o.spans)-1].from == s.next
	c := &Cursor{s: s, spec: spec, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1), out: o}
	if s.o.Checkpoints == nil {
		c.journal, err = openJournal(s.fs, s.path("outputs"), spec.ID, c.replay)
		if err != nil && !errors.Is(err, errNoJournal) {
			return false, err
		}
		if err != nil {
			if known {
				s.log.Error("an output's journal is gone; it goes on where the marks know it to be", "output", spec.ID)
				s.uncertain++
			}
			if err := c.journal.compact(c.snapshot()); err != nil {
				return false, err
			}
		}
		if !known {
			// A journal without a mark is from a spool that was lost.
			o.acked = max(o.acked, o.spans[0].from)
			c.count, c.pending, c.inDoubt = counts{}, nil, nil
		}
	}
	c.next = o.acked
	s.cursors = append(s.cursors, c)
	return changed, nil
}

// startOldest makes an output that the spool has never seen begin with the oldest
// segment.
func (s *Spool) startOldest(o *outputState) {
	first := s.segments[0]
	lanes, err := readLanes(first)
	if err != nil {
		s.log.Error("the oldest segment's opening cannot be read; its records count as new", "error", err)
	}
	sp := &o.spans[0]
	o.acked, sp.from, sp.base = first.base, first.base, 0
	if int(sp.lane) < len(lanes) {
		sp.base = lanes[sp.lane]
	}
}

// opening builds the opening mark of a segment, at an offset. lanes are the counts
// before the segment; until is 0, or the offset up to which the segment repeats
// groups that the state includes. The caller holds mu.
func (s *Spool) opening(now time.Time, at, until int64, lanes []int64) []byte {
	w := &s.writer
	w.mark.begin(markOpening)
	for _, p := range s.st.sources {
		w.scratch = appendSource(w.scratch[:0], p)
		w.mark.entry(tagSource, w.scratch)
	}
	w.mark.entry(tagAccount, appendAccount(nil, &s.st.account))
	w.mark.entry(tagSynced, appendVarints(nil, s.st.synced))
	for i, l := range s.st.lanes {
		l.records = lanes[i]
		w.mark.entry(tagLane, appendLane(nil, i, l))
	}
	for id, o := range s.st.outputs {
		w.mark.entry(tagOutput, appendOutput(nil, id, o))
	}
	for d := range s.st.dead {
		w.mark.entry(tagDead, appendDead(nil, d))
	}
	w.mark.entry(tagBoot, []byte(s.st.boot))
	w.mark.entry(tagUntil, appendVarints(nil, until))
	b := w.mark.appendMark(nil, now)
	recordbatch.SetBaseOffset(b, at)
	return b
}
