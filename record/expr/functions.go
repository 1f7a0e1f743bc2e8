package expr

import (
	"reflect"
	"regexp"

	"github.com/spillway/spillway/record"
)

// field fetches one field for one condition.
type field struct {
	name    string
	scratch []byte
}

func (c *Condition) field(name string) *field {
	for _, f := range c.fields {
		if f.name == name {
			return f
		}
	}
	f := &field{name: name}
	c.fields = append(c.fields, f)
	return f
}

// load is the field's value in r, valid until the next load.
func (f *field) load(r record.Record) (o operand) {
	v, ok := r.Get(f.name)
	if !ok {
		return operand{}
	}
	o, f.scratch = ofValue(v, f.scratch)
	return o
}

// fetchByName is the function field of the language, for names that are not
// constant.
func (c *Condition) fetchByName(args ...any) (any, error) {
	f := field{name: args[0].(string)}
	return f.load(c.record).any(), nil
}

func truthOf(args ...any) (any, error) { return args[0] == true, nil }

// compareIn is the operator in: an element of a list, or a key of a map.
func compareIn(args ...any) (any, error) {
	needle := ofAny(args[0])
	list := reflect.ValueOf(args[1])
	switch list.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range list.Len() {
			element := ofAny(list.Index(i).Interface())
			if equal(&needle, &element) {
				return true, nil
			}
		}
	case reflect.Map:
		if needle.kind == text && list.Type().Key().Kind() == reflect.String {
			return list.MapIndex(reflect.ValueOf(string(needle.text))).IsValid(), nil
		}
	}
	return false, nil
}

func compareMatches(args ...any) (any, error) {
	s, isText := args[0].(string)
	pattern, isPattern := args[1].(string)
	if !isText || !isPattern {
		return false, nil
	}
	return regexp.MatchString(pattern, s)
}
