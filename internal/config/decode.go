package config

import (
	"errors"
	"reflect"
)

// Decode fills structs from a map. Each of dst is a pointer to a struct that holds its defaults; several of them share
// the map, and each key belongs to exactly one. A Null node leaves the defaults as they are.
//
// All mistakes are reported, each as an *Error, joined and sorted by place; dst is then partly filled and of no use.
// Decode panics if dst is not made of pointers to structs, if two of them have a key in common, or if a field's type or
// tags are beyond what this package knows: Lint finds all of these in a test.
func Decode(n *Node, dst ...any) error {
	var d decoder
	d.structs(n, dst)
	return Join(d.errs...)
}

type decoder struct {
	errs []error
}

func (d *decoder) errorf(n *Node, format string, args ...any) {
	d.errs = append(d.errs, n.Errorf(format, args...))
}

// wanted reports a value of the wrong type. hint is empty or begins with "; ".
func (d *decoder) wanted(n *Node, what, hint string) {
	if n.kind == Null && what == "text" {
		hint = `; write "" for an empty text`
	}
	d.errorf(n, "wanted %s, found %s%s", what, n.found(), hint)
}

// structs decodes a map onto structs that share it, and checks them.
func (d *decoder) structs(n *Node, dst []any) {
	if n.kind != Map && n.kind != Null {
		d.wanted(n, "a map", "")
		return
	}
	before := len(d.errs)
	fields := fieldsOf(dst)
	byName := make(map[string]field, len(fields))
	for _, f := range fields {
		byName[f.name] = f
	}
	given := make(map[string]bool, len(n.entries))
	for _, e := range n.entries {
		f, ok := byName[e.Key]
		if !ok {
			d.errs = append(d.errs, e.at.errorf(n.Path(), "unknown key %s%s", quote(e.Key), Suggest(e.Key, names(fields))))
			given[Nearest(e.Key, names(fields))] = true // it is not missing, but misspelled
			continue
		}
		given[e.Key] = true
		d.field(e.Value, f)
	}
	for _, f := range fields {
		if f.required && !given[f.name] {
			d.missing(n, f)
		}
	}
	if len(d.errs) > before {
		return // a check of what is half filled would only confuse
	}
	for _, cfg := range dst {
		for _, v := range embedded(structOf(cfg)) {
			d.check(n, v)
		}
	}
}

func (d *decoder) field(n *Node, f field) {
	before := len(d.errs)
	d.value(n, f.value, f.limits)
	if !f.required || len(d.errs) > before {
		return
	}
	switch f.value.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		if f.value.Len() == 0 {
			d.errorf(n, "must not be empty")
		}
	}
}

func (d *decoder) missing(n *Node, f field) {
	hint := ""
	if f.example != "" {
		hint = ", for example " + f.name + ": " + f.example
	}
	d.errorf(n, "the key %s is missing%s", quote(f.name), hint)
}

// check calls a struct's Check method and gives what it returns a place.
func (d *decoder) check(n *Node, v reflect.Value) {
	// An embedded struct of an unexported type is reached by its address: its Check is as binding as any.
	checker, ok := reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Interface().(interface{ Check() error })
	if !ok {
		return
	}
	d.place(n, checker.Check())
}

// place adds errors that came from a Check or UnmarshalConfig method, with the node's place if they have none.
func (d *decoder) place(n *Node, err error) {
	for _, err := range flatten(err) {
		var placed *Error
		if errors.As(err, &placed) {
			d.errs = append(d.errs, err)
			continue
		}
		if keyed, ok := err.(*keyError); ok {
			if value := n.below(keyed.key); value != nil {
				d.place(value, keyed.err)
				continue
			}
		}
		d.errorf(n, "%w", err)
	}
}

// value decodes a node into one field or element.
func (d *decoder) value(n *Node, v reflect.Value, l limits) {
	switch {
	case v.Type() == nodeType:
		v.Set(reflect.ValueOf(n))
		return
	case v.Addr().Type().Implements(unmarshalerType):
		d.place(n, v.Addr().Interface().(Unmarshaler).UnmarshalConfig(n))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structs(n, []any{v.Addr().Interface()})
	case reflect.Slice:
		d.list(n, v, l)
	case reflect.Map:
		d.mapping(n, v, l)
	case reflect.Interface:
		d.natural(n, v)
	default:
		d.scalar(n, v, l)
	}
}

func (d *decoder) list(n *Node, v reflect.Value, l limits) {
	if n.kind != List {
		hint := ""
		switch {
		case n.kind == Scalar && (n.quoted || n.written != ""):
			hint = "; write [" + yamlText(n.asWritten()) + "]"
		case n.kind == Scalar:
			hint = "; write [" + n.text + "]"
		case n.kind == Map:
			hint = `; each item of a list begins with "- "`
		}
		d.wanted(n, "a list", hint)
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		d.value(item, list.Index(i), l)
	}
	v.Set(list)
}

func (d *decoder) mapping(n *Node, v reflect.Value, l limits) {
	if n.kind != Map {
		d.wanted(n, "a map", "")
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.entries))
	for _, e := range n.entries {
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(e.Value, element, l)
		m.SetMapIndex(reflect.ValueOf(e.Key).Convert(v.Type().Key()), element)
	}
	v.Set(m)
}
