package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxReferencedBytes = 1 << 20 // of a ${file:...}; a larger one is taken for a mistake
	maxScalarBytes     = 4 << 20 // of a scalar with its references replaced
	maxReferenceDepth  = 16      // of references in the defaults of references
)

// references replaces the references in scalars.
type references struct {
	env    func(name string) (value string, ok bool)
	folder string // where relative paths of ${file:...} start
}

// expand returns text with its references replaced, and whether there was anything to replace.
func (r *references) expand(text string) (expanded string, changed bool, err error) {
	if !strings.Contains(text, "${") {
		return text, false, nil
	}
	p := expansion{references: r, rest: text}
	expanded, err = p.text(0)
	return expanded, true, err
}

// expansion is one pass over a text.
type expansion struct {
	*references
	rest string // what has not been read yet
}

// text expands up to the end or, inside a reference (depth > 0), up to its closing brace, which it leaves. Braces inside
// a reference must balance, so that a default may hold a pattern such as \d{3}.
func (p *expansion) text(depth int) (string, error) {
	if depth > maxReferenceDepth {
		return "", fmt.Errorf("references are nested more than %d deep", maxReferenceDepth)
	}
	var out strings.Builder
	open := 0
	for p.rest != "" {
		switch {
		case strings.HasPrefix(p.rest, "$${"):
			out.WriteString("${")
			p.rest = p.rest[len("$${"):]
			if depth > 0 {
				open++
			}
			continue
		case strings.HasPrefix(p.rest, "${"):
			value, err := p.reference(depth)
			if err != nil {
				return "", err
			}
			if out.Len()+len(value) > maxScalarBytes {
				return "", fmt.Errorf("the value is larger than %v with its references replaced", Size(maxScalarBytes))
			}
			out.WriteString(value)
			continue
		case depth > 0 && p.rest[0] == '{':
			open++
		case depth > 0 && p.rest[0] == '}':
			if open == 0 {
				return out.String(), nil
			}
			open--
		}
		out.WriteByte(p.rest[0])
		p.rest = p.rest[1:]
	}
	return out.String(), nil
}

// reference replaces the reference at the beginning of rest.
func (p *expansion) reference(depth int) (string, error) {
	whole := p.rest
	p.rest = p.rest[len("${"):]
	var value string
	var err error
	if path, ok := strings.CutPrefix(p.rest, "file:"); ok {
		p.rest = path
		if path, err = p.text(depth + 1); err == nil && p.rest != "" {
			value, err = p.file(path)
		}
	} else {
		p.rest = strings.TrimPrefix(p.rest, "env:")
		value, err = p.variable(whole, depth)
	}
	if err != nil {
		return "", err
	}
	if p.rest == "" {
		return "", fmt.Errorf("the reference %s has no closing brace; write $${ for a literal ${", quote(whole))
	}
	p.rest = p.rest[len("}"):]
	return value, nil
}

// variable replaces a reference to the environment. It stops at the closing brace, or at the end if there is none.
func (p *expansion) variable(whole string, depth int) (string, error) {
	end := 0
	for end < len(p.rest) && isNameByte(p.rest[end], end) {
		end++
	}
	name := p.rest[:end]
	p.rest = p.rest[end:]
	value, ok := "", false
	if name != "" && p.env != nil {
		value, ok = p.env(name)
	}
	operator := p.rest[:min(len(p.rest), 2)]
	switch {
	case p.rest == "":
		return "", nil // the caller misses the closing brace
	case name == "" || operator[0] != '}' && operator != ":-" && operator != ":?":
		return "", fmt.Errorf("%s is not a reference: write ${NAME}, ${NAME:-default}, ${NAME:?message}, ${env:NAME} or "+
			"${file:/path}, or $${ for a literal ${", quote(whole))
	case operator[0] == '}' && !ok:
		return "", fmt.Errorf("the environment variable %s is not set; write ${%s:-default} to do without", name, name)
	case operator[0] == '}':
		return value, nil
	}
	p.rest = p.rest[len(operator):]
	if value != "" {
		// The variable is set, so the default or message is only skipped: nothing that it refers to has to exist.
		p.skip()
		return value, nil
	}
	word, err := p.text(depth + 1)
	if err == nil && operator == ":?" && p.rest != "" {
		err = fmt.Errorf("the environment variable %s is not set: %s", name, word)
	}
	return word, err
}

// skip passes over a default or message up to its closing brace, or to the end if there is none.
func (p *expansion) skip() {
	open := 0
	for ; p.rest != ""; p.rest = p.rest[1:] {
		switch p.rest[0] {
		case '{':
			open++
		case '}':
			if open == 0 {
				return
			}
			open--
		}
	}
}

func isNameByte(c byte, i int) bool {
	letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
	return letter || i > 0 && '0' <= c && c <= '9'
}

// file returns what a file holds, without its last line end.
func (r *references) file(path string) (string, error) {
	if path == "" {
		return "", errors.New("${file:} names no file")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.folder, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("reference to a file: %w", err)
	}
	if !info.Mode().IsRegular() {
		// A pipe or a device could hold the start up for ever.
		return "", fmt.Errorf("reference to a file: %s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reference to a file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxReferencedBytes+1))
	if err != nil {
		return "", fmt.Errorf("reference to a file: %w", err)
	}
	if len(data) > maxReferencedBytes {
		return "", fmt.Errorf("reference to a file: %s is larger than %v", path, Size(maxReferencedBytes))
	}
	if text, ok := strings.CutSuffix(string(data), "\r\n"); ok {
		return text, nil
	}
	return strings.TrimSuffix(string(data), "\n"), nil
}
