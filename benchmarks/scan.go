package main

import (
	"encoding/binary"
	"math/bits"
)

// A member is one name and value at the top level of a JSON object, as spans of the scanned line.
type member struct {
	nameStart, nameEnd   uint32 // without the quotes
	valueStart, valueEnd uint32
}

// maxDepth bounds the nesting of a line that is taken for JSON.
const maxDepth = 64

// A scanner validates lines as JSON objects. It keeps its table of members from line to line.
type scanner struct {
	members []member
}

// scan says whether line is one valid JSON object with nothing but white space around it. It fills s.members, which are
// valid until the next call, and returns the index of the closing brace. Bytes above 0x7f in strings are not looked at.
func (s *scanner) scan(line []byte) (brace int, ok bool) {
	s.members = s.members[:0]
	i := skipSpace(line, 0)
	if i >= len(line) || line[i] != '{' {
		return 0, false
	}
	i = skipSpace(line, i+1)
	if i < len(line) && line[i] == '}' {
		return i, skipSpace(line, i+1) == len(line)
	}
	for {
		var m member
		if i >= len(line) || line[i] != '"' {
			return 0, false
		}
		m.nameStart = uint32(i + 1)
		if i = scanString(line, i+1); i < 0 {
			return 0, false
		}
		m.nameEnd = uint32(i - 1)
		if i = skipSpace(line, i); i >= len(line) || line[i] != ':' {
			return 0, false
		}
		i = skipSpace(line, i+1)
		m.valueStart = uint32(i)
		if i = scanValue(line, i, maxDepth); i < 0 {
			return 0, false
		}
		m.valueEnd = uint32(i)
		s.members = append(s.members, m)
		if i = skipSpace(line, i); i >= len(line) {
			return 0, false
		}
		switch line[i] {
		case ',':
			i = skipSpace(line, i+1)
		case '}':
			return i, skipSpace(line, i+1) == len(line)
		default:
			return 0, false
		}
	}
}

// has says whether the last scanned line has a top-level member of this name.
func (s *scanner) has(line []byte, name string) bool {
	for _, m := range s.members {
		if int(m.nameEnd-m.nameStart) == len(name) && string(line[m.nameStart:m.nameEnd]) == name {
			return true
		}
	}
	return false
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// scanValue returns the index after the value that begins at i, or -1.
func scanValue(b []byte, i, depth int) int {
	if i >= len(b) || depth == 0 {
		return -1
	}
	switch b[i] {
	case '"':
		return scanString(b, i+1)
	case '{':
		return scanContainer(b, i+1, '}', depth)
	case '[':
		return scanContainer(b, i+1, ']', depth)
	case 't':
		return scanLiteral(b, i, "true")
	case 'f':
		return scanLiteral(b, i, "false")
	case 'n':
		return scanLiteral(b, i, "null")
	default:
		return scanNumber(b, i)
	}
}

// scanContainer returns the index after a nested object or array whose first byte inside is at i, or -1.
func scanContainer(b []byte, i int, closing byte, depth int) int {
	if i = skipSpace(b, i); i < len(b) && b[i] == closing {
		return i + 1
	}
	for {
		if closing == '}' {
			if i >= len(b) || b[i] != '"' {
				return -1
			}
			if i = scanString(b, i+1); i < 0 {
				return -1
			}
			if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
				return -1
			}
			i = skipSpace(b, i+1)
		}
		if i = scanValue(b, i, depth-1); i < 0 {
			return -1
		}
		if i = skipSpace(b, i); i >= len(b) {
			return -1
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case closing:
			return i + 1
		default:
			return -1
		}
	}
}

func scanLiteral(b []byte, i int, literal string) int {
	if len(b)-i < len(literal) || string(b[i:i+len(literal)]) != literal {
		return -1
	}
	return i + len(literal)
}

func scanNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	default:
		if i = scanDigits(b, i); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i] == '.' {
		if i = scanDigits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return scanDigits(b, i)
	}
	return i
}

// scanDigits returns the index after at least one digit, or -1.
func scanDigits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// scanString returns the index after the closing quote of a string whose first byte is at i, or -1.
func scanString(b []byte, i int) int {
	for {
		// Most strings end within eight bytes: their first word is looked at here, without a call.
		if i+8 <= len(b) {
			if hits := specials(binary.LittleEndian.Uint64(b[i:])); hits != 0 {
				i += bits.TrailingZeros64(hits) >> 3
			} else {
				i = plainEnd(b, i+8)
			}
		} else {
			i = plainEnd(b, i)
		}
		if i >= len(b) || b[i] < ' ' {
			return -1
		}
		if b[i] == '"' {
			return i + 1
		}
		if i = scanEscape(b, i); i < 0 {
			return -1
		}
	}
}

// scanEscape returns the index after the escape whose backslash is at i, or -1.
func scanEscape(b []byte, i int) int {
	if i+1 >= len(b) {
		return -1
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if len(b)-i >= 6 && isHex(b[i+2]) && isHex(b[i+3]) && isHex(b[i+4]) && isHex(b[i+5]) {
			return i + 6
		}
	}
	return -1
}

func isHex(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 5 }

// specials sets the high bit of each byte of w, in little-endian order, that can't stand in a JSON string as it is: a
// quote, a backslash or a control character. A borrow can set a bit above the first true one, never below it: only the
// lowest bit is to be believed.
func specials(w uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, backslash := w^(ones*'"'), w^(ones*'\\')
	return ((quote-ones)&^quote | (backslash-ones)&^backslash | (w-ones*' ')&^w) & highs
}

// plainEnd returns the index of the first byte at or after i that can't stand in a JSON string as it is, or len(b).
func plainEnd(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if hits := specials(binary.LittleEndian.Uint64(b[i:])); hits != 0 {
			return i + bits.TrailingZeros64(hits)>>3
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' {
		i++
	}
	return i
}
