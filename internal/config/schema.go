package config

import (
	"reflect"
	"strconv"
)

// SchemaOf returns the JSON schema (draft 2020-12) of a map that is decoded onto cfg, as Decode would: pointers to
// structs that hold their defaults. The result is made of what encoding/json marshals, is the caller's own, and refers
// to nothing outside itself. It accepts a reference (a text with ${ in it) wherever a scalar may stand; bounds of sizes
// and durations, and what Check methods say, are beyond it.
func SchemaOf(cfg ...any) map[string]any {
	return objectSchema(fieldsOf(cfg))
}

func objectSchema(fields []field) map[string]any {
	properties := map[string]any{}
	var required []any
	for _, f := range fields {
		s := valueSchema(f.value.Type(), f.value, f.limits)
		if f.doc != "" {
			s["description"] = f.doc
		}
		if f.required {
			required = append(required, f.name)
			notEmpty(s, f.value.Kind())
		} else if value, ok := schemaDefault(f.value); ok {
			s["default"] = value
		}
		properties[f.name] = s
	}
	schema := map[string]any{
		"type":                 []any{"object", "null"}, // a key with nothing behind it: all defaults
		"properties":           properties,
		"additionalProperties": false,
	}
	if required != nil {
		schema["type"] = "object"
		schema["required"] = required
	}
	return schema
}

func notEmpty(s map[string]any, kind reflect.Kind) {
	switch kind {
	case reflect.String:
		s["not"] = map[string]any{"const": ""}
	case reflect.Slice:
		s["minItems"] = 1
	case reflect.Map:
		s["minProperties"] = 1
	}
}

// valueSchema describes a type. v holds the defaults of a struct; for elements it is a zero value.
func valueSchema(t reflect.Type, v reflect.Value, l limits) map[string]any {
	if d, ok := describer(t); ok {
		_, schema := d.DescribeConfig()
		return schema
	}
	if t == nodeType || decodesItself(t) {
		return map[string]any{}
	}
	switch t.Kind() {
	case reflect.Struct:
		return objectSchema(structFields(v))
	case reflect.Slice:
		return map[string]any{"type": "array", "items": valueSchema(t.Elem(), reflect.New(t.Elem()).Elem(), l)}
	case reflect.Map:
		return map[string]any{
			"type":                 "object",
			"additionalProperties": valueSchema(t.Elem(), reflect.New(t.Elem()).Elem(), l),
		}
	case reflect.Interface:
		return map[string]any{}
	}
	return scalarSchema(t, l)
}

// reference is the schema of a scalar that is replaced before it gets its type.
func reference() map[string]any { return map[string]any{"type": "string", "pattern": `\$\{`} }

func orReference(forms ...any) map[string]any {
	return map[string]any{"anyOf": append(forms, reference())}
}

func scalarSchema(t reflect.Type, l limits) map[string]any {
	switch {
	case t == durationType:
		return orReference(map[string]any{
			"type": "string", "pattern": `^\+?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`,
		}, map[string]any{"const": 0})
	case t == sizeType:
		return orReference(
			map[string]any{"type": "integer", "minimum": 0},
			map[string]any{"type": "string", "pattern": `^[0-9]+(KiB|MiB|GiB|TiB)?$`},
		)
	case t.Kind() == reflect.String && l.oneOf != nil:
		values := make([]any, len(l.oneOf))
		for i, s := range l.oneOf {
			values[i] = s
		}
		return orReference(map[string]any{"enum": values})
	case t.Kind() == reflect.String:
		return map[string]any{"type": []any{"string", "number", "boolean"}} // each is taken as the text it was written as
	case t.Kind() == reflect.Bool:
		return orReference(map[string]any{"type": "boolean"})
	}
	return orReference(numberSchema(t, l))
}

func numberSchema(t reflect.Type, l limits) map[string]any {
	schema := map[string]any{"type": "integer"}
	low, high := numberRange(t)
	if t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64 {
		schema["type"] = "number"
		low, high = "", ""
	}
	if t.Bits() == 64 { // its ends are beyond what JSON numbers hold exactly, except for zero
		high = ""
		if low != "0" {
			low = ""
		}
	}
	if min, err := strconv.ParseFloat(orElse(l.min, low), 64); err == nil {
		schema["minimum"] = min
	}
	if max, err := strconv.ParseFloat(orElse(l.max, high), 64); err == nil {
		schema["maximum"] = max
	}
	return schema
}

// schemaDefault returns a default as JSON has it. Nested maps carry the defaults of their own keys.
func schemaDefault(v reflect.Value) (value any, ok bool) {
	t := v.Type()
	switch {
	case t == nodeType || decodesItself(t):
		return nil, false
	case t == durationType || t == sizeType:
		return render(v), true
	}
	switch v.Kind() {
	case reflect.Struct, reflect.Pointer, reflect.Interface, reflect.Map:
		return nil, false
	case reflect.Slice:
		items := make([]any, v.Len())
		for i := range items {
			if items[i], ok = schemaDefault(v.Index(i)); !ok {
				return nil, false
			}
		}
		return items, true
	case reflect.String:
		return v.String(), true
	}
	return v.Interface(), true
}
