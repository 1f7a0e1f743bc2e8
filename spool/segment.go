package spool

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spillway/spillway/spool/recordbatch"
	"github.com/spillway/spillway/spool/vfs"
)

// segment is one file of the spool. Its base is the offset at which it begins; it
// ends where the next one begins.
type segment struct {
	base       int64
	generation int
	name       string
	file       vfs.File
	// size is how many bytes of the file are good.
	size int64
	// created is when it began, in Unix milliseconds; 0 if that has not been
	// read. See began.
	created int64
	// lanes counts the records that each lane had when it began; nil if that
	// has not been read.
	lanes []int64
}

func segmentName(base int64, generation int) string {
	if generation == 0 {
		return fmt.Sprintf("%020d.log", base)
	}
	return fmt.Sprintf("%020d-%d.log", base, generation)
}

// parseSegmentName takes a file name apart; ok is false for other files.
func parseSegmentName(name string) (base int64, generation int, ok bool) {
	stem, isLog := strings.CutSuffix(name, ".log")
	if !isLog {
		return 0, 0, false
	}
	number, gen, has := strings.Cut(stem, "-")
	if len(number) != 20 {
		return 0, 0, false
	}
	base, err := strconv.ParseInt(number, 10, 64)
	if err != nil || base < 0 {
		return 0, 0, false
	}
	if has {
		if generation, err = strconv.Atoi(gen); err != nil || generation < 1 {
			return 0, 0, false
		}
	}
	return base, generation, true
}

// listSegments lists the segments in dir by base and generation.
func listSegments(fs vfs.FS, dir string) ([]*segment, error) {
	entries, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	var segs []*segment
	for _, e := range entries {
		if base, generation, ok := parseSegmentName(e.Name); ok {
			segs = append(segs, &segment{base: base, generation: generation, name: filepath.Join(dir, e.Name), size: e.Size})
		}
	}
	slices.SortFunc(segs, func(a, b *segment) int {
		return cmp.Or(cmp.Compare(a.base, b.base), cmp.Compare(a.generation, b.generation))
	})
	return segs, nil
}

// latest parts the segments of a list into those that count, of several with one
// base the one of the highest generation, and the others, which were given up after
// a failed sync.
func latest(segs []*segment) (current, superseded []*segment) {
	for i, seg := range segs {
		if i+1 < len(segs) && segs[i+1].base == seg.base {
			superseded = append(superseded, seg)
		} else {
			current = append(current, seg)
		}
	}
	return current, superseded
}

// entry is one batch found in a segment.
type entry struct {
	recordbatch.Header
	pos int64
	// data is the whole batch, valid until the next call of next.
	data []byte
}

// scanner reads a segment batch by batch and checks each.
type scanner struct {
	file vfs.File
	pos  int64
	// end is how far the file is to be read.
	end int64
	// expected is the base offset that the next batch must have. The checksum
	// does not cover it, but within a segment offsets have no gaps.
	expected int64
	buf      []byte
}

func newScanner(seg *segment) scanner {
	return scanner{file: seg.file, end: seg.size, expected: seg.base}
}

// began returns when the segment began: the time of its opening, which is read
// once where a former process wrote it. The caller holds the spool's mu.
func (s *segment) began() (time.Time, error) {
	if s.created == 0 {
		sc := newScanner(s)
		opening, err := sc.header()
		if err != nil {
			return time.Time{}, err
		}
		s.created = opening.MaxTimestamp
	}
	return time.UnixMilli(s.created), nil
}

// errBad says that the bytes at the scanner's position are no good batch.
var errBad = errors.New("spool: bad frame")

// next returns the batch at the position and moves behind it. The error is io.EOF
// at the end, wraps errBad for bad bytes, is a *recordbatch.VersionError, or is
// that of the disk.
func (s *scanner) next() (entry, error) {
	e, err := s.header()
	if err != nil {
		return e, err
	}
	if e.data, err = s.read(e.Size()); err != nil {
		return e, err
	}
	if err := recordbatch.Verify(e.data); err != nil {
		return e, fmt.Errorf("%w at %d: %w", errBad, s.pos, err)
	}
	s.pass(e)
	return e, nil
}

