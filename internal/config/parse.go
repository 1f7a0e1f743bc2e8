package config

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Parse reads one YAML document. name is shown in errors, and its folder is where relative paths start; env looks up an
// environment variable (nil: none is set). An empty document is a Null node. Every mistake that leaves the rest readable
// is reported, each as an *Error, joined and sorted by place.
func Parse(name string, data []byte, env func(name string) (value string, ok bool)) (*Node, error) {
	folder, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("folder of %s: %w", name, err)
	}
	src := &source{name: name, folder: folder}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if err := checkText(src, data); err != nil {
		return nil, err
	}
	file, err := parseYAML(src, data)
	if err != nil {
		return nil, err
	}
	if len(file.Docs) > 1 {
		at := file.Docs[1].Start
		if at == nil {
			at = file.Docs[0].End
		}
		return nil, tokenPosition(src, at).errorf("",
			"the file holds more than one document; use a folder of several files")
	}
	root := &Node{position: position{source: src, line: 1, column: 1}}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return root, nil
	}
	b := builder{
		source:     src,
		references: references{env: env, folder: folder},
		anchors:    map[string]*Node{},
	}
	root = b.node(file.Docs[0].Body, nil, "")
	return root, Join(b.errs...)
}

// parseYAML turns bytes into a syntax tree, and what the parser says into errors with a place.
func parseYAML(src *source, data []byte) (file *ast.File, err error) {
	// The parser is not ours, and what it is given may be anything: its panic must not take down a running process that
	// was only asked to look at a new configuration.
	defer func() {
		if p := recover(); p != nil {
			start := position{source: src, line: 1, column: 1}
			file, err = nil, start.errorf("", "the file can't be parsed as YAML: %v", p)
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if err := checkTokens(src, tokens); err != nil {
		return nil, err
	}
	if tokens, err = joinPlain(src, tokens); err != nil {
		return nil, err
	}
	file, err = parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err == nil {
		return file, nil
	}
	var syntax interface {
		GetMessage() string
		GetToken() *token.Token
	}
	if !errors.As(err, &syntax) {
		return nil, position{source: src, line: 1, column: 1}.errorf("", "the file can't be parsed as YAML: %w", err)
	}
	at := tokenPosition(src, syntax.GetToken())
	return nil, at.errorf("", "not YAML: %s", explain(syntax.GetMessage(), line(data, at.line)))
}

// explain says what to do about the usual mistakes, of which the parser names only what it stumbled over.
func explain(message, line string) string {
	switch {
	case strings.Contains(message, "character '\t'"):
		return "a tab cannot indent; use spaces"
	case strings.Contains(line, "${"):
		return message + `; inside {...} and [...] a reference needs quotes: "${NAME}"`
	case strings.Contains(line, "{{"):
		return message + `; inside {...} and [...] a template needs quotes: "{{field}}"`
	case strings.HasPrefix(message, "mapping value is not allowed"):
		return message + `; a text with ": " in it needs quotes`
	case strings.HasPrefix(message, "value is not allowed"):
		return message + "; does its indentation match that of its neighbours?"
	}
	return message
}

func line(data []byte, number int) string {
	lines := bytes.SplitN(data, []byte("\n"), number+1)
	if number > len(lines) {
		return ""
	}
	return string(lines[number-1])
}
