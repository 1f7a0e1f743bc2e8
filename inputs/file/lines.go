package file

import (
	"bytes"

	"github.com/spillway/spillway/record"
)

const truncatedField = "log.truncated"

// take makes records of the lines in data, which was read at f's offset into
// the free space of b, and moves f past them: up to the last line end that b
// has room for, or to where a line that is too long is cut. Last says that the
// file ends after data.
func (r *reader) take(f *file, b *record.Batch, data []byte, last bool) (used int) {
	base, now := b.Size(), r.now.UnixNano()
	longest := int(r.cfg.MaxLine)
	lines, room := 0, record.MaxRecords-b.Len()
	cut := false
	for lines < room {
		n := bytes.IndexByte(data[used:], '\n')
		if n < 0 {
			cut = len(data)-used >= r.maxRead()
			break
		}
		length := n
		if n > 0 && data[used+n-1] == '\r' {
			length--
		}
		if cut = length > longest; cut {
			break
		}
		if lines == 0 {
			r.note(f)
		}
		span := record.Span{Off: uint32(base + used), Len: uint32(length)}
		b.AddLine(span, f.index, f.offset+int64(used), now)
		used += n + 1
		lines++
	}
	if used > 0 {
		b.Commit(used)
		r.advance(f, data[:used], lines, last)
		f.lineBytes, f.need = used/lines, 0
	}
	if cut && lines < room {
		r.cut(f, b, data[used:used+longest])
		f.skipping = true
	}
	return used
}

// advance moves f past data, which holds whole lines.
func (r *reader) advance(f *file, data []byte, lines int, last bool) {
	if last {
		f.pass(data, &f.marks)
	} else {
		f.skip(data)
		f.marks.add(f.offset, f.sum)
	}
	f.keepTail(data)
	r.counted(f, len(data), lines)
	f.partial = 0
}

func (r *reader) counted(f *file, bytes, lines int) {
	f.bytes += int64(bytes)
	f.records += int64(lines)
	r.metrics.bytes.Add(float64(bytes))
	r.metrics.lines.Add(float64(lines))
}

// cut makes a record of the beginning of a line that is too long. The beginning
// lies at the start of b's free space.
func (r *reader) cut(f *file, b *record.Batch, beginning []byte) {
	r.note(f)
	line := b.AddLine(b.Commit(len(beginning)), f.index, f.offset, r.now.UnixNano())
	f.skip(beginning)
	f.keepTail(beginning)
	line.Set(b.Name(truncatedField), b.Bool(true))
	f.cut++
	r.metrics.cut.Inc()
	r.counted(f, len(beginning), 1)
	f.partial, f.need = 0, 0
}

// takeLast makes a record of a last line that has no line end, in a file that
// is finished. It lies at the start of b's free space.
func (r *reader) takeLast(f *file, b *record.Batch, line []byte) {
	longest := int(r.cfg.MaxLine)
	if len(line) > longest {
		rest := append([]byte(nil), line[longest:]...)
		r.cut(f, b, line[:longest])
		f.skip(rest)
		f.keepTail(rest)
		r.counted(f, len(rest), 0)
		f.skipping = true // should anything be added to it
		return
	}
	r.note(f)
	b.AddLine(b.Commit(len(line)), f.index, f.offset, r.now.UnixNano())
	f.skip(line)
	f.keepTail(line)
	r.counted(f, len(line), 1)
	f.partial = 0
}

// skipLine passes over the rest of a line that was cut. Done says that its end
// was reached; more, if it was not, that f has more to skip.
func (r *reader) skipLine(f *file, size int64, checked bool) (done, more bool) {
	space := r.filling().Space(minRead)
	for skipped := 0; skipped < skipBytes; {
		n, err := pread(f.fd, space, f.offset)
		if err != nil {
			r.fail(f, reasonRead, err)
			return false, false
		}
		if !checked && !r.unchanged(f, size) {
			return false, true
		}
		checked = true
		if n == 0 {
			f.partial = 0
			if f.ended {
				r.end(f)
			}
			return false, false
		}
		r.note(f)
		end := bytes.IndexByte(space[:n], '\n') + 1
		if end > 0 {
			n = end
		}
		f.skip(space[:n])
		f.keepTail(space[:n])
		r.counted(f, n, 0)
		if end > 0 {
			f.skipping = false
			f.marks.add(f.offset, f.sum)
			return true, false
		}
		skipped += n
	}
	return false, true
}

// lineEnds says whether a line end, or as much as the longest line takes, has
// been added to a long line without one.
func (r *reader) lineEnds(f *file) bool {
	space := r.filling().Space(minRead)
	for f.partial < r.maxRead() {
		n, err := pread(f.fd, space, f.offset+int64(f.partial))
		if err != nil {
			r.fail(f, reasonRead, err)
			return false
		}
		if f.ended || bytes.IndexByte(space[:n], '\n') >= 0 {
			break
		}
		if n == 0 {
			return false
		}
		f.partial += n
	}
	f.need = r.maxRead()
	return true
}
