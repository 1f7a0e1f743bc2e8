package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scalar decodes a scalar into a field that is neither a list nor a map nor decodes itself.
func (d *decoder) scalar(n *Node, v reflect.Value, l limits) {
	kind := scalarKind(v.Type())
	if kind == "" {
		panic(fmt.Sprintf("config: fields of type %s are not supported", v.Type()))
	}
	if n.kind != Scalar {
		d.wanted(n, kind, "")
		return
	}
	switch {
	case v.Type() == durationType:
		d.duration(n, v, l)
	case v.Type() == sizeType:
		d.size(n, v, l)
	case v.Type() == pathType && strings.HasPrefix(n.text, "~/"):
		d.errorf(n, "~ is not replaced by the home folder; write ${HOME}%s", strings.TrimPrefix(n.asWritten(), "~"))
	case v.Type() == pathType:
		v.SetString(n.resolve())
	case v.Kind() == reflect.String:
		d.text(n, v, l)
	case v.Kind() == reflect.Bool:
		d.boolean(n, v)
	default:
		d.number(n, v, kind, l)
	}
}

// scalarKind says what a scalar type wants, or "" if it is none.
func scalarKind(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration such as 10s"
	case t == sizeType:
		return "a size such as 64MiB"
	case t == pathType:
		return "a path"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "an integer"
	}
	return ""
}

// asWritten returns the text of a scalar as it may be shown.
func (n *Node) asWritten() string {
	if n.written != "" {
		return n.written
	}
	return n.text
}

// literalText reports whether a scalar is a text whatever the field wants: quoted, and without a reference.
func (n *Node) literalText() bool { return n.quoted && n.written == "" }

// resolve returns the text of a scalar as the name of a file, starting at the folder of the configuration file.
func (n *Node) resolve() string {
	if n.text == "" || filepath.IsAbs(n.text) {
		return n.text
	}
	return filepath.Join(n.source.folder, n.text)
}

func (d *decoder) text(n *Node, v reflect.Value, l limits) {
	if l.oneOf != nil && !slices.Contains(l.oneOf, n.text) {
		hint := ""
		if near := Nearest(n.asWritten(), l.oneOf); near != "" {
			hint = "; did you mean " + quote(near) + "?"
		}
		d.wanted(n, "one of "+list(l.oneOf), hint)
		return
	}
	v.SetString(n.text)
}

// list names the texts of a oneof tag; an empty one is shown as "".
func list(texts []string) string {
	shown := slices.Clone(texts)
	for i, s := range shown {
		if s == "" {
			shown[i] = `""`
		}
	}
	return strings.Join(shown, ", ")
}

func (d *decoder) boolean(n *Node, v reflect.Value) {
	b, ok := parseBool(n.text)
	switch {
	case ok && !n.literalText():
		v.SetBool(b)
	case ok:
		d.wanted(n, "true or false", "; remove the quotes")
	default:
		hint := ""
		switch strings.ToLower(n.asWritten()) {
		case "yes", "on", "y", "1":
			hint = "; write true"
		case "no", "off", "n", "0":
			hint = "; write false"
		}
		d.wanted(n, "true or false", hint)
	}
}

func parseBool(text string) (value, ok bool) {
	switch text {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	return false, false
}

// number decodes integers and floats.
func (d *decoder) number(n *Node, v reflect.Value, kind string, l limits) {
	err := setNumber(v, n.text)
	switch {
	case errors.Is(err, strconv.ErrRange):
		low, high := numberRange(v.Type())
		d.outOfRange(n, limits{min: orElse(l.min, low), max: orElse(l.max, high)})
	case err != nil:
		d.wanted(n, kind, "")
	case n.literalText():
		d.wanted(n, kind, "; remove the quotes")
	case !within(v, l):
		d.outOfRange(n, l)
	}
}

func (d *decoder) duration(n *Node, v reflect.Value, l limits) {
	value, err := time.ParseDuration(n.text)
	if err != nil {
		hint := "; write it like 500ms, 10s, 5m or 168h"
		if _, bare := strconv.ParseFloat(n.text, 64); bare == nil && n.written == "" {
			hint = "; a number needs a unit: write " + n.text + "s"
		}
		d.wanted(n, "a duration such as 10s", hint)
		return
	}
	v.SetInt(int64(value))
	if l.min == "" {
		l.min = "0s"
	}
	if !within(v, l) {
		d.outOfRange(n, l)
	}
}

func (d *decoder) size(n *Node, v reflect.Value, l limits) {
	value, err := ParseSize(n.text)
	if err != nil {
		d.errorf(n, "wanted a size such as 64MiB, found %s, which is %w", n.found(), err)
		return
	}
	v.SetInt(int64(value))
	if !within(v, l) {
		d.outOfRange(n, l)
	}
}

func (d *decoder) outOfRange(n *Node, l limits) {
	switch {
	case l.max == "":
		d.errorf(n, "must be at least %s, found %s", l.min, n.found())
	case l.min == "":
		d.errorf(n, "must be at most %s, found %s", l.max, n.found())
	default:
		d.errorf(n, "must be between %s and %s, found %s", l.min, l.max, n.found())
	}
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}
