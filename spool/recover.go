package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
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
		fs: fs, dir: dir, o: o, log: o.Log,
		turn: make(chan struct{}, 1), syncTurn: make(chan struct{}, 1),
		st: newState(), freed: make(chan struct{}, 1), dirty: make(chan struct{}, 1), synced: make(chan struct{}, 1),
	}
	s.closing, s.stop = context.WithCancel(context.Background())
	if err := s.recover(); err != nil {
		s.stop()
		return nil, errors.Join(err, s.closeFiles())
	}
	if o.Sync.Mode != SyncNever {
		s.workers.Go(s.syncer)
	}
	return s, nil
}

// found is what the recovery of a segment yields.
type found struct {
	state *state
	// end is the offset behind the last mark, size the bytes up to there.
	end, size int64
	opened    bool
	// cut says that bytes behind the last mark were left out that a kill
	// cannot explain.
	cut bool
}

func (s *Spool) recover() error {
	segs, _, err := listSegments(s.fs, s.dir)
	if err != nil {
		return err
	}
	fresh := true
	next := int64(0)
	for len(segs) > 0 {
		last := segs[len(segs)-1]
		if last.file, err = s.fs.Open(last.name); err != nil {
			return err
		}
		f, err := s.examine(last)
		if err != nil {
			return err
		}
		if f.opened {
			if err := s.take(segs, f); err != nil {
				return err
			}
			fresh, next = f.cut, f.end
			break
		}
		// Without an opening it was never used: what it holds, if anything, is
		// kept aside.
		if err := s.setAside(last); err != nil {
			return err
		}
		next = max(next, last.base)
		segs = segs[:len(segs)-1]
	}
	s.next = next
	if fresh && next > 0 {
		s.next = (next>>epochBits + 1) << epochBits
	}
	failpoint.Hit("recover.mid")
	for i := range segs[:max(0, len(segs)-1)] {
		if segs[i].file, err = s.fs.Open(segs[i].name); err != nil {
			return err
		}
	}
	s.segments = segs
	for _, seg := range segs {
		s.bytes += seg.size
	}
	s.visible, s.tail.from, s.st.synced = s.next, s.next, s.next
	return s.begin(fresh || len(segs) == 0)
}

// examine reads a segment: its opening and all marks up to the last good one.
func (s *Spool) examine(seg *segment) (found, error) {
	f := found{state: newState(), end: seg.base}
	sc := scanner{file: seg.file, end: seg.size}
	var r recordbatch.Reader
	expected := seg.base
	for {
		e, err := sc.next()
		var newer *recordbatch.VersionError
		switch {
		case err == io.EOF:
			return f, nil
		case errors.As(err, &newer):
			return f, fmt.Errorf("%w: %s: %w", ErrNewer, seg.name, err)
		case errors.Is(err, errBad):
			if !f.opened || s.newBoot(f.state) && expected >= f.state.synced {
				f.cut = f.opened
				return f, nil
			}
			ok, err := sc.resync(expected, 1<<62)
			if err != nil || !ok {
				return f, err
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
			if ours && err == nil && (f.opened || content[1] == markOpening) {
				if err := f.state.apply(content); err == nil {
					f.opened, f.end, f.size = true, e.NextOffset(), sc.pos
				}
			}
		}
		expected = e.NextOffset()
	}
}

func (s *Spool) newBoot(st *state) bool { return s.o.BootID == "" || st.boot != s.o.BootID }

// take adopts what a segment says, and cuts what no mark has committed.
func (s *Spool) take(segs []*segment, f found) error {
	last := segs[len(segs)-1]
	if last.size > f.size {
		s.log.Info("cutting what no mark has committed", "segment", last.name, "bytes", last.size-f.size)
		if err := last.file.Truncate(f.size); err != nil {
			return err
		}
	}
	last.size = f.size
	s.st = f.state
	return nil
}

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
		s.quarantined += int64(len(data))
		s.log.Error("unreadable bytes are kept aside", "offset", offset, "bytes", len(data))
		n, err := f.Writev([][]byte{data}, 0)
		if err == nil && n < len(data) {
			err = io.ErrShortWrite
		}
		return errors.Join(err, f.Close())
	}
}

// begin settles outputs and lanes and, if need be, begins a segment.
func (s *Spool) begin(newSegment bool) error {
	known := s.st.outputs
	s.st.boot = s.o.BootID
	changed := newSegment
	if s.o.DeadLane != "" {
		s.st.lane(s.o.DeadLane)
	}
	for _, spec := range s.o.Outputs {
		c := &Cursor{s: s, spec: spec, wake: make(chan struct{}, 1)}
		o := known[spec.ID]
		lane := s.st.lane(spec.Lane)
		if o == nil {
			o = &outputState{acked: s.next}
			if spec.StartOldest && len(s.segments) > 0 {
				o.acked = s.segments[0].base
			}
			o.spans = []laneSpan{{from: o.acked, lane: lane, base: s.st.lanes[lane].records}}
			known[spec.ID] = o
			changed = true
		} else if last := o.spans[len(o.spans)-1]; last.lane != lane {
			o.spans = append(o.spans, laneSpan{s.next, lane, s.st.lanes[lane].records, s.st.routed(o)})
			changed = true
		}
		c.out = o
		if s.o.Checkpoints == nil {
			var err error
			c.journal, err = openJournal(s.fs, s.path("outputs"), spec.ID, c.replay)
			if err != nil && !errors.Is(err, errNoJournal) {
				s.log.Error("cursor cannot be read; going on where the marks know it to be", "output", spec.ID, "error", err)
				s.unknown++
			}
			c.journal.sync = s.o.Sync.Mode == SyncAlways
		}
		c.next = o.acked
		s.cursors = append(s.cursors, c)
	}
	if changed {
		return s.roll()
	}
	s.writer.full = s.o.SegmentBytes
	return nil
}

// opening builds the opening mark, at an offset. The caller holds mu.
func (s *Spool) opening(now time.Time, at int64) []byte {
	w := &s.writer
	w.mark.begin(markOpening)
	for _, p := range s.st.sources {
		w.scratch = appendSource(w.scratch[:0], p)
		w.mark.entry(tagSource, w.scratch)
	}
	w.mark.entry(tagAccount, appendAccount(nil, &s.st.account))
	w.mark.entry(tagSynced, appendVarints(nil, s.st.synced))
	for i, l := range s.st.lanes {
		w.mark.entry(tagLane, appendLane(nil, i, l))
	}
	for id, o := range s.st.outputs {
		w.mark.entry(tagOutput, appendOutput(nil, id, o))
	}
	for d := range s.st.dead {
		w.mark.entry(tagDead, appendDead(nil, d))
	}
	w.mark.entry(tagBoot, []byte(s.st.boot))
	b := w.mark.appendMark(nil, now)
	recordbatch.SetBaseOffset(b, at)
	return b
}
