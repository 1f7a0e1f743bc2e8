package record

import "github.com/spillway/spillway/record/jsonscan"

// maxBytes is what offsets of 32 bits can address.
const maxBytes = 1<<32 - 1

// Space returns at least n free bytes of the arena for the caller to read
// into; [Batch.Commit] makes the first of them part of the batch. Between the
// two nothing else may be put into the batch. What is committed one after the
// other lies one after the other, also when [Batch.AddLine] came between.
func (b *Batch) Space(n int) []byte {
	b.grow(n)
	return b.arena[len(b.arena):cap(b.arena)]
}

// Commit appends the first n bytes written into the last [Batch.Space] and
// returns where they lie.
func (b *Batch) Commit(n int) Span {
	off := len(b.arena)
	b.arena = b.arena[:off+n]
	return Span{Off: uint32(off), Len: uint32(n)}
}

// Bytes is a view of s, valid until the batch is released. It may be written
// to only by a processor that owns the batch and everything that shares s.
func (b *Batch) Bytes(s Span) []byte { return b.arena[s.Off : s.Off+s.Len : s.Off+s.Len] }

// Text copies s into the arena.
func (b *Batch) Text(s string) Span {
	b.grow(len(s))
	off := len(b.arena)
	b.arena = append(b.arena, s...)
	return Span{Off: uint32(off), Len: uint32(len(s))}
}

// Copy copies p into the arena.
func (b *Batch) Copy(p []byte) Span {
	b.grow(len(p))
	off := len(b.arena)
	b.arena = append(b.arena, p...)
	return Span{Off: uint32(off), Len: uint32(len(p))}
}

func (b *Batch) grow(n int) {
	if cap(b.arena)-len(b.arena) >= n {
		return
	}
	if len(b.arena)+n > maxBytes {
		panic("record: a batch can't hold more than 4 GiB")
	}
	next := make([]byte, len(b.arena), min(max(2*cap(b.arena), len(b.arena)+n), maxBytes))
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
			return b.names[i]
		}
	}
	n := Name{text: name, span: b.Text(name)}
	n.clean = jsonscan.Clean(b.Bytes(n.span))
	b.names = append(b.names, n)
	return n
}

// Field is a field with the name n, for [Record.Append] and [Record.Merge].
func (n Name) Field(v Value) Field {
	return Field{Name: n.span, Value: v.span, Kind: v.kind, Form: v.form, NameClean: n.clean}
}
