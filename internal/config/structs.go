package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Unmarshaler is a field type that decodes itself. An error that is not an *Error gets the node's place.
type Unmarshaler interface {
	UnmarshalConfig(n *Node) error
}

var (
	nodeType        = reflect.TypeFor[*Node]()
	durationType    = reflect.TypeFor[time.Duration]()
	sizeType        = reflect.TypeFor[Size]()
	pathType        = reflect.TypeFor[Path]()
	unmarshalerType = reflect.TypeFor[Unmarshaler]()
)

// field is one key of a struct: its tags, and the value it fills.
type field struct {
	name     string
	doc      string
	example  string
	required bool
	limits
	value reflect.Value
}

// limits are the tags that hold for a scalar or, in a list or map, for each element.
type limits struct {
	oneOf    []string
	min, max string
}

// structFields returns the keys of a struct in the order of its fields, those of embedded structs in their place.
func structFields(v reflect.Value) []field {
	var fields []field
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		if inlined(sf) {
			fields = append(fields, structFields(v.Field(i))...)
			continue
		}
		name := sf.Tag.Get("yaml")
		if !sf.IsExported() || name == "" || name == "-" {
			continue
		}
		f := field{
			name:     name,
			doc:      sf.Tag.Get("doc"),
			example:  sf.Tag.Get("example"),
			required: sf.Tag.Get("required") == "true",
			limits:   limits{min: sf.Tag.Get("min"), max: sf.Tag.Get("max")},
			value:    v.Field(i),
		}
		if oneOf, ok := sf.Tag.Lookup("oneof"); ok {
			f.oneOf = strings.Split(oneOf, ",")
		}
		fields = append(fields, f)
	}
	return fields
}

// inlined tells an embedded struct, whose fields are keys of the struct around it.
func inlined(sf reflect.StructField) bool {
	return sf.Anonymous && sf.Type.Kind() == reflect.Struct && sf.Tag.Get("yaml") == ""
}

// embedded returns the structs that v inlines, and v itself last, as their Check methods are called.
func embedded(v reflect.Value) []reflect.Value {
	var all []reflect.Value
	for i := range v.NumField() {
		if inlined(v.Type().Field(i)) {
			all = append(all, embedded(v.Field(i))...)
		}
	}
	return append(all, v)
}

// structOf returns the struct that a configuration points at. Anything else is a mistake in the program.
func structOf(cfg any) reflect.Value {
	v := reflect.ValueOf(cfg)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("config: wanted a pointer to a struct, got %T", cfg))
	}
	return v.Elem()
}

// fieldsOf returns the keys of several structs that share one map. A key in two of them is a mistake in the program.
func fieldsOf(cfgs []any) []field {
	var all []field
	owner := map[string]any{}
	for _, cfg := range cfgs {
		for _, f := range structFields(structOf(cfg)) {
			if other, ok := owner[f.name]; ok {
				panic(fmt.Sprintf("config: the key %q is in both %T and %T", f.name, other, cfg))
			}
			owner[f.name] = cfg
			all = append(all, f)
		}
	}
	return all
}

func names(fields []field) []string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.name
	}
	return all
}
