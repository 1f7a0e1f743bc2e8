package jsonscan

import (
	"encoding/binary"
	"math/bits"

	"github.com/spillway/spillway/record/field"
)

// escaped is set, in what str reports to have seen, when the string holds a backslash.
const escaped = 1

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stops sets the top bit of the first byte in w, in memory order, that a string can't just contain: a quote, a
// backslash, or a control character. Bits above the first may be wrong.
func stops(w uint64) uint64 {
	quote, slash := w^(ones*'"'), w^(ones*'\\')
	return ((w - ones*' ') | (quote - ones) | (slash - ones)) &^ w & highs
}

// str scans a string from behind its opening quote and returns the index of the closing one. Seen holds the flag
// escaped, and a top bit if there may be a byte above 0x7f in the string or after it.
func (o *Object) str(src []byte, i int) (end int, seen uint64) {
	for i+8 <= len(src) {
		w := binary.LittleEndian.Uint64(src[i:])
		m := stops(w)
		seen |= w & highs
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) >> 3
		if at(src, i) == '"' {
			return i, seen
		}
		if i = o.escape(src, i); i < 0 {
			return i, 0
		}
		seen |= escaped
	}
	for i < len(src) {
		switch c := src[i]; {
		case c == '"':
			return i, seen
		case c == '\\' || c < ' ':
			if i = o.escape(src, i); i < 0 {
				return i, 0
			}
			seen |= escaped
		default:
			seen |= uint64(c & 0x80)
			i++
		}
	}
	return o.fail(len(src), openString), 0
}

// escape returns the index after the escape sequence at i.
func (o *Object) escape(src []byte, i int) int {
	if src[i] != '\\' {
		return o.fail(i, control)
	}
	if i+1 >= len(src) {
		return o.fail(len(src), openString)
	}
	switch src[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		for j := i + 2; j < i+6; j++ {
			if j >= len(src) {
				return o.fail(len(src), openString)
			}
			if hexDigit(src[j]) < 0 {
				return o.fail(j, badEscape)
			}
		}
		return i + 6
	}
	return o.fail(i+1, badEscape)
}

// value scans any value at i and returns the index after it.
func (o *Object) value(src []byte, i int) (k field.Kind, seen uint64, next int) {
	if i < len(src) && src[i] == '"' {
		end, seen := o.str(src, i+1)
		if end < 0 {
			return field.String, 0, end
		}
		return field.String, seen, end + 1
	}
	return o.other(src, i)
}

// other scans a value that is not a string.
func (o *Object) other(src []byte, i int) (k field.Kind, seen uint64, next int) {
	if i >= len(src) {
		return 0, 0, o.fail(i, noValue)
	}
	switch src[i] {
	case '{':
		seen, next = o.container(src, i)
		return field.JSON, seen, next
	case '[':
		seen, next = o.container(src, i)
		return field.JSON, seen, next
	case 't':
		return field.Bool, 0, o.literal(src, i, "true")
	case 'f':
		return field.Bool, 0, o.literal(src, i, "false")
	case 'n':
		return field.Null, 0, o.literal(src, i, "null")
	}
	k, next = o.number(src, i)
	return k, 0, next
}

func (o *Object) literal(src []byte, i int, text string) int {
	if len(src)-i >= len(text) && string(src[i:i+len(text)]) == text {
		return i + len(text)
	}
	for j := range len(text) {
		if i+j >= len(src) || src[i+j] != text[j] {
			return o.fail(i+j, noValue)
		}
	}
	return i + len(text)
}

func (o *Object) number(src []byte, i int) (field.Kind, int) {
	if src[i] == '-' {
		i++
	}
	first := i
	i = digits(src, i)
	switch {
	case i == first:
		return 0, o.fail(i, noValue)
	case src[first] == '0' && i > first+1:
		return 0, o.fail(first+1, leadingZero)
	case i >= len(src) || src[i] != '.' && src[i]|0x20 != 'e':
		return field.Int, i
	}
	if src[i] == '.' {
		first = i + 1
		if i = digits(src, first); i == first {
			return 0, o.fail(i, noDigit)
		}
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		if i++; i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		first = i
		if i = digits(src, first); i == first {
			return 0, o.fail(i, noDigit)
		}
	}
	return field.Float, i
}

// digits returns the index of the first byte from i on that is no digit.
func digits(src []byte, i int) int {
	for i < len(src) && src[i]-'0' <= 9 {
		i++
	}
	return i
}
