package outputs

import (
	"strings"

	"github.com/spillway/spillway/record/expr"
)

// Shaper is an output that wants more of a record than its value.
type Shaper interface {
	// Shape is asked once, after the output was built.
	Shape() Shape
}

// Shape is what stands beside a record's value in the frames of an output's lane.
// Outputs that want the same, and the same encoding, share a lane.
type Shape struct {
	// Key gives the record's key; where it lacks a field, there is none. Nil
	// keeps the key that the record came with.
	Key *expr.Template
	// Headers are those of each record. One that lacks a field is left out.
	Headers []Header
	// EventTime keeps the record's own timestamp, instead of that of the frame.
	EventTime bool
}

// Header is a header that is filled from fields.
type Header struct {
	Name  string
	Value *expr.Template
}

// Fingerprint is the same for two shapes exactly if they give the same frames. It
// is empty for the shape that asks for nothing.
func (s *Shape) Fingerprint() string {
	var parts []string
	if s.Key != nil {
		parts = append(parts, "key", s.Key.String())
	}
	for _, h := range s.Headers {
		parts = append(parts, "header", h.Name, h.Value.String())
	}
	if s.EventTime {
		parts = append(parts, "event time")
	}
	if parts == nil {
		return ""
	}
	return "\x00" + strings.Join(parts, "\x00")
}
