package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Lint reports what is wrong with the struct types of a configuration and their defaults, for tests: an exported field
// without a yaml or doc tag, a type or tag that Decode does not know, a default or example that the struct itself would
// refuse, a required field without an example, a key that two of cfg have in common.
//
// It decodes the examples of the required fields onto cfg, so give it fresh defaults.
func Lint(cfg ...any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	var l linter
	for _, c := range cfg {
		v := structOf(c)
		l.structure(v, v.Type().String())
	}
	if len(l.errs) > 0 {
		return Join(l.errs...)
	}
	fields := fieldsOf(cfg)
	for _, f := range fields {
		if f.example != "" {
			l.example(f)
		}
	}
	if len(l.errs) > 0 {
		return Join(l.errs...)
	}
	return lintWhole(fields, cfg)
}

type linter struct {
	errs []error
}

func (l *linter) errorf(format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf(format, args...))
}

// structure looks at each field of a struct type, with v for its defaults.
func (l *linter) structure(v reflect.Value, where string) {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name := where + "." + sf.Name
		switch {
		case inlined(sf):
			l.structure(v.Field(i), name)
		case !sf.IsExported() || sf.Tag.Get("yaml") == "-":
		case sf.Tag.Get("yaml") == "":
			l.errorf(`%s has no yaml tag; a field that is no key has yaml:"-"`, name)
		case sf.Tag.Get("doc") == "":
			l.errorf("%s has no doc tag", name)
		default:
			l.tags(sf, name)
		}
	}
	for _, f := range structFields(v) {
		l.value(f, f.value, where+" "+f.name)
	}
}

func (l *linter) tags(sf reflect.StructField, name string) {
	if required, ok := sf.Tag.Lookup("required"); ok && required != "true" {
		l.errorf(`%s: required can only be "true"`, name)
	}
	if sf.Tag.Get("required") == "true" && sf.Tag.Get("example") == "" {
		l.errorf("%s is required and has no example tag", name)
	}
}

// value looks at a field's type, and at its default unless the field must be given anyway.
func (l *linter) value(f field, v reflect.Value, where string) {
	t := v.Type()
	switch {
	case t == nodeType || decodesItself(t):
		return
	case t.Kind() == reflect.Interface && t.NumMethod() == 0:
		return
	case t.Kind() == reflect.Map && t.Key().Kind() != reflect.String:
		l.errorf("%s: the keys of a map are texts, not %s", where, t.Key())
		return
	case t.Kind() == reflect.Struct:
		l.structure(v, where)
		return
	case t.Kind() == reflect.Slice:
		for i := range v.Len() {
			l.value(f, v.Index(i), where)
		}
		l.element(f, t, where)
		return
	case t.Kind() == reflect.Map:
		l.element(f, t, where)
		return
	case scalarKind(t) == "":
		l.errorf("%s: fields of type %s are not supported", where, t)
		return
	}
	l.bounds(f, v, where)
}

// element looks at the type of what a list or map holds. Its zero value is nobody's default.
func (l *linter) element(f field, t reflect.Type, where string) {
	f.required = true
	l.value(f, reflect.New(t.Elem()).Elem(), where)
}

func (l *linter) bounds(f field, v reflect.Value, where string) {
	numeric := v.CanInt() || v.CanUint() || v.CanFloat()
	switch {
	case f.oneOf != nil && v.Kind() != reflect.String:
		l.errorf("%s: oneof is for texts", where)
	case (f.min != "" || f.max != "") && !numeric:
		l.errorf("%s: min and max are for numbers, sizes and durations", where)
	case numeric && !within(v, f.limits) && !f.required:
		l.errorf("%s: the default %s is out of its own range", where, render(v))
	case f.oneOf != nil && !f.required && !slices.Contains(f.oneOf, v.String()):
		l.errorf("%s: the default %q is not one of %s", where, v.String(), strings.Join(f.oneOf, ","))
	}
}

// example decodes the example of one field alone.
func (l *linter) example(f field) {
	n, err := Parse("example", []byte(f.name+": "+f.example+"\n"), nil)
	if err == nil {
		var d decoder
		alone := f
		alone.value = reflect.New(f.value.Type()).Elem()
		d.field(n.Key(f.name), alone)
		err = Join(d.errs...)
	}
	if err != nil {
		l.errorf("the example of %s: %w", f.name, err)
	}
}

// lintWhole decodes a configuration that holds the required fields only, which calls the Check methods.
func lintWhole(fields []field, cfg []any) error {
	var text strings.Builder
	for _, f := range fields {
		if f.required {
			fmt.Fprintf(&text, "%s: %s\n", f.name, f.example)
		}
	}
	n, err := Parse("defaults and examples", []byte(text.String()), nil)
	if err != nil {
		return err
	}
	return Decode(n, cfg...)
}
