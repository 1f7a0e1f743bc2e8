package record

import (
	"strconv"
	"time"

	"github.com/spillway/spillway/record/field"
	"github.com/spillway/spillway/record/jsonscan"
)

// What a field is made of: see the package field.
type (
	Span  = field.Span
	Field = field.Field
	Kind  = field.Kind
	Form  = field.Form
)

// The kinds of values.
const (
	Null   = field.Null
	String = field.String
	Int    = field.Int
	Float  = field.Float
	Bool   = field.Bool
	Time   = field.Time
	Bytes  = field.Bytes
	JSON   = field.JSON
)

// The forms of strings.
const (
	Plain   = field.Plain
	Clean   = field.Clean
	Escaped = field.Escaped
)

// Value is a value in the arena of a batch.
type Value struct {
	b    *Batch
	span Span
	kind Kind
	form Form
}

// Value makes a value of the text at s.
func (b *Batch) Value(s Span, k Kind, f Form) Value { return Value{b, s, k, f} }

// String puts a string into the batch.
func (b *Batch) String(s string) Value {
	v := Value{b, b.Text(s), String, Plain}
	if jsonscan.Clean(b.Bytes(v.span)) {
		v.form = Clean
	}
	return v
}

// Int puts an integer into the batch.
func (b *Batch) Int(i int64) Value {
	b.grow(20)
	off := len(b.arena)
	b.arena = strconv.AppendInt(b.arena, i, 10)
	return Value{b, Span{Off: uint32(off), Len: uint32(len(b.arena) - off)}, Int, Clean}
}

// Float puts a float into the batch, in the shortest form that reads back equal.
// NaN and the infinities, which JSON cannot write, become null.
func (b *Batch) Float(f float64) Value {
	if f != f || f > maxFloat || f < -maxFloat {
		return Value{b: b, kind: Null}
	}
	b.grow(32)
	off := len(b.arena)
	b.arena = strconv.AppendFloat(b.arena, f, 'g', -1, 64)
	return Value{b, Span{Off: uint32(off), Len: uint32(len(b.arena) - off)}, Float, Clean}
}

const maxFloat = 0x1p1023 * (1 + (1 - 0x1p-52))

// Bool puts a boolean into the batch.
func (b *Batch) Bool(t bool) Value {
	return Value{b, b.Text(strconv.FormatBool(t)), Bool, Clean}
}

// Time puts a time, in Unix nanoseconds, into the batch. It is written as
// RFC 3339 in UTC.
func (b *Batch) Time(ns int64) Value {
	b.grow(len(time.RFC3339Nano) + 8)
	off := len(b.arena)
	b.arena = time.Unix(0, ns).UTC().AppendFormat(b.arena, time.RFC3339Nano)
	return Value{b, Span{Off: uint32(off), Len: uint32(len(b.arena) - off)}, Time, Clean}
}

// Kind is the type of v.
func (v Value) Kind() Kind { return v.kind }

// Form says how the bytes of v relate to JSON.
func (v Value) Form() Form { return v.form }

// Span is where the bytes of v lie.
func (v Value) Span() Span { return v.span }

// Bytes are the bytes of v as they stand in the arena: for an [Escaped] string
// with its escapes. Valid until the batch is released.
func (v Value) Bytes() []byte { return v.b.Bytes(v.span) }

// Slice is the string made of bytes i to j of v.
func (v Value) Slice(i, j int) Value {
	return Value{v.b, Span{Off: v.span.Off + uint32(i), Len: uint32(j - i)}, String, v.form}
}

// As is v, taken as another kind. The bytes stay as they are.
func (v Value) As(k Kind) Value {
	v.kind = k
	return v
}

// AsString is the text of v as a string without escapes. An [Escaped] string is
// unescaped into the arena; everything else stays where it is.
func (v Value) AsString() Value {
	if v.form == Escaped {
		return Value{v.b, v.b.unquote(v.span), String, Plain}
	}
	v.kind = String
	return v
}

// AppendText appends the text of v, without escapes, to dst. That of null is
// empty.
func (v Value) AppendText(dst []byte) []byte {
	if v.form == Escaped {
		return jsonscan.Unquote(dst, v.Bytes())
	}
	return append(dst, v.Bytes()...)
}

// Int64 is v as an integer; ok is false if v is not an [Int], or larger than an
// int64.
func (v Value) Int64() (i int64, ok bool) {
	if v.kind != Int {
		return 0, false
	}
	i, err := strconv.ParseInt(string(v.Bytes()), 10, 64)
	return i, err == nil
}

// Float64 is v as a float: the nearest one if v is an [Int] or has more digits.
// Ok is false for other kinds, and beyond the largest float.
func (v Value) Float64() (f float64, ok bool) {
	if v.kind != Int && v.kind != Float {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v.Bytes()), 64)
	return f, err == nil
}

// Bool is v as a boolean; ok is false if it is of another kind.
func (v Value) Bool() (t, ok bool) {
	return v.kind == Bool && v.span.Len == uint32(len("true")), v.kind == Bool
}

// Time is v in Unix nanoseconds; ok is false if v is of another kind.
func (v Value) Time() (ns int64, ok bool) {
	if v.kind != Time {
		return 0, false
	}
	t, err := time.Parse(time.RFC3339Nano, string(v.Bytes()))
	if err != nil {
		return 0, false
	}
	return t.UnixNano(), true
}
