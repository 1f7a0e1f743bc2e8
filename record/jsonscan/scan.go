// Package jsonscan is the one scan of JSON: it finds the members of an object and validates all of its text in a single
// pass, without decoding anything and without allocating.
//
// It accepts exactly what encoding/json accepts, up to a nesting of [MaxDepth]: any bytes above 0x7f in strings, so
// that whoever needs UTF-8 checks it where [Object.NonASCII] says that there is something to check.
package jsonscan

import (
	"slices"

	"github.com/spillway/spillway/record/field"
)

// MaxDepth is how deep objects and arrays may be nested, the outermost included.
const MaxDepth = 1000

// MaxBytes is the length of the longest text that is scanned: offsets have 32 bits.
const MaxBytes = 1<<31 - 1

// Object is what is known of a scanned object beside its members. It is reused from text
// to text. The zero value is ready.
type Object struct {
	// Start and End are the offsets of the opening brace and after the closing one.
	Start, End int
	// NonASCII says that there may be bytes above 0x7f in a string.
	NonASCII bool
	// Newline says that there is a line feed between the values: inside strings JSON has none.
	Newline bool
	// NameEscaped says that the name of a member contains a backslash: see [Unquote].
	NameEscaped bool

	guesses []guess
	base    uint32 // what the text's own offset is in what the members' offsets count in
	err     SyntaxError
}

// Scan scans src, which must be one object with nothing but white space around it, and appends its members to
// members, in order and the same name as often as it appears. Their spans count from the place of which src is
// at offset base; those of names and of strings leave the quotes out. A name whose NameClean is not set contains
// a backslash. The error is a [*SyntaxError] that belongs to o; nothing is appended then.
func (o *Object) Scan(members []field.Field, src []byte, base uint32) ([]field.Field, error) {
	o.NonASCII, o.Newline, o.NameEscaped, o.base = false, false, false, base
	scanned, end := o.scan(members, src)
	if end < 0 {
		o.err.ends = o.err.Offset == len(src)
		return members, &o.err
	}
	return scanned, nil
}

func (o *Object) scan(table []field.Field, src []byte) ([]field.Field, int) {
	if len(src) > MaxBytes {
		return nil, o.fail(0, tooLong)
	}
	i := o.space(src, 0)
	if at(src, i) != '{' {
		return nil, o.fail(i, noObject)
	}
	o.Start = i
	table, seen, i := o.members(table, src, i+1)
	if i < 0 {
		return nil, i
	}
	o.End = i
	o.NonASCII = seen&highs != 0
	if i = o.space(src, i); i < len(src) {
		return nil, o.fail(i, trailing)
	}
	return table, i
}

// members scans from behind the opening brace to behind the closing one. Seen has a top bit set if a byte above 0x7f
// was seen.
func (o *Object) members(table []field.Field, src []byte, i int) (_ []field.Field, seen uint64, next int) {
	i = o.space(src, i)
	if at(src, i) == '}' {
		return table, 0, i + 1
	}
	base := o.base
	for k := 0; ; k++ {
		if at(src, i) != '"' {
			return nil, 0, o.fail(i, noName)
		}
		// Members are filled in in place: a struct that is made first and then
		// appended costs as much as the scan itself.
		if len(table) == cap(table) {
			table = slices.Grow(table, 1)
		}
		table = table[:len(table)+1]
		m := &table[len(table)-1]
		i++
		m.Name.Off = base + uint32(i)
		if k < len(o.guesses) && i+guessBytes <= len(src) && o.guesses[k].like(src[i:]) {
			n := o.guesses[k].size
			m.Name.Len, m.NameClean = uint32(n), true
			i += n + len(`":`)
		} else {
			end, inName := o.str(src, i)
			if end < 0 {
				return nil, 0, end
			}
			seen |= inName
			m.Name.Len, m.NameClean = uint32(end-i), inName&escaped == 0
			if inName&escaped != 0 {
				o.NameEscaped = true
			}
			colon := o.space(src, end+1)
			if at(src, colon) != ':' {
				return nil, 0, o.fail(colon, noColon)
			}
			o.learn(k, src, i, end, inName)
			i = colon + 1
		}
		if at(src, i) <= ' ' {
			i = o.space(src, i)
		}
		var end int
		var inValue uint64
		if at(src, i) == '"' {
			end, inValue = o.str(src, i+1)
			m.Kind, m.Form = field.String, formOf(inValue)
			m.Value = field.Span{Off: base + uint32(i+1), Len: uint32(end - i - 1)}
			i = end + 1
		} else {
			m.Kind, inValue, end = o.other(src, i)
			m.Value, m.Form = bare(m.Kind, base+uint32(i), uint32(end-i))
			i = end
		}
		if end < 0 {
			return nil, 0, end
		}
		seen |= inValue
		if at(src, i) <= ' ' {
			i = o.space(src, i)
		}
		switch at(src, i) {
		case ',':
			if i++; at(src, i) <= ' ' {
				i = o.space(src, i)
			}
		case '}':
			return table, seen, i + 1
		default:
			return nil, 0, o.fail(i, noComma)
		}
	}
}

// at is the byte at i, or 0, which stands nowhere in JSON, behind the end.
func at(src []byte, i int) byte {
	if uint(i) < uint(len(src)) {
		return src[i]
	}
	return 0
}

// formOf is the form of the string in which str has seen what it says.
func formOf(seen uint64) field.Form { return field.Clean + field.Form(seen&escaped) }

// bare is the span and the form of the text of a value without quotes.
func bare(k field.Kind, off, n uint32) (field.Span, field.Form) {
	switch k {
	case field.JSON:
		return field.Span{Off: off, Len: n}, field.Plain
	case field.Null:
		n = 0
	}
	return field.Span{Off: off, Len: n}, field.Clean
}

// space returns the index of the first byte from i on that is not white space.
func (o *Object) space(src []byte, i int) int {
	for ; i < len(src); i++ {
		switch src[i] {
		case ' ', '\t', '\r':
		case '\n':
			o.Newline = true
		default:
			return i
		}
	}
	return i
}

// Valid says whether src is one JSON value with nothing but white space around it.
func Valid(src []byte) bool {
	var o Object
	i := o.space(src, 0)
	_, _, i = o.value(src, i)
	return i >= 0 && o.space(src, i) == len(src)
}
