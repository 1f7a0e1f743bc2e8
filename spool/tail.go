package spool

// tail holds the newest frames in memory, for senders that keep up.
type tail struct {
	frames []*Frame
	// head is where the frames begin: what was let go of before it is nil.
	head int
	// bytes is what the frames hold in memory.
	bytes int64
	// from is the offset from which on every data frame is here.
	from int64
}

func (t *tail) len() int        { return len(t.frames) - t.head }
func (t *tail) at(i int) *Frame { return t.frames[t.head+i] }

// push adds a frame and takes a reference to it.
func (t *tail) push(f *Frame) {
	f.Retain()
	t.frames = append(t.frames, f)
	t.bytes += int64(cap(f.Data))
}

// shrink lets go of the oldest frames until at most limit bytes are held.
func (t *tail) shrink(limit int64) {
	for t.bytes > limit && t.len() > 0 {
		f := t.frames[t.head]
		t.frames[t.head] = nil
		t.head++
		t.bytes -= int64(cap(f.Data))
		t.from = f.End()
		f.Release()
	}
	if t.head > 64 && t.head > len(t.frames)/2 {
		kept := copy(t.frames, t.frames[t.head:])
		clear(t.frames[kept:])
		t.frames, t.head = t.frames[:kept], 0
	}
}

// find returns the index of the first frame that begins at or behind offset.
func (t *tail) find(offset int64) int {
	lo, hi := 0, t.len()
	for lo < hi {
		mid := (lo + hi) / 2
		if t.at(mid).Base < offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
