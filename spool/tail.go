package spool

// tail holds the newest frames in memory, for senders that keep up, and for what
// is to be written again if a sync fails.
type tail struct {
	frames []*Frame
	bytes  int64
	// from is the offset from which on every data frame is here.
	from int64
}

// push adds a frame and takes a reference to it.
func (t *tail) push(f *Frame) {
	f.Retain()
	t.frames = append(t.frames, f)
	t.bytes += int64(len(f.Data))
}

// shrink lets go of the oldest frames until at most limit bytes are held, but
// none that ends behind keep.
func (t *tail) shrink(limit, keep int64) {
	n := 0
	for ; n < len(t.frames) && t.bytes > limit && t.frames[n].End() <= keep; n++ {
		f := t.frames[n]
		t.bytes -= int64(len(f.Data))
		t.from = f.End()
		f.Release()
	}
	if n > 0 {
		kept := copy(t.frames, t.frames[n:])
		clear(t.frames[kept:])
		t.frames = t.frames[:kept]
	}
}

// find returns the first frame that begins at or behind offset.
func (t *tail) find(offset int64) int {
	lo, hi := 0, len(t.frames)
	for lo < hi {
		mid := (lo + hi) / 2
		if t.frames[mid].Base < offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
