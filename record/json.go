package record

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spillway/spillway/record/jsonscan"
)

// MaxFields is how many fields are taken from one JSON object.
const MaxFields = 1<<16 - 1

// JSONParser makes fields of the members of JSON objects. It is reused from record to
// record; the zero value is ready.
type JSONParser struct{ object jsonscan.Object }

// Merge parses the text of v, a value of the same batch, as a JSON object and
// merges its members into r: nothing is copied, and numbers and nested values
// stay as they are written. Bytes that are not UTF-8 become U+FFFD. On an error
// r is unchanged; the error is valid until the next call.
func (p *JSONParser) Merge(r Record, v Value) error {
	b, o := r.b, &p.object
	b.openEnd(r.row())
	text, n, err := p.scan(b, v.AsString().span)
	if err != nil || n == 0 {
		return err
	}
	r.closeEnd(n)
	r.spells(Span{Off: text.Off + uint32(o.Start), Len: uint32(o.End - o.Start)}, n)
	return nil
}

// scan adds the members of the object at text to the end of the field table, and says
// how many these are and where the text is that they lie in. After an error there are
// none.
func (p *JSONParser) scan(b *Batch, text Span) (Span, int, error) {
	o, first := &p.object, len(b.fields)
	var err error
	if b.fields, err = o.Scan(b.fields, b.Bytes(text), text.Off); err != nil {
		return text, 0, err
	}
	n := len(b.fields) - first
	switch {
	case n > MaxFields:
		b.fields = b.fields[:first]
		return text, 0, fmt.Errorf("a JSON object of %d members, more than the %d that a record can hold", n, MaxFields)
	case o.NonASCII && !utf8.Valid(b.Bytes(text)):
		b.fields = b.fields[:first]
		return p.scan(b, b.replaceInvalid(text))
	case o.Newline:
		b.fields = b.fields[:first]
		return p.scan(b, b.replaceNewlines(text))
	}
	if o.NameEscaped {
		b.unquoteNames(b.fields[first:])
	}
	return text, n, nil
}

func (b *Batch) unquoteNames(fields []Field) {
	for i := range fields {
		if f := &fields[i]; !f.NameClean {
			f.Name = b.unquote(f.Name)
		}
	}
}

// lookup finds the value that name leads to as a path into a JSON field. Like
// inside of JSON, the longest name that fits is taken.
func (r Record) lookup(name string) (Value, bool) {
	for end := strings.LastIndexByte(name, '.'); end > 0; end = strings.LastIndexByte(name[:end], '.') {
		i := r.last(name[:end])
		if i < 0 || r.b.fields[i].Kind != JSON {
			continue
		}
		at := r.b.fields[i].Value
		f, ok := jsonscan.Path(r.b.Bytes(at), at.Off, name[end+1:])
		if !ok {
			return Value{}, false
		}
		return r.FieldValue(&f), true
	}
	return Value{}, false
}

// unquote writes what the inside of a JSON string at s stands for to the arena.
func (b *Batch) unquote(s Span) Span {
	b.grow(3 * int(s.Len))
	off := len(b.arena)
	b.arena = jsonscan.Unquote(b.arena, b.Bytes(s))
	return Span{Off: uint32(off), Len: uint32(len(b.arena) - off)}
}

// replaceInvalid copies s with U+FFFD for each byte that is not UTF-8.
func (b *Batch) replaceInvalid(s Span) Span {
	b.grow(3 * int(s.Len))
	off := len(b.arena)
	for text := b.Bytes(s); len(text) > 0; {
		r, n := utf8.DecodeRune(text)
		b.arena = utf8.AppendRune(b.arena, r)
		text = text[n:]
	}
	return Span{Off: uint32(off), Len: uint32(len(b.arena) - off)}
}

// replaceNewlines copies the JSON text at s with spaces for line feeds, so that
// it can stand in a line.
func (b *Batch) replaceNewlines(s Span) Span {
	s = b.Copy(b.Bytes(s))
	text := b.Bytes(s)
	for i := bytes.IndexByte(text, '\n'); i >= 0; i = bytes.IndexByte(text, '\n') {
		text[i] = ' '
		text = text[i:]
	}
	return s
}
