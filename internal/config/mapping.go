package config

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// mapping builds the entries of a map: its own keys, and those of merge keys (<<) that it doesn't have.
func (b *builder) mapping(values []*ast.MappingValueNode, n *Node) {
	n.kind = Map
	own := make(map[string]position, len(values))
	var merges []*ast.MappingValueNode
	for _, value := range values {
		if _, ok := value.Key.(*ast.MergeKeyNode); ok {
			merges = append(merges, value)
			continue
		}
		at := b.at(value.Key)
		key, ok := b.key(value.Key, n)
		if !ok {
			continue
		}
		if first, twice := own[key]; twice {
			b.errorf(at, n.Path(), "key %s appears twice in this map; the first is at line %d, column %d",
				quote(key), first.line, first.column)
			continue
		}
		own[key] = at
		child := b.node(value.Value, n, key)
		if child.kind == Null && value.Value.GetToken().Type == token.ImplicitNullType {
			child.position = at // a value that was not written is best looked for at its key
		}
		n.entries = append(n.entries, Entry{Key: key, Value: child, at: at})
		n.weight += len(key) + child.weight
	}
	for _, merge := range merges {
		b.merge(merge.Value, n, own)
	}
}

// key returns the text of a key. Like a string it may be plain or quoted; what looks like a number or a boolean is text
// all the same.
func (b *builder) key(tree ast.MapKeyNode, n *Node) (string, bool) {
	at := b.at(tree)
	var key string
	switch tree := tree.(type) {
	case *ast.StringNode:
		key = tree.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		key = tree.GetToken().Value
	case *ast.NullNode:
		b.errorf(at, n.Path(), "a key is missing or null; put it in quotes if it is meant as a text")
		return "", false
	default:
		b.errorf(at, n.Path(), "a key must be a plain or quoted text")
		return "", false
	}
	if strings.Contains(key, "${") {
		b.errorf(at, n.Path(), "references are not replaced in keys; write the key %s out", quote(key))
		return "", false
	}
	b.charge(n, len(key))
	return key, true
}

// merge adds the entries of a merge key: a map, or a list of maps of which the earlier ones win. The map's own keys win
// over both.
func (b *builder) merge(tree ast.Node, n *Node, own map[string]position) {
	from := b.node(tree, n, "<<")
	maps := from.items
	if from.kind == Map {
		maps = []*Node{from}
	}
	if len(maps) == 0 {
		b.errorf(b.at(tree), n.Path(), "a merge key (<<) wants a map or a list of maps, found %s", from.kind)
	}
	for _, m := range maps {
		if m.kind != Map {
			b.errorf(m.position, n.Path(), "a merge key (<<) wants a map or a list of maps, found %s in the list", m.kind)
		}
		for _, e := range m.entries {
			if _, ok := own[e.Key]; ok {
				continue
			}
			own[e.Key] = e.at
			n.entries = append(n.entries, e)
			n.weight += len(e.Key) + e.Value.weight
		}
	}
}

func indexStep(i int) string { return "[" + strconv.Itoa(i) + "]" }
