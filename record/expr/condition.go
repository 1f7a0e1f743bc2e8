// Package expr evaluates conditions and fills templates over records.
//
// A condition is written in the language of github.com/expr-lang/expr. The
// fields of the record are its variables:
//
//	path == "/healthz"
//	status >= 500 && method in ["GET", "HEAD"]
//	user.id == 7 or field("http.request.method") startsWith "P"
//	any(tags, # == "debug") and len(message) > 100
//
// A name is first a flat field, then a path into a JSON field; a.b.c is short
// for field("a.b.c"), which is needed for names that are no identifiers. A field
// that the record does not have is nil. JSON lists and objects are lists and
// maps.
//
// Where a field takes part, comparisons follow what logs are like:
//
//   - Numbers compare by value, 1 == 1.0. A text that spells a number compares
//     with a number by value: after a regex, status is the text "503", and
//     status >= 500 holds. Two texts compare byte by byte.
//   - An order or contains, startsWith, endsWith, matches and in between anything
//     else, nil included, is false; == is false, and so != is true.
//   - Where a truth value is wanted, only true is true: nil, 1 and "true" are not.
//
// What is left can still fail while it is evaluated, such as bytes / 2 without
// the field bytes, or len(7). The whole condition is then false, and
// [Condition.Eval] returns the error.
package expr

import (
	"errors"
	"fmt"
	"reflect"

	lang "github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/spillway/spillway/record"
)

// maxNodes bounds the size of a condition, and memoryBudget the elements of
// lists and maps that evaluating one may make.
const (
	maxNodes     = 1000
	memoryBudget = 100_000
)

// Condition is a compiled condition. It belongs to one goroutine at a time.
type Condition struct {
	text   string
	direct test // nil if the condition needs the machine
	fields []*field
	record record.Record

	program *vm.Program
	machine vm.VM
}

// Compile compiles and checks a condition. Its result must be true or false, or
// a field. The error says at which character of the text it is wrong.
func Compile(text string) (*Condition, error) {
	c := &Condition{text: text}
	if err := c.compile(); err != nil {
		return nil, err
	}
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, describe(err)
	}
	c.direct, _ = c.test(tree.Node)
	return c, nil
}

// String is the text that c was compiled from.
func (c *Condition) String() string { return c.text }

// Eval says whether the condition holds for r. With an error, it does not.
//
// Conditions of comparisons between fields and constants, joined by and, or and
// not, cost no allocation. Others run on the expression language's machine.
func (c *Condition) Eval(r record.Record) (bool, error) {
	c.record = r
	if c.direct != nil {
		return c.direct(c), nil
	}
	return c.run()
}

func (c *Condition) run() (bool, error) {
	c.machine.MemoryBudget = memoryBudget
	out, err := c.machine.Run(c.program, nil)
	if err != nil {
		return false, fmt.Errorf("condition %q: %w", c.text, describe(err))
	}
	holds, _ := out.(bool)
	return holds, nil
}

func (c *Condition) compile() error {
	p := &patcher{condition: c}
	program, err := lang.Compile(c.text,
		p.functions(), lang.Patch(fieldPatcher{p}), lang.Patch(comparePatcher{p}), lang.MaxNodes(maxNodes))
	switch {
	case p.err != nil:
		p.err.Bind(file.NewSource(c.text))
		return describe(p.err)
	case err != nil:
		return describe(err)
	}
	if t := program.Node().Type(); t.Kind() != reflect.Bool && t.Kind() != reflect.Interface {
		return fmt.Errorf("the condition must be true or false, but this is of type %s", t)
	}
	c.program = program
	return nil
}

// describe puts an error of the language into one line.
func describe(err error) error {
	var at *file.Error
	if !errors.As(err, &at) {
		return err
	}
	if at.Line > 1 {
		// The language counts from 0 in the first line, and from 1 in the others.
		return fmt.Errorf("line %d, character %d: %s", at.Line, at.Column, at.Message)
	}
	return fmt.Errorf("character %d: %s", at.Column+1, at.Message)
}
