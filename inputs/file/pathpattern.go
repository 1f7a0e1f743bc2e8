package file

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/spillway/spillway/record"
)

// pathPattern takes parts out of paths. In its text * is anything within a folder, **
// anything at all, {name} a part of a folder's or file's name that becomes a field, and
// {name:int} one that is a number.
type pathPattern struct {
	expr  *regexp.Regexp
	parts []pathPart
}

// pathPart is a field that comes from a path.
type pathPart struct {
	name   string
	number bool
}

// part finds the wildcards of a pattern.
var part = regexp.MustCompile(`\*\*/?|\*|\{[^{}]*\}`)

// parsePathPattern compiles a pattern; an empty one matches nothing.
func parsePathPattern(text string) (*pathPattern, error) {
	if text == "" {
		return nil, nil
	}
	if !filepath.IsAbs(text) {
		return nil, fmt.Errorf("%q is not absolute: begin it with a slash, or with /**/", text)
	}
	p := &pathPattern{}
	var b strings.Builder
	b.WriteString("^")
	at := 0
	for _, m := range part.FindAllStringIndex(text, -1) {
		b.WriteString(regexp.QuoteMeta(text[at:m[0]]))
		at = m[1]
		switch wild := text[m[0]:m[1]]; wild {
		case "**/":
			b.WriteString("(?:.*/)?")
		case "**":
			b.WriteString(".*")
		case "*":
			b.WriteString("[^/]*")
		default:
			name, kind, typed := strings.Cut(wild[1:len(wild)-1], ":")
			switch {
			case name == "":
				return nil, fmt.Errorf("%q: {} names no field", text)
			case typed && kind != "int":
				return nil, fmt.Errorf("%q: {%s:%s}: a part is a text, or an int", text, name, kind)
			case typed:
				b.WriteString("([0-9]{1,18})")
			default:
				b.WriteString("([^/]+?)")
			}
			p.parts = append(p.parts, pathPart{name, typed})
		}
	}
	if len(p.parts) == 0 {
		return nil, fmt.Errorf("%q takes nothing out of a path: name a part, as in /srv/{service.name}/*.log", text)
	}
	b.WriteString(regexp.QuoteMeta(text[at:]) + "$")
	var err error
	if p.expr, err = regexp.Compile(b.String()); err != nil {
		return nil, errors.New(text + " is no pattern")
	}
	return p, nil
}

// fields appends the fields that a path has, with their values in b; none if it does
// not match.
func (p *pathPattern) fields(fs []record.Field, b *record.Batch, path string) []record.Field {
	m := p.expr.FindStringSubmatch(path)
	if m == nil {
		return fs
	}
	for i, part := range p.parts {
		v := b.String(m[i+1])
		if n, err := strconv.ParseInt(m[i+1], 10, 64); part.number && err == nil {
			v = b.Int(n)
		}
		fs = append(fs, b.Name(part.name).Field(v))
	}
	return fs
}
