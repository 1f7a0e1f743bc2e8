package file

import (
	"bytes"
	"time"

	"github.com/spillway/spillway/internal/multiline"
	"github.com/spillway/spillway/record"
)

// lookahead is how many bytes beyond the longest record are read to learn whether
// the line there belongs to it.
const lookahead = 4 << 10

// splitter finds the records of several lines. What it finds depends on the bytes
// from the beginning of a record on, not on how many of them come at a time: an
// incomplete record is given to it again from its beginning, with more behind it.
type splitter struct {
	machine  *multiline.Machine
	longest  int // bytes of a record, without its last line end
	maxLines int
}

// following says what follows the bytes that a splitter is given.
type following int

const (
	unknown following = iota
	pause             // nothing for now: whole lines are complete
	nothing           // nothing ever: so is a line without a line end
)

// piece is the beginning of data.
type piece struct {
	size  int  // of a whole record, with its last line end; 0: more is needed
	lines int  // whole ones that wait for more
	ended bool // the record was ended because of its size, the line after it belongs to it
	long  bool // there is no record, but a line that is longer than the longest
}

// window is how many bytes are always enough for next.
func (s *splitter) window() int { return s.longest + len("\r\n") + lookahead }

// next finds the record that data begins with.
func (s *splitter) next(data []byte, then following) piece {
	s.machine.Reset()
	// size is that of the record, tried that with the lines which perhaps belong to it.
	size, tried, lines := 0, 0, 0
	window := data[:min(len(data), s.window())]
	for {
		line := window[tried:]
		n := bytes.IndexByte(line, '\n')
		whole := n >= 0
		switch {
		case whole:
			line = trim(line[:n+1])
		case lines == 0 && len(line) >= s.longest+len("\r\n"):
			return piece{long: true}
		case len(window) == s.window(): // whatever the line is, it is too long for this record
		case then == nothing && len(line) > 0:
			n, whole = len(line)-1, true
		case then != unknown && lines > 0:
			return piece{size: size}
		default:
			return piece{lines: lines}
		}
		fits := whole && tried+len(line) <= s.longest && lines < s.maxLines
		if lines == 0 && !fits {
			return piece{long: true}
		}
		v, ends := s.machine.Next(line)
		if v == multiline.Begins && lines > 0 || v == multiline.Perhaps && !fits {
			return piece{size: size}
		}
		if !fits {
			return piece{size: tried, ended: true}
		}
		lines++
		tried += n + 1
		if v != multiline.Perhaps {
			size = tried
		}
		if ends {
			return piece{size: size}
		}
	}
}

// trim takes the line end off a line or record that may have one.
func trim(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
		if n > 1 && line[n-2] == '\r' {
			line = line[:n-2]
		}
	}
	return line
}

// takeRecords is take for records of several lines. If the file ends after data
// and is finished, all of it is taken.
func (r *reader) takeRecords(f *file, b *record.Batch, data []byte, last bool) (used int) {
	then := unknown
	switch {
	case last && f.ended:
		then = nothing
	case last && (r.paused(f) || r.ready.followed(f)):
		then = pause
	}
	base, now, first := b.Size(), r.now.UnixNano(), b.Len()
	room := record.MaxRecords - first
	var p piece
	unended := 0 // bytes of a last record without a line end
	r.endedForSize = r.endedForSize[:0]
	n := 0
	for ; n < room && used < len(data); n++ {
		if p = r.split.next(data[used:], then); p.size == 0 {
			break
		}
		if data[used+p.size-1] != '\n' {
			unended = p.size
			break
		}
		if n == 0 {
			r.note(f)
		}
		text := trim(data[used : used+p.size])
		b.AddLine(record.Span{Off: uint32(base + used), Len: uint32(len(text))}, f.index, f.offset+int64(used), now)
		if p.ended {
			r.endedForSize = append(r.endedForSize, b.Len()-1)
		}
		used += p.size
	}
	if used > 0 {
		b.Commit(used)
		r.advance(f, data[:used], n, last)
		f.lineBytes, f.need = used/n, 0
	}
	switch {
	case unended > 0:
		r.takeLast(f, b, data[used:used+unended])
		used += unended
	case p.long && n < room:
		r.cut(f, b, data[used:used+r.split.longest])
		f.skipping = true
	}
	// Only now: names are written behind what was committed.
	for _, i := range r.endedForSize {
		b.Record(i).Set(b.Name(truncatedField), b.Bool(true))
		f.cut++
		r.metrics.cut.Inc()
	}
	if f.held = last && n < room && p.lines > 0; f.held {
		r.wait(f)
	}
	return used
}

// paused says whether what f holds of a record is to be taken as complete.
func (r *reader) paused(f *file) bool {
	return f.held && r.now.Sub(f.grown) >= r.cfg.Multiline.FlushAfter
}

// wait makes sure that f has a turn when it has not grown for flush_after.
func (r *reader) wait(f *file) {
	if r.once {
		return // its end is near
	}
	if len(r.waiting) == 0 {
		r.pause.Reset(f.grown.Add(r.cfg.Multiline.FlushAfter).Sub(r.now))
	}
	r.waiting[f] = struct{}{}
}

// pauses gives the files a turn that have not grown for flush_after. A record is
// kept back a tenth longer, at most, so that many files do not wake it one by one.
func (r *reader) pauses() {
	after := r.cfg.Multiline.FlushAfter
	next := after
	for f := range r.waiting {
		switch left := f.grown.Add(after).Sub(r.now); {
		case f.dropped || !f.held:
			delete(r.waiting, f)
		case left <= 0:
			delete(r.waiting, f)
			r.enqueue(f)
		default:
			next = min(next, left)
		}
	}
	if len(r.waiting) > 0 {
		r.pause.Reset(max(next, after/10, time.Millisecond))
	}
}
