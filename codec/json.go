package codec

import (
	"encoding/base64"
	"time"

	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/record/jsonscan"
)

// jsonCodec writes a record as one JSON object without line feeds, its fields
// in order:
//
//   - what was parsed from JSON and not changed is copied byte for byte, at best
//     all members of an object at once;
//   - integers and floats keep the digits they were read with;
//   - strings are escaped as little as JSON allows, and each byte of them that
//     is not UTF-8 becomes U+FFFD;
//   - times are strings in RFC 3339, UTC; bytes are strings in base64, as in the
//     JSON form of protocol buffers.
//
// The record's timestamp is the last member.
type jsonCodec struct {
	timestampField string
	timestampKey   []byte // the field's name, quoted, with its colon
	clock          clock
}

func newJSON(timestampField string) *jsonCodec {
	c := &jsonCodec{timestampField: timestampField}
	if timestampField != "" {
		c.timestampKey = append(jsonscan.Quote(nil, []byte(timestampField)), ':')
	}
	return c
}

func (c *jsonCodec) Append(dst []byte, r record.Record) ([]byte, error) {
	start := len(dst)
	object, first, n := r.Object()
	fields := r.Fields()
	for i := 0; i < len(fields); i++ {
		if n > 0 && i == first {
			if members := inside(object); len(members) > 0 {
				dst = append(append(dst, ','), members...)
			}
			i += n - 1
			continue
		}
		f := &fields[i]
		if f.Removed() {
			continue
		}
		dst = appendName(append(dst, ','), r.FieldName(f), f.NameClean)
		dst = appendValue(append(dst, ':'), r.FieldValue(f))
	}
	if c.timestampField != "" && !r.Has(c.timestampField) {
		dst = append(append(dst, ','), c.timestampKey...)
		dst = c.clock.append(dst, r.Time())
	}
	if len(dst) == start {
		return append(dst, '{', '}'), nil
	}
	dst[start] = '{' // for the first comma
	return append(dst, '}'), nil
}

// inside is the object's text without its braces and the space next to them.
func inside(object []byte) []byte {
	i, j := 1, len(object)-1
	for i < j && object[i] <= ' ' {
		i++
	}
	for i < j && object[j-1] <= ' ' {
		j--
	}
	return object[i:j]
}

func appendName(dst, name []byte, clean bool) []byte {
	if !clean {
		return jsonscan.Quote(dst, name)
	}
	dst = append(append(dst, '"'), name...)
	return append(dst, '"')
}

func appendValue(dst []byte, v record.Value) []byte {
	switch v.Kind() {
	case record.Null:
		return append(dst, "null"...)
	case record.Int, record.Float, record.Bool, record.JSON:
		return append(dst, v.Bytes()...)
	case record.Bytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		return append(dst, '"')
	}
	if v.Form() == record.Plain {
		return jsonscan.Quote(dst, v.Bytes())
	}
	dst = append(append(dst, '"'), v.Bytes()...)
	return append(dst, '"')
}

// clock writes times. It keeps the last one: most records of a batch share
// their second, and lines read together their very timestamp.
type clock struct {
	second int64
	nanos  int64
	prefix []byte // up to the seconds
	suffix []byte // the fraction and Z
}

func (c *clock) append(dst []byte, ns int64) []byte {
	second, nanos := ns/1e9, ns%1e9
	if nanos < 0 {
		second, nanos = second-1, nanos+1e9
	}
	if second != c.second || len(c.prefix) == 0 {
		c.second = second
		c.prefix = time.Unix(second, 0).UTC().AppendFormat(c.prefix[:0], `"2006-01-02T15:04:05`)
	}
	if nanos != c.nanos || len(c.suffix) == 0 {
		c.nanos = nanos
		c.suffix = append(appendFraction(c.suffix[:0], nanos), 'Z', '"')
	}
	return append(append(dst, c.prefix...), c.suffix...)
}

// appendFraction appends a point and the digits of a fraction of a second
// without the zeros at its end; nothing at all if it is zero.
func appendFraction(dst []byte, nanos int64) []byte {
	if nanos == 0 {
		return dst
	}
	dst = append(dst, ".000000000"...)
	for i := len(dst) - 1; nanos > 0; i-- {
		dst[i] = '0' + byte(nanos%10)
		nanos /= 10
	}
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}
