package config

import (
	"reflect"
	"strconv"
	"strings"
)

// natural decodes a node into a field of type any by what was written: a map into map[string]any, a list into []any, a
// quoted scalar into string, a plain one into bool, int64, float64 or string, nothing or null into nil.
func (d *decoder) natural(n *Node, v reflect.Value) {
	if value := d.any(n); value != nil {
		v.Set(reflect.ValueOf(value))
	} else {
		v.SetZero()
	}
}

func (d *decoder) any(n *Node) any {
	switch n.kind {
	case Map:
		m := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			m[e.Key] = d.any(e.Value)
		}
		return m
	case List:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = d.any(item)
		}
		return list
	case Scalar:
		if n.quoted {
			return n.text
		}
		return naturalScalar(n.text)
	}
	return nil
}

// naturalScalar takes a plain scalar for what YAML 1.2 takes it for, except that what can't be kept exactly stays a
// string: integers beyond 64 bits, numbers with leading zeros (they are identifiers), and not-a-numbers.
func naturalScalar(text string) any {
	if b, ok := parseBool(text); ok {
		return b
	}
	var i int64
	if setNumber(reflect.ValueOf(&i).Elem(), text) == nil && !strings.Contains(strings.ToLower(text), "0b") {
		return i
	}
	if text == "" || !strings.ContainsAny(text, "0123456789") || !strings.ContainsAny(text, ".eE") {
		return text
	}
	var f float64
	if setNumber(reflect.ValueOf(&f).Elem(), text) == nil {
		return f
	}
	return text
}

// yamlText renders a text as one would write it in YAML: plain where that is read back as the same text, else quoted.
func yamlText(s string) string {
	plain := s != "" && s != "~" && !strings.EqualFold(s, "null") && naturalScalar(s) == any(s) &&
		!strings.ContainsAny(s[:1], "-?:,[]{}#&*!|>'\"%@` =") && !strings.HasSuffix(s, " ") && !strings.HasSuffix(s, ":")
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] > ' ' && s[i] < 0x7f && !strings.ContainsRune(",[]{}#", rune(s[i])) || s[i] == ' ' && s[i-1] != ':'
	}
	if plain {
		return s
	}
	return strconv.Quote(s)
}
