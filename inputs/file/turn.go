package file

import (
	"bytes"
	"time"

	"github.com/spillway/spillway/record"
)

const (
	// minRead and minRecords are what must fit into a batch for it to be worth
	// reading into.
	minRead    = 8 << 10
	minRecords = 64
	// skipBytes is how much of a cut line is passed over in one turn.
	skipBytes = 4 << 20
	// partialBytes is from how many bytes on a line without an end is not read
	// again each time that something is added to it.
	partialBytes = 64 << 10
)

// turn reads what f has to read, but at most a batch.
func (r *reader) turn(f *file) {
	if f.dropped {
		return
	}
	if len(r.inBatch) > 0 && !r.room(f) {
		r.handOff()
		r.ready.unpop(f)
		return
	}
	r.turning = f
	if f.fd < 0 && !r.reopen(f) {
		return
	}
	var st stat
	if err := statFD(f.fd, &st); err != nil {
		r.fail(f, reasonStat, err)
		return
	}
	idle := st.size == f.offset && st.mtime == f.mtime
	switch {
	case f.cutShort(st.size):
		r.truncated(f, &st)
	case st.size < f.size:
		r.shrunk(f, st.size)
	}
	if st.size != f.size {
		f.grown, f.ended = r.now, f.ended && r.once
	}
	f.glimpse, f.mtime, f.written, f.unlinked = st.size, st.mtime, st.mtime, st.links == 0
	if r.now.Sub(time.Unix(0, st.mtime)).Abs() < settled {
		f.mtime = -1
	}
	switch {
	case f.isCopy:
		f.size = st.size
		r.compare(f)
	case !idle && r.read(f, st.size):
		r.enqueue(f)
	case f.ended && !f.failed:
		r.end(f)
	}
}

// shrunk handles a file that has become shorter, but not than what was read.
func (r *reader) shrunk(f *file, size int64) {
	f.partial = 0
	if was := f.size; r.unchanged(f, size) && !f.isCopy {
		r.lose(f, was-size, "the end of a file was cut off before it was read")
		f.headLen = 0
		r.extendHead(f)
		r.note(f)
	}
}

// room says whether f can make progress in the batch as it is.
func (r *reader) room(f *file) bool {
	if len(r.inBatch) >= record.MaxRecords {
		return false
	}
	room := record.BatchBytes - r.batch.Size()
	return r.batch.Len() == 0 || room >= max(minRead, f.need) && record.MaxRecords-r.batch.Len() >= minRecords
}

// read fills the batch with lines of f, which was seen to have this size, and
// says whether f has more.
func (r *reader) read(f *file, size int64) (more bool) {
	for checked := false; ; checked = true {
		if f.skipping {
			if done, more := r.skipLine(f, size, checked); !done {
				return more
			}
			continue
		}
		if f.partial >= partialBytes && !r.paused(f) && !r.lineEnds(f) {
			if f.held {
				r.wait(f)
			}
			return !checked && !r.unchanged(f, size)
		}
		if checked && !r.room(f) {
			r.handOff()
			return true
		}
		b := r.filling()
		space := b.Space(r.want(f))[:r.want(f)]
		n, err := pread(f.fd, space, f.offset)
		if err != nil {
			r.fail(f, reasonRead, err)
			return false
		}
		if !checked && !r.unchanged(f, size) {
			return true
		}
		if f.offset == 0 && n >= f.headLen {
			f.setHead(space[:n]) // of what is taken: by now the file may be another
		}
		if f.offset == 0 && n > 0 && space[0] == 0 {
			switch hole, known := r.hole(f); {
			case !known:
				return false
			case hole > 0:
				r.beginAt(f, hole)
				continue
			}
		}
		last := n < len(space)
		first := b.Len()
		var used int
		if r.split == nil {
			used = r.take(f, b, space[:n], last)
		} else {
			used = r.takeRecords(f, b, space[:n], last)
		}
		switch {
		case f.skipping:
		case last && b.Len() < record.MaxRecords:
			f.partial = n - used
			r.atEnd(f, b, space[used:n])
			r.describe(f, b, first)
			return false
		case used == 0:
			f.need = r.needed(n)
		}
		r.describe(f, b, first)
	}
}

