package main

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// The fields of a line in the combined format, in the order of their writing as JSON.
const (
	fieldClient = iota
	fieldUser
	fieldTime
	fieldMethod
	fieldPath
	fieldProtocol
	fieldStatus
	fieldBytes
	fieldReferer
	fieldAgent
	combinedFields
)

var combinedKeys = [combinedFields]string{
	`{"client":"`, `","user":"`, `","time":"`, `","method":"`, `","path":"`, `","protocol":"`, `","status":`, `,"bytes":`, `,"referer":"`, `","agent":"`,
}

// A combinedLine is a line split by hand:
//
//	client ident user [time] "method path protocol" status bytes "referer" "agent"
type combinedLine struct {
	fields [combinedFields][]byte // spans of the line
	plain  bool                   // nothing in the line has to be escaped in JSON
}

// split says whether line has this form, status and bytes being numbers.
func (c *combinedLine) split(line []byte) bool {
	c.plain = isPlain(line)
	// The quotes part the line, and as long as it is plain no field can hold one.
	open := bytes.IndexByte(line, '"')
	if open < 0 {
		return false
	}
	head := line[:open]
	request, rest, ok := c.cutQuote(line[open+1:])
	if !ok {
		return false
	}
	numbers, rest, ok := cut(rest, '"')
	if !ok {
		return false
	}
	if c.fields[fieldReferer], rest, ok = c.cutQuote(rest); !ok || len(rest) < 2 || rest[0] != ' ' || rest[1] != '"' {
		return false
	}
	if c.fields[fieldAgent], rest, ok = c.cutQuote(rest[2:]); !ok || len(rest) != 0 {
		return false
	}
	return c.splitHead(head) && c.splitRequest(request) && c.splitNumbers(numbers)
}

// splitHead splits `client ident user [time] `.
func (c *combinedLine) splitHead(b []byte) (ok bool) {
	if c.fields[fieldClient], b, ok = cut(b, ' '); !ok {
		return false
	}
	if _, b, ok = cut(b, ' '); !ok {
		return false
	}
	if c.fields[fieldUser], b, ok = cut(b, ' '); !ok || len(b) < 3 || b[0] != '[' || b[len(b)-2] != ']' || b[len(b)-1] != ' ' {
		return false
	}
	c.fields[fieldTime] = b[1 : len(b)-2]
	return true
}

func (c *combinedLine) splitRequest(b []byte) (ok bool) {
	if c.fields[fieldMethod], b, ok = cut(b, ' '); !ok {
		return false
	}
	c.fields[fieldPath], c.fields[fieldProtocol], ok = cut(b, ' ')
	return ok
}

// splitNumbers splits ` status bytes `.
func (c *combinedLine) splitNumbers(b []byte) (ok bool) {
	if len(b) < 3 || b[0] != ' ' || b[len(b)-1] != ' ' {
		return false
	}
	s, n, ok := cut(b[1:len(b)-1], ' ')
	c.fields[fieldStatus], c.fields[fieldBytes] = s, n
	return ok && scanNumber(s, 0) == len(s) && scanNumber(n, 0) == len(n)
}

func cut(b []byte, sep byte) (before, after []byte, ok bool) {
	i := bytes.IndexByte(b, sep)
	if i < 0 {
		return nil, nil, false
	}
	return b[:i], b[i+1:], true
}

// cutQuote cuts at the first quote that no backslash escapes.
func (c *combinedLine) cutQuote(b []byte) (before, after []byte, ok bool) {
	if c.plain {
		return cut(b, '"')
	}
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			return b[:i], b[i+1:], true
		case '\\':
			i++
		}
	}
	return nil, nil, false
}

// appendJSON appends the fields as a JSON object: status and bytes as numbers, all others as strings.
func (c *combinedLine) appendJSON(dst []byte) []byte {
	for i, f := range &c.fields {
		dst = append(dst, combinedKeys[i]...)
		if c.plain {
			dst = append(dst, f...)
		} else {
			dst = appendEscaped(dst, f)
		}
	}
	return append(dst, `"}`...)
}

func appendEscaped(dst, s []byte) []byte {
	for {
		i := plainEnd(s, 0)
		dst = append(dst, s[:i]...)
		if i == len(s) {
			return dst
		}
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, `\u00`...)
			if c < 0x10 {
				dst = append(dst, '0')
			}
			dst = strconv.AppendUint(dst, uint64(c), 16)
		}
		s = s[i+1:]
	}
}

// isPlain says whether b holds neither a backslash nor a control character.
func isPlain(b []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	var hits uint64
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		backslash := w ^ (ones * '\\')
		hits |= (backslash-ones)&^backslash | (w-ones*' ')&^w
	}
	for ; i < len(b); i++ {
		if b[i] == '\\' || b[i] < ' ' {
			return false
		}
	}
	return hits&highs == 0
}
