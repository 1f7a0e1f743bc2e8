package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Field describes one key of a configuration for reference pages.
type Field struct {
	Name     string
	Type     string   // in words: text, integer, duration, list of paths, ...
	Default  string   // in YAML, as one would write it; empty for a nested map and for what has no default
	Doc      string   // the doc tag
	OneOf    []string // the only texts allowed
	Min, Max string   // in the field's own notation
	Required bool
	Example  string  // in YAML
	Fields   []Field // the keys of a nested map, or of the maps in a list or map
}

// Describer is a field type with UnmarshalConfig that says what it takes.
type Describer interface {
	// DescribeConfig returns the type in words and its JSON schema. It is called on a zero value.
	DescribeConfig() (words string, schema map[string]any)
}

// Fields describes the keys of a pointer to a struct that holds its defaults, in the order of its fields. The struct
// types must not contain themselves, other than through types that decode themselves.
func Fields(cfg any) []Field {
	return describe(structOf(cfg))
}

func describe(v reflect.Value) []Field {
	var all []Field
	for _, f := range structFields(v) {
		d := Field{
			Name: f.name, Type: typeWords(f.value.Type()), Doc: f.doc, OneOf: f.oneOf, Min: f.min, Max: f.max,
			Required: f.required, Example: f.example,
		}
		if !f.required || !f.value.IsZero() {
			d.Default = render(f.value)
		}
		d.Fields = nested(f.value)
		all = append(all, d)
	}
	return all
}

// nested returns the keys of a struct field, or of the structs in a list or map.
func nested(v reflect.Value) []Field {
	t := v.Type()
	if t == nodeType || decodesItself(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return describe(v)
	case reflect.Slice, reflect.Map:
		return nested(reflect.New(t.Elem()).Elem())
	}
	return nil
}

func decodesItself(t reflect.Type) bool { return reflect.PointerTo(t).Implements(unmarshalerType) }

func describer(t reflect.Type) (Describer, bool) {
	d, ok := reflect.New(t).Interface().(Describer)
	return d, ok
}

func typeWords(t reflect.Type) string {
	if d, ok := describer(t); ok {
		words, _ := d.DescribeConfig()
		return words
	}
	switch {
	case t == nodeType || decodesItself(t):
		return "any"
	case t == durationType:
		return "duration"
	case t == sizeType:
		return "size"
	case t == pathType:
		return "path"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Struct:
		return "map"
	case reflect.Interface:
		return "any"
	case reflect.Slice:
		return "list of " + plural(typeWords(t.Elem()))
	case reflect.Map:
		return "map of " + plural(typeWords(t.Elem()))
	}
	return "integer"
}

func plural(words string) string {
	first, rest, of := strings.Cut(words, " of ")
	switch {
	case words == "any":
		return "anything"
	case of:
		return first + "s of " + rest
	}
	return words + "s"
}

// render writes a default as one would in YAML, in flow style.
func render(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Duration:
		return renderDuration(value)
	case fmt.Stringer: // Size, and types that decode themselves
		return value.String()
	}
	switch v.Kind() {
	case reflect.String:
		return yamlText(v.String())
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = render(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Map:
		items := make([]string, 0, v.Len())
		for key, value := range v.Seq2() {
			items = append(items, yamlText(key.String())+": "+render(value))
		}
		slices.Sort(items)
		return "{" + strings.Join(items, ", ") + "}"
	case reflect.Interface:
		if v.IsNil() {
			return "null"
		}
		return render(v.Elem())
	case reflect.Struct, reflect.Pointer:
		return ""
	}
	return fmt.Sprint(v.Interface())
}

// renderDuration is Duration.String without the zero units at its end: 168h, not 168h0m0s.
func renderDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