// maxRead is how long a read must be to hold the longest line with its end, or the
// longest record with what follows it.
func (r *reader) maxRead() int {
	if r.split != nil {
		return r.split.window()
	}
	return int(r.cfg.MaxLine) + len("\r\n")
}

// needed is how much to read after a read of so many bytes was not enough. Records
// that are longer than the room in a batch are more common than such lines, and
// most are not much longer.
func (r *reader) needed(bytes int) int {
	if r.split != nil {
		return min(r.maxRead(), 2*bytes)
	}
	return r.maxRead()
}

// want is how much to read: what fits into the batch, but not much more than
// the lines that it may still hold.
func (r *reader) want(f *file) int {
	b := r.batch
	room := max(record.BatchBytes-b.Size(), minRead)
	if f.lineBytes > 0 {
		room = min(room, max(minRead, (record.MaxRecords-b.Len())*(f.lineBytes+f.lineBytes/4+16)))
	}
	return max(room, f.need)
}

// unchanged says whether the bytes before the offset are still those that were
// read. It is asked after a read, before what was read is taken: a file that
// was truncated and filled again in between is noticed. If so, the size that f
// was seen to have before is that of the file that was read.
func (r *reader) unchanged(f *file, size int64) bool {
	head := r.readHead(f, size) // before the tail: if that is the same, this was
	var buf [tailBytes]byte
	n, err := pread(f.fd, buf[:len(f.tail)], f.offset-int64(len(f.tail)))
	if err != nil {
		r.fail(f, reasonRead, err)
		return false
	}
	if bytes.Equal(buf[:n], f.tail) {
		f.size = size
		f.setHead(head)
		return true
	}
	var st stat
	if err := statFD(f.fd, &st); err != nil {
		r.fail(f, reasonStat, err)
		return false
	}
	r.truncated(f, &st)
	return false
}

// extendHead makes the head that of the file as it is, up to its full length.
// What of it was not read yet may have changed.
func (r *reader) extendHead(f *file) { f.setHead(r.readHead(f, f.size)) }

// readHead returns the beginning of f, which has this size; nil if its head
// stands for all that it can.
func (r *reader) readHead(f *file, size int64) []byte {
	if int64(f.headLen) <= f.offset && (f.headLen >= headBytes || int64(f.headLen) >= size) {
		return nil
	}
	n, err := pread(f.fd, r.head[:], 0)
	if err != nil {
		return nil
	}
	return r.head[:n]
}

// setHead makes head, unless it is nil, the beginning of f.
func (f *file) setHead(head []byte) {
	if head == nil {
		return
	}
	n := min(len(head), headBytes)
	if n >= f.headLen {
		f.headLen, f.head = n, hashHead(head[:n])
	}
	if n < headBytes {
		f.size = min(f.size, int64(n)) // it was truncated just now
	}
}

// atEnd is called with the bytes after the last line end of a file that is read
// to its end.
func (r *reader) atEnd(f *file, b *record.Batch, rest []byte) {
	if f.failed {
		f.failed = false
		r.log.Info("a file can be read again", "path", f.path)
	}
	if f.noted.IsZero() {
		r.note(f) // it is known from now on, although it has no line yet
	}
	if f.ended && len(rest) > 0 {
		r.takeLast(f, b, rest)
	}
	if f.ended {
		r.end(f)
	}
}

// end finishes f. If it is still at a path, it is looked at again when it grows.
func (r *reader) end(f *file) {
	f.ended = false
	if f.stray {
		r.log.Debug("file finished", "path", f.path, "source", f.source)
		r.drop(f)
		if !f.unlinked {
			r.keep(f)
		}
		return
	}
	if f.fd >= 0 {
		r.shut(f)
	}
}