// pass moves behind the batch at the position.
func (s *scanner) pass(e entry) {
	s.pos += int64(e.Size())
	s.expected = e.NextOffset()
}

// header reads the header of the batch at the position without moving.
func (s *scanner) header() (entry, error) {
	e := entry{pos: s.pos}
	left := s.end - s.pos
	if left <= 0 {
		return e, io.EOF
	}
	b, err := s.read(int(min(left, recordbatch.HeaderLen)))
	if err != nil {
		return e, err
	}
	if e.Header, err = recordbatch.ParseHeader(b); err != nil {
		if s.newer(b) {
			return e, err
		}
		// Damage is no newer format, neither to errors.As nor to who reads the text.
		if newer := (*recordbatch.VersionError)(nil); errors.As(err, &newer) {
			err = fmt.Errorf("format %d instead of %d", newer.Magic, knownFormat)
		}
		return e, fmt.Errorf("%w at %d: %w", errBad, s.pos, err)
	}
	switch {
	case int64(e.Size()) > left:
		return e, fmt.Errorf("%w at %d: %d bytes long with %d left", errBad, s.pos, e.Size(), left)
	case e.BaseOffset != s.expected:
		return e, fmt.Errorf("%w at %d: offset %d, want %d", errBad, s.pos, e.BaseOffset, s.expected)
	}
	return e, nil
}

// newer says that a newer version has written the batch with the header b. A newer
// version begins a segment of its own, so anywhere else a strange format is damage;
// and so it is if the batch is a whole one of ours but for that byte, which stands
// outside the checksum.
func (s *scanner) newer(b []byte) bool {
	if s.pos != 0 || len(b) < recordbatch.HeaderLen || int64(binary.BigEndian.Uint64(b)) != s.expected || int8(b[atFormat]) <= knownFormat {
		return false
	}
	ours := slices.Clone(b)
	ours[atFormat] = knownFormat
	h, err := recordbatch.ParseHeader(ours)
	if err != nil || int64(h.Size()) > s.end {
		return true
	}
	ours = make([]byte, h.Size())
	if _, err := s.file.ReadAt(ours, 0); err != nil {
		return true
	}
	ours[atFormat] = knownFormat
	return recordbatch.Verify(ours) != nil
}

// The format of record batches that this build knows, and where in a header it
// stands.
const (
	knownFormat = 2
	atFormat    = 16
)

func (s *scanner) read(n int) ([]byte, error) {
	s.buf = slices.Grow(s.buf[:0], n)[:n]
	got, err := s.file.ReadAt(s.buf, s.pos)
	if got == n {
		return s.buf, nil
	}
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w at %d: file ends early", errBad, s.pos)
	}
	return nil, err
}

// resync moves to the next good batch behind the position with a base offset that
// is not below the expected one but below high, and says whether there is one.
func (s *scanner) resync(high int64) (bool, error) {
	const window = 1 << 20
	block := make([]byte, window+recordbatch.HeaderLen)
	for from := s.pos + 1; from < s.end; from += window {
		n := int(min(int64(len(block)), s.end-from))
		if got, err := s.file.ReadAt(block[:n], from); got < n {
			if errors.Is(err, io.EOF) {
				return false, nil
			}
			return false, err
		}
		for i := 0; i < window && i+recordbatch.HeaderLen <= n; i++ {
			h, err := recordbatch.ParseHeader(block[i:n])
			if err != nil || h.BaseOffset < s.expected || h.BaseOffset >= high || from+int64(i)+int64(h.Size()) > s.end {
				continue
			}
			probe := scanner{file: s.file, pos: from + int64(i), end: s.end, expected: h.BaseOffset}
			if probe.confirms() {
				s.pos, s.expected = from+int64(i), h.BaseOffset
				return true, nil
			}
		}
	}
	return false, nil
}

// confirms says that there is a good batch at the position, and that what follows
// does not contradict its offset.
func (s *scanner) confirms() bool {
	if _, err := s.next(); err != nil {
		return false
	}
	e, err := s.header()
	return err == nil || e.Count == 0 || e.BaseOffset == s.expected
}
