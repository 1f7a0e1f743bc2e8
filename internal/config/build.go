package config

import (
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// builder turns a syntax tree into nodes. It collects mistakes and goes on.
type builder struct {
	*source
	references
	anchors map[string]*Node // complete ones only: an alias inside its own anchor is unknown
	weight  int
	errs    []error
}

func (b *builder) errorf(at position, path, format string, args ...any) {
	b.errs = append(b.errs, at.errorf(path, format, args...))
}

// node builds the node that a syntax tree stands for. It never returns nil.
func (b *builder) node(tree ast.Node, parent *Node, step string) *Node {
	n := &Node{position: b.at(tree), parent: parent, step: step}
	switch tree := tree.(type) {
	case *ast.AnchorNode:
		n = b.node(tree.Value, parent, step)
		b.anchors[tree.Name.GetToken().Value] = n
		return n
	case *ast.AliasNode:
		return b.alias(tree, n)
	case *ast.MappingNode:
		b.mapping(tree.Values, n)
	case *ast.MappingValueNode:
		b.mapping([]*ast.MappingValueNode{tree}, n)
	case *ast.SequenceNode:
		n.kind = List
		for i, value := range tree.Values {
			item := b.node(value, n, indexStep(i))
			n.items = append(n.items, item)
			n.weight += item.weight
		}
	case *ast.NullNode:
		n.kind = Null
	case *ast.LiteralNode:
		b.scalar(n, tree.Value.Value, true)
	case *ast.StringNode:
		tk := tree.GetToken()
		b.scalar(n, tree.Value, tk.Type == token.SingleQuoteType || tk.Type == token.DoubleQuoteType)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		// The text decides, not the parser's idea of it: 007 and 1e3 stay what they are until a field asks.
		b.scalar(n, tree.GetToken().Value, false)
	default:
		b.errorf(n.position, n.Path(), "not supported here: %s", tree.Type())
	}
	n.weight += nodeBytes
	b.charge(n, nodeBytes)
	return n
}

// nodeBytes is about what a node costs beside its text.
const nodeBytes = 128

// charge counts what a node adds to the file with its aliases written out.
func (b *builder) charge(n *Node, bytes int) {
	said := b.tooLarge()
	b.weight += bytes
	if !said && b.tooLarge() {
		b.errorf(n.position, n.Path(), "the configuration is too large: more than %v with aliases and references replaced",
			Size(maxExpandedBytes))
	}
}

func (b *builder) tooLarge() bool { return b.weight > maxExpandedBytes }

func (b *builder) scalar(n *Node, text string, quoted bool) {
	n.kind, n.quoted = Scalar, quoted
	if b.tooLarge() {
		return
	}
	expanded, changed, err := b.expand(text)
	if err != nil {
		b.errs = append(b.errs, n.Errorf("%w", err))
	}
	n.text = expanded
	if changed {
		n.written = text
	}
	n.weight = len(expanded)
	b.charge(n, n.weight)
}

// alias returns the node of the anchor: aliases cost no memory. What decoding it again costs is charged.
func (b *builder) alias(tree *ast.AliasNode, n *Node) *Node {
	name := tree.Value.GetToken().Value
	target, ok := b.anchors[name]
	if !ok {
		b.errorf(n.position, n.Path(), "there is no anchor &%s before this alias%s", name, b.suggestAnchor(name))
		return n
	}
	b.charge(n, target.weight)
	if b.tooLarge() {
		return n // aliases of aliases would go on doubling
	}
	return target
}

func (b *builder) suggestAnchor(name string) string {
	names := make([]string, 0, len(b.anchors))
	for known := range b.anchors {
		names = append(names, known)
	}
	return Suggest(name, names)
}

// at returns where a tree begins. For a block map the parser says where its first colon is.
func (b *builder) at(tree ast.Node) position {
	switch t := tree.(type) {
	case *ast.MappingNode:
		if !t.IsFlowStyle && len(t.Values) > 0 {
			return b.at(t.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return b.at(t.Key)
	case *ast.LiteralNode:
		return tokenPosition(b.source, t.Start)
	}
	return tokenPosition(b.source, tree.GetToken())
}
