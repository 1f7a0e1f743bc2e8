package spool

import (
	"sync"
	"sync/atomic"

	"github.com/spillway/spillway/spool/recordbatch"
)

// Frame is one data batch of the spool: a complete Kafka v2 record batch in
// memory. Frames are counted references to pooled buffers: who holds one calls
// [Frame.Release] when done ([Cursor.Ack] does it for a sender).
type Frame struct {
	// Data is the record batch as it stands in the segment. Its header carries
	// the lane and, once appended, the offset of its first record.
	Data []byte
	// Base is the offset of the frame's first record, set by the append.
	Base int64
	// Count is the number of records.
	Count int32
	// Lane tells which encoding the records have.
	Lane int16

	refs atomic.Int32
}

// keepFrameBytes bounds what a frame in the pool may hold on to.
const keepFrameBytes = 4 << 20

var framePool = sync.Pool{New: func() any { return new(Frame) }}

// NewFrame takes an empty frame from the pool, with one reference.
func NewFrame() *Frame {
	f := framePool.Get().(*Frame)
	f.refs.Store(1)
	return f
}

// End is the offset after the frame's last record.
func (f *Frame) End() int64 { return f.Base + int64(f.Count) }

// Retain adds a reference.
func (f *Frame) Retain() { f.refs.Add(1) }

// Release gives a reference back. The frame must not be used afterwards.
func (f *Frame) Release() {
	switch n := f.refs.Add(-1); {
	case n > 0:
		return
	case n < 0:
		panic("spool: frame released twice")
	}
	if cap(f.Data) > keepFrameBytes {
		f.Data = nil
	}
	f.Data = f.Data[:0]
	f.Base, f.Count, f.Lane = 0, 0, 0
	framePool.Put(f)
}

// Records makes r iterate over the records of the frame.
func (f *Frame) Records(r *recordbatch.Reader) error { return r.Reset(f.Data) }

// Checksum is the CRC-32C in the frame's header; 0 if there is none.
func (f *Frame) Checksum() uint32 {
	h, err := recordbatch.ParseHeader(f.Data)
	if err != nil {
		return 0
	}
	return h.CRC
}

// Staged is what an output noted about a frame before it sent it.
type Staged struct {
	// Offset is the first record of the frame, End the one after its last.
	Offset, End int64
	// Checksum is the frame's CRC-32C as it stood in the spool.
	Checksum uint32
	// Note is the output's own.
	Note []byte
}
