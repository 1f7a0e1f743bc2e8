// Package record holds the unit of work of the whole pipeline: the pooled [Batch].
//
// A batch is one byte arena, one field table and one row table. A field is two
// spans of 32-bit offset and length into the arena, so no table holds a pointer,
// the garbage collector skips them, and parsing copies nothing. A batch has one
// owner at a time: whoever emits or releases it must not touch it again. Race
// builds overwrite what was released, so that a stale reader shows at once.
package record

import (
	"sync"
	"time"
)

// BatchBytes is the arena size an input aims at before it emits a batch. It
// keeps a batch within a core's second-level cache while the processors pass
// over it, and is large enough that costs per batch vanish.
const BatchBytes = 256 << 10

// MaxRecords is the number of records at which an input emits a batch that is
// not yet [BatchBytes] long.
const MaxRecords = 4096

// keepBytes bounds the arena of a batch that goes back to the pool: one giant
// line must not pin its memory for ever.
const keepBytes = 4 << 20

// Message is the name of the field that holds an input's line.
const Message = "message"

// Span is a stretch of the arena.
type Span struct{ Off, Len uint32 }

// Field is one named value of a record.
type Field struct {
	Name, Value Span
	Kind        Kind
	Form        Form
	// NameClean says that the name needs no escaping in JSON.
	NameClean bool
}

// Batch is a list of records with the source positions they bring along.
// The zero value is not usable: call [NewBatch].
type Batch struct {
	arena  []byte
	fields []Field
	rows   []row
	names  []internedName

	sources []Position

	// Appended, if set, is called once when the batch's records are in the
	// spool to the extent its sync setting promises, or with the error that
	// kept them out. It must not block.
	Appended func(error)
}

type row struct {
	first    uint32
	n, room  uint16
	objFirst uint16
	objN     uint16
	source   uint16
	reason   Reason
	hasKey   bool
	object   Span
	raw      Span
	key      Span
	cause    Span
	time     int64
	offset   int64
}

type internedName struct {
	text  string
	span  Span
	clean bool
}

var pool = sync.Pool{New: func() any {
	b := &Batch{
		arena:  make([]byte, 0, BatchBytes+64<<10),
		fields: make([]Field, 0, 8192),
		rows:   make([]row, 0, 1024),
		names:  make([]internedName, 0, 16),
	}
	return b
}}

// NewBatch takes an empty batch from the pool. The caller owns it.
func NewBatch() *Batch { return pool.Get().(*Batch) }

// Release gives b back to the pool. Nothing that was taken from b may be used
// afterwards.
func (b *Batch) Release() {
	if poison {
		b.overwrite()
	}
	if cap(b.arena) > keepBytes {
		return
	}
	b.reset()
	pool.Put(b)
}

func (b *Batch) reset() {
	b.arena = b.arena[:0]
	b.fields = b.fields[:0]
	b.rows = b.rows[:0]
	b.names = b.names[:0]
	b.sources = b.sources[:0]
	b.Appended = nil
}

// Len is the number of records, dropped ones included.
func (b *Batch) Len() int { return len(b.rows) }

// Size is the number of arena bytes in use.
func (b *Batch) Size() int { return len(b.arena) }

// Full says that the batch has reached a size at which it should be emitted.
func (b *Batch) Full() bool { return len(b.arena) >= BatchBytes || len(b.rows) >= MaxRecords }

// Empty says that emitting the batch would change nothing: no record and no
// source position.
func (b *Batch) Empty() bool { return len(b.rows) == 0 && len(b.sources) == 0 }

// Record returns a handle on record i. It is dead once b is released.
func (b *Batch) Record(i int) Record { return Record{b: b, i: i} }

// Space returns at least n free bytes of the arena for the caller to read
// into; [Batch.Commit] makes the first of them part of the batch.
func (b *Batch) Space(n int) []byte {
	b.grow(n)
	return b.arena[len(b.arena):cap(b.arena)]
}

// Commit appends the first n bytes written into the last [Batch.Space] and
// returns where they lie.
func (b *Batch) Commit(n int) Span {
	off := len(b.arena)
	b.arena = b.arena[:off+n]
	return Span{uint32(off), uint32(n)}
}

