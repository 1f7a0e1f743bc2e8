package spool

import (
	"errors"
	"slices"
)

// begin settles outputs, lanes and cursors and, where they or the boot are new,
// begins a segment whose opening says so. end is where what was found ends.
func (s *Spool) begin(fresh bool, end int64) error {
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
		changed, err := s.addCursor(spec, end)
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
	if err := s.firstWrite(fresh); err != nil {
		if len(s.segments) == 0 {
			return err
		}
		// What is spooled can be delivered, and that makes room. The first
		// append then begins a segment.
		s.log.Error("cannot write to the spool; going on with what it holds", "error", err)
		s.setTrouble(err.Error())
		s.writer.full = 0
	}
	return nil
}

// firstWrite tells the disk of this life.
func (s *Spool) firstWrite(fresh bool) error {
	if fresh {
		return s.withBallast(s.roll)
	}
	sc := newScanner(s.current())
	opening, err := sc.header()
	if err != nil {
		return err
	}
	s.writer.began(s.o.SegmentBytes, int64(opening.Size()))
	// The last mark may say that everything is synced. That must not be what a
	// power cut leaves of this life.
	if err := s.withBallast(func() error { return s.write(&Group{}) }); err != nil {
		return err
	}
	if s.o.Sync.Mode != SyncNever {
		s.sync()
	}
	return nil
}

// addCursor makes the cursor of an output, and says whether the marks have to
// learn something about it.
func (s *Spool) addCursor(spec Output, end int64) (changed bool, err error) {
	o, known := s.st.outputs[spec.ID]
	lane, err := s.Lane(spec.Lane)
	if err != nil {
		return false, err
	}
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
		if err := c.open(known); err != nil {
			return false, err
		}
		c.forgetCut(end)
	}
	c.next = o.acked
	s.cursors = append(s.cursors, c)
	return changed, nil
}

// open reads the cursor's journal. known says that the marks know the output.
func (c *Cursor) open(known bool) (err error) {
	s, marked := c.s, *c.out
	c.journal, err = openJournal(s.fs, s.path("outputs"), c.spec.ID, c.replay)
	if err != nil && !errors.Is(err, errNoJournal) {
		return err
	}
	if err != nil || !known {
		// A journal that the marks do not know is from a spool that was lost.
		*c.out, c.pending, c.inDoubt, c.acked = marked, nil, nil, nil
	}
	if err == nil && known {
		return nil
	}
	if known {
		s.log.Error("an output's journal cannot be read; it goes on where the marks know it to be", "output", c.spec.ID)
		s.uncertain++
	}
	c.journal.keepUnreadable(s)
	if err := s.withBallast(c.renew); err != nil {
		s.log.Error("a cursor cannot be written; its output waits where it has to", "output", c.spec.ID, "error", err)
	}
	return nil
}

// forgetCut takes off the counts what was acknowledged of records behind end, which
// a power cut has taken: their sources give them again, and then they count.
func (c *Cursor) forgetCut(end int64) {
	if _, err := c.divide(end); err != nil {
		c.s.log.Error("a segment cannot be read; the counts may be wrong", "output", c.spec.ID, "error", err)
	}
	cut := int64(0)
	c.pending = slices.DeleteFunc(c.pending, func(g *given) bool {
		if g.base >= end {
			cut += g.count
		}
		return g.base >= end
	})
	if n := c.out.count; c.out.acked > end {
		cut = max(cut, n.Acked+n.DeadLettered+n.Dropped-c.s.st.routed(c.out))
	}
	if cut == 0 {
		return
	}
	c.out.count.Acked -= cut
	c.s.log.Warn("a power cut took records that had been acknowledged; they may come again", "output", c.spec.ID, "records", cut)
	if err := c.s.withBallast(c.renew); err != nil {
		c.s.log.Error("a cursor cannot be written; its output waits where it has to", "output", c.spec.ID, "error", err)
	}
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

// buildOpening builds the content of a segment's opening mark. lanes are the counts
// before the segment; until is 0, or the offset up to which the segment repeats
// groups that the state includes. The caller holds mu and the turn.
func (s *Spool) buildOpening(until int64, lanes []int64) {
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
	passed := map[string]counts{}
	for _, c := range s.cursors {
		passed[c.spec.ID] = c.passed()
	}
	for id, o := range s.st.outputs {
		count, ok := passed[id]
		if !ok {
			count = o.count
		}
		w.mark.entry(tagOutput, appendOutput(nil, id, o, count))
	}
	for d := range s.st.dead {
		w.mark.entry(tagDead, appendDead(nil, d))
	}
	w.mark.entry(tagBoot, []byte(s.st.boot))
	w.mark.entry(tagUntil, appendVarints(nil, until))
}
