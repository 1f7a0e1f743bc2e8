// Package jsonscan is the one scan of JSON: it finds the members of an object and validates all of its text in a single
// pass, without decoding anything and without allocating.
//
// It accepts exactly what encoding/json accepts, up to a nesting of [MaxDepth]: any bytes above 0x7f in strings, so
// that whoever needs UTF-8 checks it where [Object.NonASCII] says that there is something to check.
package jsonscan

import "slices"

// MaxDepth is how deep objects and arrays may be nested, the outermost included.
const MaxDepth = 1000

// MaxBytes is the length of the longest text that is scanned: offsets have 32 bits.
const MaxBytes = 1<<31 - 1

// Kind is the type of a JSON value.
type Kind uint8

// The kinds. An Int is a number without fraction and exponent, of any length.
const (
	Null Kind = iota
	String
	Int
	Float
	True
	False
	Array
	Map
)

// Member is a name and a value, as offsets into the scanned text. Those of names and of string values leave the quotes
// out. The value of a Map or an Array is its text with the brackets.
type Member struct {
	NameStart, NameEnd uint32
	Start, End         uint32
	Kind               Kind
	// NameEscaped and Escaped say that the name, or the string, contains a backslash: see [Unquote].
	NameEscaped, Escaped bool
}

// Object is what is known of a scanned object. It is reused from text to text: what it holds is valid until the next
// [Object.Scan]. The zero value is ready.
type Object struct {
	// Members are the object's members in order, the same name as often as it appears.
	Members []Member
	// Start and End are the offsets of the opening brace and after the closing one.
	Start, End int
	// NonASCII says that there may be bytes above 0x7f in a string.
	NonASCII bool
	// Newline says that there is a line feed between the values: inside strings JSON has none.
	Newline bool

	err SyntaxError
}

// Scan scans src, which must be one object with nothing but white space around it. The error is a [*SyntaxError] that
// belongs to o; Members is then empty.
func (o *Object) Scan(src []byte) error {
	o.Members, o.NonASCII, o.Newline = o.Members[:0], false, false
	if o.scan(src) < 0 {
		o.Members = o.Members[:0]
		o.err.ends = o.err.Offset == len(src)
		return &o.err
	}
	return nil
}

func (o *Object) scan(src []byte) int {
	if len(src) > MaxBytes {
		return o.fail(0, tooLong)
	}
	i := o.space(src, 0)
	if i >= len(src) || src[i] != '{' {
		return o.fail(i, noObject)
	}
	o.Start = i
	high, i := o.members(src, i+1)
	if i < 0 {
		return i
	}
	o.End = i
	o.NonASCII = high&highs != 0
	if i = o.space(src, i); i < len(src) {
		return o.fail(i, trailing)
	}
	return i
}

// members scans from behind the opening brace to behind the closing one. High has a top bit set if a byte above 0x7f
// was seen.
func (o *Object) members(src []byte, i int) (high uint64, next int) {
	i = o.space(src, i)
	if i < len(src) && src[i] == '}' {
		return 0, i + 1
	}
	table := o.Members
	for {
		if i >= len(src) || src[i] != '"' {
			return 0, o.fail(i, noName)
		}
		// Members are filled in in place: a struct that is made first and then
		// appended costs as much as the scan itself.
		if len(table) == cap(table) {
			table = slices.Grow(table, 1)
		}
		table = table[:len(table)+1]
		m := &table[len(table)-1]
		end, seen := o.str(src, i+1)
		if end < 0 {
			return 0, end
		}
		high |= seen
		m.NameStart, m.NameEnd, m.NameEscaped = uint32(i+1), uint32(end), seen&escaped != 0
		i = end + 1
		if i >= len(src) || src[i] != ':' {
			if i = o.space(src, i); i >= len(src) || src[i] != ':' {
				return 0, o.fail(i, noColon)
			}
		}
		i++
		if i >= len(src) || src[i] <= ' ' {
			i = o.space(src, i)
		}
		if i < len(src) && src[i] == '"' {
			end, seen = o.str(src, i+1)
			m.Kind, m.Start, m.End, m.Escaped = String, uint32(i+1), uint32(end), seen&escaped != 0
			i = end + 1
		} else {
			m.Start, m.Escaped = uint32(i), false
			m.Kind, seen, end = o.other(src, i)
			m.End = uint32(end)
			i = end
		}
		if end < 0 {
			return 0, end
		}
		high |= seen
		if i >= len(src) || src[i] <= ' ' {
			i = o.space(src, i)
		}
		if i+1 < len(src) && src[i] == ',' {
			i++
			if src[i] <= ' ' {
				i = o.space(src, i)
			}
			continue
		}
		if i < len(src) && src[i] == '}' {
			o.Members = table
			return high, i + 1
		}
		return 0, o.fail(i, noComma)
	}
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
