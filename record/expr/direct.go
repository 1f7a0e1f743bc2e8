package expr

import (
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// test is a condition, or a part of one, that needs no machine: comparisons
// between fields and constants, joined by and, or and not. Most conditions are
// nothing else.
type test func(*Condition) bool

// test returns node as a test, if it has such a form.
func (c *Condition) test(node ast.Node) (test, bool) {
	switch n := node.(type) {
	case *ast.BoolNode:
		return func(*Condition) bool { return n.Value }, true
	case *ast.UnaryNode:
		if inner, ok := c.test(n.Node); ok && (n.Operator == "not" || n.Operator == "!") {
			return func(c *Condition) bool { return !inner(c) }, true
		}
		return nil, false
	case *ast.BinaryNode:
		return c.binary(n)
	}
	if f, ok := c.fieldOf(node); ok {
		return func(c *Condition) bool {
			o := f.load(c.record)
			return o.kind == boolean && o.truth
		}, true
	}
	return nil, false
}

func (c *Condition) binary(n *ast.BinaryNode) (test, bool) {
	switch n.Operator {
	case "and", "&&", "or", "||":
		left, ok := c.test(n.Left)
		right, also := c.test(n.Right)
		switch {
		case !ok || !also:
			return nil, false
		case n.Operator == "and" || n.Operator == "&&":
			return func(c *Condition) bool { return left(c) && right(c) }, true
		}
		return func(c *Condition) bool { return left(c) || right(c) }, true
	case "in":
		return c.member(n)
	case "matches":
		return c.match(n)
	case "==", "!=", "<", "<=", ">", ">=", "contains", "startsWith", "endsWith":
		return c.comparison(n)
	}
	return nil, false
}

func (c *Condition) comparison(n *ast.BinaryNode) (test, bool) {
	op := n.Operator
	left, leftIsField := c.fieldOf(n.Left)
	right, rightIsField := c.fieldOf(n.Right)
	a, leftIsConstant := constant(n.Left)
	b, rightIsConstant := constant(n.Right)
	switch {
	case leftIsField && rightIsConstant:
		return func(c *Condition) bool {
			a := left.load(c.record)
			return compare(op, &a, &b)
		}, true
	case leftIsConstant && rightIsField:
		return func(c *Condition) bool {
			b := right.load(c.record)
			return compare(op, &a, &b)
		}, true
	case leftIsField && rightIsField:
		return func(c *Condition) bool {
			a, b := left.load(c.record), right.load(c.record)
			return compare(op, &a, &b)
		}, true
	}
	return nil, false
}

func (c *Condition) member(n *ast.BinaryNode) (test, bool) {
	f, ok := c.fieldOf(n.Left)
	list, isList := n.Right.(*ast.ArrayNode)
	if !ok || !isList {
		return nil, false
	}
	var elements []operand
	for _, element := range list.Nodes {
		o, ok := constant(element)
		if !ok {
			return nil, false
		}
		elements = append(elements, o)
	}
	return func(c *Condition) bool {
		a := f.load(c.record)
		for i := range elements {
			if equal(&a, &elements[i]) {
				return true
			}
		}
		return false
	}, true
}

func (c *Condition) match(n *ast.BinaryNode) (test, bool) {
	f, ok := c.fieldOf(n.Left)
	pattern, isText := n.Right.(*ast.StringNode)
	if !ok || !isText {
		return nil, false
	}
	re, err := regexp.Compile(pattern.Value)
	if err != nil {
		return nil, false
	}
	return func(c *Condition) bool {
		o := f.load(c.record)
		return o.kind == text && re.Match(o.text)
	}, true
}

// fieldOf is the field that node stands for: a name, a.b.c, or field("a.b.c").
func (c *Condition) fieldOf(node ast.Node) (*field, bool) {
	name, ok := fieldName(node)
	if !ok {
		return nil, false
	}
	return c.field(name), true
}

func fieldName(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return n.Value, !strings.HasPrefix(n.Value, "$") && n.Value != "field"
	case *ast.MemberNode:
		parent, ok := fieldName(n.Node)
		property, isName := n.Property.(*ast.StringNode)
		if !ok || !isName || n.Method || n.Optional {
			return "", false
		}
		return parent + "." + property.Value, true
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok || callee.Value != "field" {
			return "", false
		}
		return constantName(n.Arguments)
	}
	return "", false
}

// constant is the operand that node stands for, if it is the same for all
// records.
func constant(node ast.Node) (operand, bool) {
	switch n := node.(type) {
	case *ast.NilNode:
		return operand{}, true
	case *ast.StringNode:
		return ofAny(n.Value), true
	case *ast.IntegerNode:
		return ofAny(n.Value), true
	case *ast.FloatNode:
		return ofAny(n.Value), true
	case *ast.BoolNode:
		return ofAny(n.Value), true
	case *ast.UnaryNode:
		o, ok := constant(n.Node)
		if n.Operator != "-" || o.kind != integer && o.kind != float {
			return operand{}, false
		}
		o.int, o.float = -o.int, -o.float
		return o, ok
	}
	return operand{}, false
}
