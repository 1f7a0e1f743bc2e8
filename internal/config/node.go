package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Kind says what a Node holds.
type Kind uint8

const (
	Null   Kind = iota // nothing was written, or null
	Scalar             // a text, number or boolean: the field it is decoded into decides
	List
	Map
)

func (k Kind) String() string {
	return [...]string{"nothing", "a scalar", "a list", "a map"}[k]
}

// source is the file a node was written in.
type source struct {
	name   string // as shown in errors
	folder string // absolute; relative paths start here
}

type position struct {
	source       *source
	line, column int
}

// Node is a value of the configuration after reference substitution, with the place where it was written. Nodes are
// read-only once returned; an alias shares the nodes of its anchor, and with them their place.
type Node struct {
	position
	kind    Kind
	text    string  // of a scalar
	written string  // of a scalar: the text before substitution if it holds a reference, else empty
	quoted  bool    // of a scalar: written in quotes or as a block
	entries []Entry // of a map
	items   []*Node // of a list
	parent  *Node
	step    string // from parent: a key, or [index]
	weight  int    // bytes this node and all below it take when aliases are written out
}

// Entry is a key of a map and its value.
type Entry struct {
	Key   string
	Value *Node

	at position
}

// Kind returns what the node holds.
func (n *Node) Kind() Kind { return n.kind }

// File returns the name of the file the node was written in, as given to Load or Parse.
func (n *Node) File() string { return n.source.name }

// Line returns the line the node begins on, from 1.
func (n *Node) Line() int { return n.line }

// Column returns the column the node begins at, in characters from 1.
func (n *Node) Column() int { return n.column }

// Entries returns the keys of a map in the order they were written; nil for other kinds.
func (n *Node) Entries() []Entry { return n.entries }

// Items returns the elements of a list; nil for other kinds.
func (n *Node) Items() []*Node { return n.items }

// Scalar returns the text of a scalar after substitution; empty for other kinds.
func (n *Node) Scalar() string { return n.text }

// Key returns the value of a key of a map, or nil if there is none.
func (n *Node) Key(name string) *Node {
	for _, e := range n.entries {
		if e.Key == name {
			return e.Value
		}
	}
	return nil
}

// below returns the node that a key names, or an item of a list, such as paths[0]; nil if there is none.
func (n *Node) below(name string) *Node {
	key, index, isItem := strings.Cut(strings.TrimSuffix(name, "]"), "[")
	value := n.Key(key)
	if value == nil || !isItem {
		return value
	}
	if i, err := strconv.Atoi(index); err == nil && 0 <= i && i < len(value.items) {
		return value.items[i]
	}
	return value
}

// Path returns the way from the top of the file to the node, such as pipelines.web.inputs[0]. It is empty at the top.
func (n *Node) Path() string {
	var steps []string
	for m := n; m.parent != nil; m = m.parent {
		steps = append(steps, m.step)
	}
	var b strings.Builder
	for i := len(steps) - 1; i >= 0; i-- {
		if b.Len() > 0 && !strings.HasPrefix(steps[i], "[") {
			b.WriteByte('.')
		}
		b.WriteString(steps[i])
	}
	return b.String()
}

// Errorf returns an *Error at the node's place. It understands %w.
func (n *Node) Errorf(format string, args ...any) error {
	return n.position.errorf(n.Path(), format, args...)
}

// Errorf returns an *Error at the place of the entry's key, about its value. It understands %w.
func (e Entry) Errorf(format string, args ...any) error {
	return e.at.errorf(e.Value.Path(), format, args...)
}

// Wanted returns an *Error that says what was wanted at the node's place and what was found, for types that decode
// themselves. The value of a reference is not given away.
func (n *Node) Wanted(what string) error { return n.Errorf("wanted %s, found %s", what, n.found()) }

func (p position) errorf(path, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{
		File: p.source.name, Line: p.line, Column: p.column,
		Path: path, Msg: err.Error(), cause: errors.Unwrap(err),
	}
}

// found describes the node for "wanted ..., found ..." messages without giving away what a reference was replaced by.
func (n *Node) found() string {
	switch {
	case n.kind != Scalar:
		return n.kind.String()
	case n.written != "":
		return "the value of " + quote(n.written)
	case n.quoted:
		return "the quoted text " + quote(n.text)
	}
	return quote(n.text)
}

// quote shortens a text to what an error message can hold.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return strconv.Quote(s)
}
