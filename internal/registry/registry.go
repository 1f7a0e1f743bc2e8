// Package registry keeps the components of one kind by their names: for each its summary, its defaults and how it is
// built. It is generic over what a component is built with (E, its environment) and what comes of it (T), so that
// neither a component nor the one who builds it ever casts.
package registry

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spillway/spillway/internal/config"
)

// Registry holds the components of one kind. It is filled by the init functions of the components' packages and only
// read afterwards, so it needs no lock.
type Registry[E, T any] struct {
	kind  string
	types map[string]component[E, T]
}

type component[E, T any] struct {
	summary string
	def     func() any
	decode  func(n *config.Node, common []any) (cfg any, build func(E) (T, error), err error)
}

// Entry describes a registered component.
type Entry struct {
	Name    string
	Summary string     // one sentence
	Default func() any // a new pointer to its configuration struct, filled with its defaults
}

// Component is a component's configuration, decoded and checked, ready to be built.
type Component[E, T any] struct {
	Type   string
	Config any          // the pointer to its struct that Build hands to it
	Node   *config.Node // the body: what stands behind the type in the file

	build func(E) (T, error)
}

// Build makes the component. It may be called more than once: each call gives an instance of its own, from the one
// configuration, which they only read.
func (c Component[E, T]) Build(env E) (T, error) { return c.build(env) }

// New returns an empty registry. kind is the noun for its components in errors: input, processor, output.
func New[E, T any](kind string) *Registry[E, T] {
	return &Registry[E, T]{kind: kind, types: map[string]component[E, T]{}}
}

var validName = regexp.MustCompile(`^[a-z0-9_]+$`)

// Register adds a component. name is its key in the configuration, of a-z, 0-9 and _; summary is one sentence. def
// returns a new struct that holds the defaults; build makes the component from one that was decoded and checked, without
// side effects. An invalid name, one that is taken, or an empty summary panics: it is a mistake in the program.
func Register[C, E, T any](r *Registry[E, T], name, summary string, def func() *C, build func(*C, E) (T, error)) {
	switch _, taken := r.types[name]; {
	case !validName.MatchString(name):
		panic(fmt.Sprintf("registry: %q is no name for %s: want a-z, 0-9 and _", name, r.aKind()))
	case taken:
		panic(fmt.Sprintf("registry: the %s %q is registered twice", r.kind, name))
	case summary == "":
		panic(fmt.Sprintf("registry: the %s %q has no summary", r.kind, name))
	}
	r.types[name] = component[E, T]{
		summary: summary,
		def:     func() any { return def() },
		decode: func(n *config.Node, common []any) (any, func(E) (T, error), error) {
			cfg := def()
			if err := config.Decode(n, append([]any{cfg}, common...)...); err != nil {
				return nil, nil, err
			}
			return cfg, func(env E) (T, error) { return build(cfg, env) }, nil
		},
	}
}

// Entries describes all components, sorted by name.
func (r *Registry[E, T]) Entries() []Entry {
	var entries []Entry
	for _, name := range r.names() {
		c := r.types[name]
		entries = append(entries, Entry{Name: name, Summary: c.summary, Default: c.def})
	}
	return entries
}

// Decode reads a component from a map with one key, its type, and its configuration behind it; nothing there means all
// defaults. common are pointers to further structs that are filled from the same body, with the keys that all components
// of the kind have. All mistakes are *config.Error values, joined.
func (r *Registry[E, T]) Decode(n *config.Node, common ...any) (Component[E, T], error) {
	var none Component[E, T]
	if n.Kind() != config.Map {
		example := ""
		if _, ok := r.types[n.Scalar()]; ok {
			example = ", such as {" + n.Scalar() + ": {}}"
		}
		return none, n.Wanted(r.aKind() + " as a map with one key, its type" + example)
	}
	entries := n.Entries()
	if len(entries) != 1 {
		return none, n.Errorf("%s has one key, its type, but this has %d; settings are indented below the type",
			r.aKind(), len(entries))
	}
	e := entries[0]
	c, ok := r.types[e.Key]
	if !ok {
		return none, e.Errorf("unknown %s %q%s", r.kind, e.Key, config.Suggest(e.Key, r.names()))
	}
	cfg, build, err := c.decode(e.Value, common)
	if err != nil {
		return none, err
	}
	return Component[E, T]{Type: e.Key, Config: cfg, Node: e.Value, build: build}, nil
}

// Schema returns the JSON schema of what Decode reads. common is as for Decode.
func (r *Registry[E, T]) Schema(common ...any) map[string]any {
	types := map[string]any{}
	for _, e := range r.Entries() {
		s := config.SchemaOf(append([]any{e.Default()}, common...)...)
		s["description"] = e.Summary
		types[e.Name] = s
	}
	return map[string]any{
		"type": "object", "properties": types, "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
	}
}

// aKind returns the kind with its article.
func (r *Registry[E, T]) aKind() string {
	if strings.ContainsAny(r.kind[:1], "aeiou") {
		return "an " + r.kind
	}
	return "a " + r.kind
}

func (r *Registry[E, T]) names() []string { return slices.Sorted(maps.Keys(r.types)) }
