package spool

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/spillway/spillway/spool/recordbatch"
)

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

// whole is f, unless the segment ends before it may: then it was never in use.
func (f found) whole(seg *segment) found {
	if f.opened && f.end < f.state.until {
		return found{state: newState(), end: seg.base}
	}
	return f
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
		later.lanes = slices.Clone(f.state.lanes)
		if content, ours, err := parseMark(e.data, &r); ours && err == nil && later.apply(content) == nil && later.synced > bad {
			return true, nil
		}
	}
}
