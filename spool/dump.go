package spool

import (
	"errors"
	"io"

	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
	"github.com/spillway/spillway/spool/vfs"
)

// The tools in this file read the files of a spool without its lock, beside a
// process that may be writing. They may therefore see a torn end that is about to
// become whole, and miss a segment that is deleted under them.

// SegmentInfo describes a segment file.
type SegmentInfo struct {
	Name string
	Base int64
	Size int64
}

// Segments lists the segment files of the spool in dir, by offset.
func Segments(fs vfs.FS, dir string) ([]SegmentInfo, error) {
	all, err := listSegments(fs, dir)
	segs, _ := latest(all)
	var infos []SegmentInfo
	for _, s := range segs {
		infos = append(infos, SegmentInfo{s.name, s.base, s.size})
	}
	return infos, err
}

// Entry is a batch, or bad bytes, found by [Walk].
type Entry struct {
	Segment  string
	Position int64
	Offset   int64
	Size     int64
	// Records is the number of records of a data frame.
	Records int32
	// Lane is the encoding of a data frame, by its fingerprint where a mark
	// has told it.
	Lane string
	// Mark says that the batch is a mark; Sources are the positions in it.
	Mark    bool
	Sources []record.Position
	// Bad tells what is wrong with the bytes, or is nil.
	Bad error
	// Batch is the whole batch, valid until the callback returns.
	Batch []byte
}

// Walk calls visit for everything in the spool, in order. Bad bytes are entries
// too. The error is that of the disk or of visit.
func Walk(fs vfs.FS, dir string, visit func(Entry) error) error {
	_, err := walk(fs, dir, visit)
	return err
}

func walk(fs vfs.FS, dir string, visit func(Entry) error) (*state, error) {
	all, err := listSegments(fs, dir)
	if err != nil {
		return nil, err
	}
	segs, _ := latest(all)
	st := newState()
	for i, seg := range segs {
		end := int64(1<<63 - 1)
		if i+1 < len(segs) {
			end = segs[i+1].base
		}
		if err := walkSegment(fs, seg, end, st, visit); err != nil {
			return nil, err
		}
	}
	return st, nil
}

func walkSegment(fs vfs.FS, seg *segment, endOffset int64, st *state, visit func(Entry) error) (err error) {
	f, err := fs.Open(seg.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	seg.file = f
	sc := newScanner(seg)
	var r recordbatch.Reader
	for {
		pos := sc.pos
		e, err := sc.next()
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, errBad):
			expected := sc.expected
			ok, syncErr := sc.resync(endOffset)
			if syncErr != nil {
				return syncErr
			}
			to := sc.end
			if ok {
				to = sc.pos
			}
			if err := visit(Entry{Segment: seg.name, Position: pos, Offset: expected, Size: to - pos, Bad: err}); err != nil || !ok {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if e.BaseOffset >= endOffset {
			return nil // written again elsewhere after a failed sync
		}
		found := Entry{Segment: seg.name, Position: pos, Offset: e.BaseOffset, Size: int64(e.Size()), Batch: e.data}
		if e.Control() {
			found.Mark = true
			if found.Sources, err = markSources(e.data, &r, st); err != nil {
				found.Bad = err
			}
		} else {
			found.Records = e.Count
			if l := int(e.ProducerEpoch); l >= 0 && l < len(st.lanes) {
				found.Lane = st.lanes[l].fingerprint
			}
		}
		if err := visit(found); err != nil {
			return err
		}
	}
}

// markSources applies a mark to st and returns the positions in it.
func markSources(batch []byte, r *recordbatch.Reader, st *state) ([]record.Position, error) {
	content, ours, err := parseMark(batch, r)
	if err != nil || !ours {
		return nil, err
	}
	one := newState()
	one.lanes = append(one.lanes, st.lanes...)
	if err := one.apply(content); err != nil {
		return nil, err
	}
	var ps []record.Position
	for _, p := range one.sources {
		ps = append(ps, *p)
	}
	return ps, st.apply(content)
}
