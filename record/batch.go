// Package record holds the unit of work of the whole pipeline: the pooled [Batch].
//
// A batch is one byte arena, one field table and one row table. A field is two
// spans of 32-bit offset and length into the arena, so no table holds a pointer,
// the garbage collector skips them, and parsing copies nothing. A batch has one
// owner at a time: whoever emits or releases it must not touch it again. Race
// builds overwrite what was released, so that a stale reader shows at once.
package record

import (
	"iter"
	"sync"
)

// BatchBytes is the arena size an input aims at before it emits a batch. It
// keeps a batch within a core's second-level cache while the processors pass
// over it, and is large enough that costs per batch vanish.
const BatchBytes = 256 << 10

// MaxRecords is the number of records at which an input emits a batch that is
// not yet [BatchBytes] long.
const MaxRecords = 4096

// A batch that has grown beyond these does not go back to the pool: one giant
// line, or a burst of sources, must not pin its memory for ever.
const (
	keepBytes   = 4 << 20
	keepFields  = 1 << 18
	keepRows    = 4 * MaxRecords
	keepSources = MaxRecords
)

// Message is the name of the field that holds an input's line.
const Message = "message"

// Batch is a list of records with the source positions they bring along.
// The zero value is not usable: call [NewBatch].
type Batch struct {
	arena  []byte
	fields []Field
	rows   []row
	names  []Name

	sources  []Position
	index    map[string]int // of sources, once there are many
	released bool

	// Appended, if set, is called once when the batch's records are in the
	// spool to the extent its sync setting promises, or with the error that
	// kept them out. It must not block.
	Appended func(error)
}

// row is a record: the fields [first, first+n) of the field table, of which it
// owns room. The fields [objFirst, objFirst+objN) of these are what object says.
type row struct {
	first, n, room uint32
	objFirst, objN uint32
	source         uint32
	reason         Reason
	hasKey         bool
	object         Span
	raw            Span
	key            Span
	cause          Span
	time           int64
	offset         int64
}

var pool = sync.Pool{New: func() any {
	b := &Batch{
		arena:  make([]byte, 0, BatchBytes+64<<10),
		fields: make([]Field, 0, 8192),
		rows:   make([]row, 0, 1024),
		names:  make([]Name, 0, 16),
	}
	b.reset()
	return b
}}

// NewBatch takes an empty batch from the pool. The caller owns it.
func NewBatch() *Batch {
	b := pool.Get().(*Batch)
	b.released = false
	return b
}

// Release gives b back to the pool. Nothing that was taken from b may be used
// afterwards.
func (b *Batch) Release() {
	if b.released {
		panic("record: a batch was released twice")
	}
	b.released = true
	if poison {
		b.overwrite()
	}
	if cap(b.arena) > keepBytes || cap(b.fields) > keepFields || cap(b.rows) > keepRows || cap(b.sources) > keepSources {
		return
	}
	b.reset()
	pool.Put(b)
}

// reset empties b but for the name [Message], which lies at the arena's start,
// so that adding a line adds nothing to the arena.
func (b *Batch) reset() {
	b.arena = append(b.arena[:0], Message...)
	b.names = append(b.names[:0], Name{text: Message, span: messageName, clean: true})
	b.fields = b.fields[:0]
	b.rows = b.rows[:0]
	b.sources = b.sources[:0]
	clear(b.index)
	b.Appended = nil
}

var messageName = Span{Off: 0, Len: uint32(len(Message))}

// Len is the number of records, dropped ones included.
func (b *Batch) Len() int { return len(b.rows) }

// Size is the number of arena bytes in use.
func (b *Batch) Size() int { return len(b.arena) }

// Full says that the batch has reached a size at which it should be emitted.
func (b *Batch) Full() bool { return len(b.arena) >= BatchBytes || len(b.rows) >= MaxRecords }

// Empty says that emitting the batch would change nothing: no record and no
// source position.
func (b *Batch) Empty() bool { return len(b.rows) == 0 && len(b.sources) == 0 }

// Kept yields the records that are still [Kept], in order.
func (b *Batch) Kept() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for i := range b.rows {
			if b.rows[i].reason == Kept && !yield(Record{b, i}) {
				return
			}
		}
	}
}

// Record returns a handle on record i. It is dead once b is released.
func (b *Batch) Record(i int) Record { return Record{b: b, i: i} }

// AddLine adds a record whose [Message] is the line at s. The offset is where
// the line began in the source with index source, seen at time at (Unix
// nanoseconds).
func (b *Batch) AddLine(s Span, source int, offset, at int64) Record {
	r := b.AddRecord(source, offset, at)
	w := r.row()
	w.n, w.room, w.raw = 1, 1, s
	b.fields = append(b.fields, Field{Name: messageName, Value: s, Kind: String, NameClean: true})
	return r
}

// AddRecord adds a record without fields.
func (b *Batch) AddRecord(source int, offset, at int64) Record {
	// Filled in in place: a row that is made first and then appended costs twice as much.
	b.rows = append(b.rows, row{})
	r := Record{b, len(b.rows) - 1}
	w := r.row()
	w.first, w.source, w.time, w.offset = uint32(len(b.fields)), uint32(source), at, offset
	return r
}
