package config

import (
	"bytes"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// The bounds keep a hostile or broken file from costing more than a moment and some megabytes. The YAML parser takes
// time with the square of the keys in one map and of the nesting, and recurses as deep as the file does.
const (
	maxFileBytes     = 2 << 20
	maxTokens        = 100_000  // a configuration of a thousand pipelines has about 50,000
	maxNesting       = 64       // of maps and lists
	maxExpandedBytes = 32 << 20 // of a file with its aliases written out and its references replaced
)

// checkText refuses what is not a text at all, at its first bad byte.
func checkText(src *source, data []byte) error {
	at := position{source: src, line: 1, column: 1}
	if len(data) > maxFileBytes {
		return at.errorf("", "the file is larger than %v", Size(maxFileBytes))
	}
	if utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 {
		return nil
	}
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1, r == 0:
			return at.errorf("", "the file is not UTF-8 text: found the byte 0x%02x", data[0])
		case r == '\n':
			at.line, at.column = at.line+1, 1
		default:
			at.column++
		}
		data = data[size:]
	}
	return nil
}

// checkTokens refuses, before it is parsed, what is beyond the bounds or is YAML that no configuration needs.
func checkTokens(src *source, tokens token.Tokens) error {
	at := func(tk *token.Token, format string, args ...any) error {
		return tokenPosition(src, tk).errorf("", format, args...)
	}
	if len(tokens) > maxTokens {
		return at(tokens[maxTokens], "the file is too large: more than %d YAML tokens; use a folder of several files", maxTokens)
	}
	var depth nesting
	for _, tk := range tokens {
		switch tk.Type {
		case token.MappingKeyType:
			return at(tk, "complex keys (?) are not supported; write key: value")
		case token.TagType:
			return at(tk, "tags such as %s are not supported; put a text in quotes", quote(tk.Value))
		case token.DirectiveType:
			return at(tk, "directives (%%) are not supported; remove the line")
		}
		if depth.add(tk) > maxNesting {
			return at(tk, "maps and lists are nested more than %d deep", maxNesting)
		}
	}
	return nil
}

// nesting follows how deep a token lies in maps and lists: by brackets in flow style, by columns in block style.
type nesting struct {
	flow  int
	block []blockLevel
}

type blockLevel struct {
	column int
	list   bool
}

// add takes the next token and returns the depth it lies at.
func (d *nesting) add(tk *token.Token) int {
	switch tk.Type {
	case token.MappingStartType, token.SequenceStartType:
		d.flow++
	case token.MappingEndType, token.SequenceEndType:
		d.flow = max(0, d.flow-1)
	case token.SequenceEntryType:
		d.enter(blockLevel{column: tk.Position.Column, list: true})
	case token.MappingValueType:
		if d.flow == 0 && tk.Prev != nil {
			d.enter(blockLevel{column: tk.Prev.Position.Column})
		}
	}
	return d.flow + len(d.block)
}

// enter leaves the levels that end where one at this column goes on or begins. A list may stand at the column of the
// key that holds it; the next key at that column ends it.
func (d *nesting) enter(l blockLevel) {
	for len(d.block) > 0 {
		top := d.block[len(d.block)-1]
		if top == l {
			return
		}
		if top.column < l.column || top.column == l.column && l.list {
			break
		}
		d.block = d.block[:len(d.block)-1]
	}
	d.block = append(d.block, l)
}

func tokenPosition(src *source, tk *token.Token) position {
	if tk == nil || tk.Position == nil || tk.Position.Line < 1 || tk.Position.Column < 1 {
		return position{source: src, line: 1, column: 1}
	}
	return position{source: src, line: tk.Position.Line, column: tk.Position.Column}
}
