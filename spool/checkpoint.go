package spool

import (
	"errors"
	"time"

	"github.com/spillway/spillway/record"
)

// checkpointEvery is how often a spool in memory writes its checkpoints.
const checkpointEvery = time.Second

// checkpoints are the positions of a spool in memory. They follow the
// acknowledgements: a position counts once every output has acknowledged
// everything read before it, so that files are at least once.
type checkpoints struct {
	journal *journal
	// waiting are the positions by the offset that must be acknowledged first.
	waiting []checkpoint
	// settled are the positions to be written, by source.
	settled map[string]record.Position
	changed bool
}

type checkpoint struct {
	end       int64
	positions []record.Position
}

// add notes positions that count once everything before end is acknowledged.
func (c *checkpoints) add(end int64, ps []record.Position) {
	w := checkpoint{end: end}
	for i := range ps {
		w.positions = append(w.positions, ps[i].Clone())
	}
	c.waiting = append(c.waiting, w)
}

// settle moves what is acknowledged before offset to what is to be written.
func (c *checkpoints) settle(offset int64) {
	n := 0
	for ; n < len(c.waiting) && c.waiting[n].end <= offset; n++ {
		for _, p := range c.waiting[n].positions {
			c.settled[p.Source] = p
			c.changed = true
		}
	}
	c.waiting = append(c.waiting[:0], c.waiting[n:]...)
}

// openCheckpoints reads the positions that a former process left.
func (s *Spool) openCheckpoints() error {
	s.checkpoints.settled = map[string]record.Position{}
	j, err := openJournal(s.o.Checkpoints, s.dir, "checkpoints", func(_ byte, body []byte) error {
		st := newState()
		err := st.apply(append([]byte{markVersion, markDelta}, body...))
		for key, p := range st.sources {
			s.st.sources[key] = p
			s.checkpoints.settled[key] = p.Clone()
		}
		return err
	})
	s.checkpoints.journal = j
	if errors.Is(err, errNoJournal) {
		return nil
	}
	return err
}

// writeCheckpoints writes the positions that count, all of them anew.
func (s *Spool) writeCheckpoints() error {
	var w markWriter
	c, changed := &s.checkpoints, false
	s.locked(func() {
		c.settle(s.pinned())
		changed, c.changed = c.changed, false
		var body []byte
		for _, p := range c.settled {
			body = appendSource(body[:0], &p)
			w.entry(tagSource, body)
		}
	})
	if !changed {
		return nil
	}
	return c.journal.compact(w.b)
}

// checkpointer writes the checkpoints until the spool closes.
func (s *Spool) checkpointer() {
	t := time.NewTicker(checkpointEvery)
	defer t.Stop()
	for {
		select {
		case <-s.closing.Done():
			return
		case <-t.C:
		}
		if err := s.writeCheckpoints(); err != nil {
			s.log.Error("cannot write checkpoints; trying again", "error", err)
			s.mu.Lock()
			s.checkpoints.changed = true
			s.mu.Unlock()
		}
	}
}