// Bytes is a view of s, valid until the batch is released. It may be written
// to only by a processor that owns the batch and everything that shares s.
func (b *Batch) Bytes(s Span) []byte { return b.arena[s.Off : s.Off+s.Len : s.Off+s.Len] }

// Text copies s into the arena.
func (b *Batch) Text(s string) Span {
	b.grow(len(s))
	off := len(b.arena)
	b.arena = append(b.arena, s...)
	return Span{uint32(off), uint32(len(s))}
}

// Copy copies p into the arena.
func (b *Batch) Copy(p []byte) Span {
	b.grow(len(p))
	off := len(b.arena)
	b.arena = append(b.arena, p...)
	return Span{uint32(off), uint32(len(p))}
}

func (b *Batch) grow(n int) {
	if cap(b.arena)-len(b.arena) >= n {
		return
	}
	next := make([]byte, len(b.arena), max(2*cap(b.arena), len(b.arena)+n))
	copy(next, b.arena)
	b.arena = next
}

// Name is a field name that lies in the arena of one batch, so that setting it
// on every record copies nothing.
type Name struct {
	text  string
	span  Span
	clean bool
}

// Name interns a field name for this batch.
func (b *Batch) Name(name string) Name {
	for i := range b.names {
		if b.names[i].text == name {
			return Name(b.names[i])
		}
	}
	n := internedName{text: name, span: b.Text(name), clean: cleanText(name)}
	b.names = append(b.names, n)
	return Name(n)
}

// AddLine adds a record whose [Message] is the line at s. The offset is where
// the line began in the source with index source, seen at time at (Unix
// nanoseconds).
func (b *Batch) AddLine(s Span, source int, offset, at int64) Record {
	name := b.Name(Message)
	b.rows = append(b.rows, row{
		first: uint32(len(b.fields)), n: 1, room: 1, source: uint16(source),
		raw: s, time: at, offset: offset,
	})
	b.fields = append(b.fields, Field{Name: name.span, Value: s, Kind: String, NameClean: true})
	return Record{b, len(b.rows) - 1}
}

// AddRecord adds a record without fields.
func (b *Batch) AddRecord(source int, offset, at int64) Record {
	b.rows = append(b.rows, row{first: uint32(len(b.fields)), source: uint16(source), time: at, offset: offset})
	return Record{b, len(b.rows) - 1}
}

// Source returns the index of the source with this key, for [Batch.AddLine]
// and [Batch.Position]. A source that is new to the batch gets an empty
// position. Keys are unique within an input.
func (b *Batch) Source(key string) int {
	for i := len(b.sources) - 1; i >= 0; i-- {
		if b.sources[i].Source == key {
			return i
		}
	}
	if len(b.sources) < cap(b.sources) {
		b.sources = b.sources[:len(b.sources)+1]
		p := &b.sources[len(b.sources)-1]
		*p = Position{Source: key, State: p.State[:0]}
	} else {
		b.sources = append(b.sources, Position{Source: key})
	}
	return len(b.sources) - 1
}

// Position is the position of source i, to be filled in by the input before it
// emits: how far the source is read once this batch is in the spool.
func (b *Batch) Position(i int) *Position { return &b.sources[i] }

// Positions are the positions of all sources in b. The slice and its contents
// live as long as b.
func (b *Batch) Positions() []Position { return b.sources }

// Position says how far a source has been read. It becomes durable together
// with the records it made.
type Position struct {
	// Source identifies the source within its pipeline. An input chooses it
	// once for a source and keeps it for the source's whole life.
	Source string
	// Offset is the next byte, or message, to read.
	Offset int64
	// State is what else the input needs to find the source again, in a form
	// that only the input knows.
	State []byte
	// Records, Bytes, Cut and Lost count, over the life of the source, the
	// records and bytes read, the records cut to the longest allowed length,
	// and the bytes that vanished unread.
	Records, Bytes, Cut, Lost int64
	// Seen is when the source was last known to exist.
	Seen time.Time
}

// Clone returns a copy of p that owns its State.
func (p Position) Clone() Position {
	p.State = append([]byte(nil), p.State...)
	return p
}
