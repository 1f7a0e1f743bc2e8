package expr

import (
	"fmt"
	"strings"

	"github.com/spillway/spillway/record"
)

// Template is a text with {{field}} references that a record fills in. A name
// may be a path into a JSON field, and have spaces around it. {{{{ stands for a
// literal {{. It may be used by several goroutines.
type Template struct {
	text   string
	pieces []piece
}

// piece is a literal, or the name of a field.
type piece struct {
	text  string
	field bool
}

// ParseTemplate parses text. The error says at which character it is wrong.
func ParseTemplate(text string) (*Template, error) {
	t := &Template{text: text}
	literal := ""
	for rest := text; ; {
		before, after, found := strings.Cut(rest, "{{")
		literal += before
		if !found {
			break
		}
		if escaped, ok := strings.CutPrefix(after, "{{"); ok {
			literal += "{{"
			rest = escaped
			continue
		}
		column := len([]rune(text[:len(text)-len(after)-2])) + 1
		name, after, closed := strings.Cut(after, "}}")
		name = strings.TrimSpace(name)
		switch {
		case !closed:
			return nil, fmt.Errorf("character %d: {{ without }}; write {{{{ for a literal {{", column)
		case name == "" || strings.ContainsAny(name, "{}"):
			return nil, fmt.Errorf("character %d: %q is no field name", column, name)
		}
		t.literal(literal)
		t.pieces = append(t.pieces, piece{name, true})
		literal, rest = "", after
	}
	t.literal(literal)
	return t, nil
}

func (t *Template) literal(text string) {
	if text != "" {
		t.pieces = append(t.pieces, piece{text, false})
	}
}

// String is the text that t was parsed from.
func (t *Template) String() string { return t.text }

// Constant is the text that t always gives; ok is false if that depends on the
// record.
func (t *Template) Constant() (text string, ok bool) {
	for _, p := range t.pieces {
		if p.field {
			return "", false
		}
	}
	return t.Prefix(), true
}

// Prefix is the literal text before the first field.
func (t *Template) Prefix() string {
	if len(t.pieces) == 0 || t.pieces[0].field {
		return ""
	}
	return t.pieces[0].text
}

// Append appends the text for r to dst. If a field is missing or null, it
// returns dst as it came and false; see [Template.Missing].
func (t *Template) Append(dst []byte, r record.Record) ([]byte, bool) {
	out := dst
	for _, p := range t.pieces {
		if !p.field {
			out = append(out, p.text...)
			continue
		}
		v, ok := r.Get(p.text)
		if !ok || v.Kind() == record.Null {
			return dst, false
		}
		out = v.AppendText(out)
	}
	return out, true
}

// Missing names the first field of t that r does not have, or "".
func (t *Template) Missing(r record.Record) string {
	for _, p := range t.pieces {
		if !p.field {
			continue
		}
		if v, ok := r.Get(p.text); !ok || v.Kind() == record.Null {
			return p.text
		}
	}
	return ""
}
