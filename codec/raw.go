package codec

import (
	"errors"

	"github.com/spillway/spillway/record"
)

// raw writes the line as it was read, whatever became of its fields, without a
// line end. A record that did not come from a line is written as the text of
// its message field.
type raw struct{}

var errNoLine = errors.New("codec raw: the record did not come from a line and has no field " + record.Message)

func (raw) Append(dst []byte, r record.Record) ([]byte, error) {
	if line := r.Raw(); line != nil {
		return append(dst, line...), nil
	}
	v, ok := r.Get(record.Message)
	if !ok {
		return dst, errNoLine
	}
	return v.AppendText(dst), nil
}
