package record

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spillway/spillway/record/jsonscan"
)

// MaxFields is how many fields are taken from one JSON object.
const MaxFields = 1<<16 - 1

// JSONParser makes fields of the members of JSON objects. It is reused from record to
// record; the zero value is ready.
type JSONParser struct {
	object jsonscan.Object
	fields []Field
}

// Merge parses the text of v, a value of the same batch, as a JSON object and
// merges its members into r: nothing is copied, and numbers and nested values
// stay as they are written. Bytes that are not UTF-8 become U+FFFD. On an error
// r is unchanged; the error is valid until the next call.
func (p *JSONParser) Merge(r Record, v Value) error {
	v = v.AsString()
	if err := p.object.Scan(v.Bytes()); err != nil {
		return err
	}
	if n := len(p.object.Members); n > MaxFields {
		return fmt.Errorf("a JSON object of %d members, more than the %d that a record can hold", n, MaxFields)
	}
	if p.object.NonASCII && !utf8.Valid(v.Bytes()) {
		v = v.b.Value(v.b.replaceInvalid(v.span), String, Plain)
		if err := p.object.Scan(v.Bytes()); err != nil {
			return err
		}
	}
	if p.object.Newline {
		v = v.b.Value(v.b.replaceNewlines(v.span), String, Plain)
	}
	p.fields = v.b.fieldsOf(p.object.Members, v.span.Off, p.fields)
	o := &p.object
	r.Merge(p.fields, Span{v.span.Off + uint32(o.Start), uint32(o.End - o.Start)})
	return nil
}

// fieldsOf makes fields of the members of the text at base, in the space of
// fields. They are filled in in place, which is several times faster than
// appending them.
func (b *Batch) fieldsOf(members []jsonscan.Member, base uint32, fields []Field) []Field {
	fields = slices.Grow(fields[:0], len(members))[:len(members)]
	for i := range members {
		m, f := &members[i], &fields[i]
		f.Name = Span{base + m.NameStart, m.NameEnd - m.NameStart}
		f.Value, f.Kind, f.Form = b.member(m, base)
		f.NameClean = !m.NameEscaped
		if m.NameEscaped {
			f.Name = b.unquote(f.Name)
		}
	}
	return fields
}

// member is the value of m in the text at base.
func (b *Batch) member(m *jsonscan.Member, base uint32) (Span, Kind, Form) {
	at, kind := Span{base + m.Start, m.End - m.Start}, jsonKinds[m.Kind]
	switch {
	case m.Escaped:
		return at, kind, Escaped
	case kind == JSON:
		return at, kind, Plain
	case kind == Null:
		at.Len = 0
	}
	return at, kind, Clean
}

var jsonKinds = [...]Kind{
	jsonscan.Null: Null, jsonscan.String: String, jsonscan.Int: Int, jsonscan.Float: Float,
	jsonscan.True: Bool, jsonscan.False: Bool, jsonscan.Array: JSON, jsonscan.Map: JSON,
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
		m, ok := jsonscan.Path(r.b.Bytes(at), name[end+1:])
		if !ok {
			return Value{}, false
		}
		span, kind, form := r.b.member(&m, at.Off)
		return Value{r.b, span, kind, form}, true
	}
	return Value{}, false
}

// unquote writes what the inside of a JSON string at s stands for to the arena.
func (b *Batch) unquote(s Span) Span {
	b.grow(3 * int(s.Len))
	off := len(b.arena)
	b.arena = jsonscan.Unquote(b.arena, b.Bytes(s))
	return Span{uint32(off), uint32(len(b.arena) - off)}
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
	return Span{uint32(off), uint32(len(b.arena) - off)}
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
