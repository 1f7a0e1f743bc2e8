package expr

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"

	lang "github.com/expr-lang/expr"
)

// fieldPrefix begins the names of the functions that fetch one field each. No
// identifier can look like one of them.
const fieldPrefix = "field "

var (
	boolType = reflect.TypeFor[bool]()
	anyType  = reflect.TypeFor[any]()
)

// patcher rewrites the parsed condition so that it works on a record: variables
// become calls that fetch fields, and comparisons whose operands are not known
// before become calls of [compare]. All else stays as the language has it, type
// checks included.
type patcher struct {
	condition *Condition
	table     conf.FunctionsTable
	err       *file.Error
}

// functions gives the language the functions that do not depend on the text.
func (p *patcher) functions() lang.Option {
	return func(c *conf.Config) {
		p.table = c.Functions
		p.add("field", p.condition.fetchByName, new(func(string) any))
		p.add("truth of", truthOf, new(func(any) bool))
		p.add("compare in", compareIn, new(func(any, any) bool))
		p.add("compare matches", compareMatches, new(func(any, any) bool))
		for _, op := range []string{"==", "!=", "<", "<=", ">", ">=", "contains", "startsWith", "endsWith"} {
			p.add("compare "+op, func(args ...any) (any, error) {
				a, b := ofAny(args[0]), ofAny(args[1])
				return compare(op, &a, &b), nil
			}, new(func(any, any) bool))
		}
	}
}

func (p *patcher) add(name string, fn func(...any) (any, error), signature any) {
	p.table[name] = &builtin.Function{Name: name, Func: fn, Types: []reflect.Type{reflect.TypeOf(signature).Elem()}}
}

func (p *patcher) fail(at ast.Node, format string, args ...any) {
	if p.err == nil {
		p.err = &file.Error{Location: at.Location(), Message: fmt.Sprintf(format, args...)}
	}
}

// fieldPatcher makes fetches of identifiers, of a.b.c, and of field("a.b.c").
type fieldPatcher struct{ *patcher }

func (p fieldPatcher) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.VariableDeclaratorNode:
		p.fail(n, "let is not supported in a condition")
	case *ast.IdentifierNode:
		switch {
		case strings.HasPrefix(n.Value, "$"):
			p.fail(n, "%s is not supported in a condition", n.Value)
		case p.table[n.Value] == nil:
			ast.Patch(node, p.fetch(n.Value))
		}
	case *ast.MemberNode:
		if path, ok := memberPath(n); ok {
			ast.Patch(node, p.fetch(path))
		}
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok {
			p.fail(n, "unknown function %s", strings.TrimSuffix(strings.TrimPrefix(n.Callee.String(), fieldPrefix), "()"))
			return
		}
		if name, ok := constantName(n.Arguments); ok && callee.Value == "field" {
			ast.Patch(node, p.fetch(name))
		}
	}
}

// memberPath is the path that a member of a fetched field spells.
func memberPath(n *ast.MemberNode) (path string, ok bool) {
	call, isCall := n.Node.(*ast.CallNode)
	property, isName := n.Property.(*ast.StringNode)
	if !isCall || !isName || n.Method {
		return "", false
	}
	callee, _ := call.Callee.(*ast.IdentifierNode)
	if callee == nil || !strings.HasPrefix(callee.Value, fieldPrefix) {
		return "", false
	}
	return strings.TrimPrefix(callee.Value, fieldPrefix) + "." + property.Value, true
}

func constantName(args []ast.Node) (string, bool) {
	if len(args) != 1 {
		return "", false
	}
	s, ok := args[0].(*ast.StringNode)
	if !ok {
		return "", false
	}
	return s.Value, true
}

func (p *patcher) fetch(name string) ast.Node {
	function := fieldPrefix + name
	if p.table[function] == nil {
		f := p.condition.field(name)
		p.add(function, func(...any) (any, error) { return f.load(p.condition.record).any(), nil }, new(func() any))
	}
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: function}}
}

// comparePatcher replaces the operators that meet a field.
type comparePatcher struct{ *patcher }

var patched = []string{"==", "!=", "<", "<=", ">", ">=", "contains", "startsWith", "endsWith", "in", "matches"}

func (p comparePatcher) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		switch {
		case n.Operator == "and" || n.Operator == "&&" || n.Operator == "or" || n.Operator == "||":
			p.truth(&n.Left)
			p.truth(&n.Right)
		case slices.Contains(patched, n.Operator) && (unknown(n.Left) || unknown(n.Right)):
			p.checkPattern(n)
			p.call(node, "compare "+n.Operator, n.Left, n.Right)
		}
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			p.truth(&n.Node)
		}
	case *ast.ConditionalNode:
		p.truth(&n.Cond)
	case *ast.PredicateNode:
		// Of the functions with a predicate, these want a truth value; they give their own type to what they return.
	case *ast.BuiltinNode:
		if slices.Contains([]string{"all", "any", "none", "one", "filter", "count", "find", "findIndex", "findLast", "findLastIndex"}, n.Name) && len(n.Arguments) > 1 {
			if predicate, ok := n.Arguments[1].(*ast.PredicateNode); ok {
				p.truth(&predicate.Node)
			}
		}
	}
}

// checkPattern refuses a constant pattern that does not compile.
func (p *patcher) checkPattern(n *ast.BinaryNode) {
	pattern, ok := n.Right.(*ast.StringNode)
	if !ok || n.Operator != "matches" {
		return
	}
	if _, err := regexp.Compile(pattern.Value); err != nil {
		p.fail(pattern, "%v", err)
	}
}

func (p *patcher) truth(node *ast.Node) {
	if unknown(*node) {
		p.call(node, "truth of", *node)
	}
}

func (p *patcher) call(node *ast.Node, function string, args ...ast.Node) {
	call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: function}, Arguments: args}
	ast.Patch(node, call)
	call.SetType(boolType)
}

// unknown says that only a record will tell the type of node.
func unknown(node ast.Node) bool {
	t := node.Type()
	return t == nil || t == anyType
}
