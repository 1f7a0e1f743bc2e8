package expr

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/spillway/spillway/record"
)

// operand is one side of a comparison. Both ways of evaluating a condition make
// their operands here and compare them here, so that they can't differ.
type operand struct {
	kind  operandKind
	text  []byte
	int   int64
	float float64
	truth bool
	other any // a time.Time, or a list or map
}

type operandKind uint8

const (
	missing operandKind = iota
	text
	integer
	float
	boolean
	instant
	compound
)

// ofValue makes an operand of a record's value. Scratch is where an escaped
// string goes; it is returned for the next use.
func ofValue(v record.Value, scratch []byte) (operand, []byte) {
	switch v.Kind() {
	case record.String, record.Bytes:
		if v.Form() != record.Escaped {
			return operand{kind: text, text: v.Bytes()}, scratch
		}
		scratch = v.AppendText(scratch[:0])
		return operand{kind: text, text: scratch}, scratch
	case record.Int, record.Float:
		return ofNumber(v.Bytes()), scratch
	case record.Bool:
		t, _ := v.Bool()
		return operand{kind: boolean, truth: t}, scratch
	case record.Time:
		ns, _ := v.Time()
		return operand{kind: instant, other: time.Unix(0, ns).UTC()}, scratch
	case record.JSON:
		return operand{kind: compound, other: decode(v.Bytes())}, scratch
	}
	return operand{}, scratch
}

// ofNumber makes an operand of the text of a number. Integers beyond int64
// become floats; what is no number at all is missing.
func ofNumber(s []byte) operand {
	if len(s) == 0 || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return operand{}
	}
	if i, err := strconv.ParseInt(string(s), 10, 64); err == nil {
		return operand{kind: integer, int: i}
	}
	if bytes.ContainsAny(s, "xXpP_iInN") { // forms that only Go knows
		return operand{}
	}
	f, err := strconv.ParseFloat(string(s), 64)
	if err != nil {
		return operand{}
	}
	return operand{kind: float, float: f}
}

// ofAny makes an operand of a value of the expression language.
func ofAny(v any) operand {
	switch v := v.(type) {
	case nil:
		return operand{}
	case string:
		return operand{kind: text, text: []byte(v)}
	case int:
		return operand{kind: integer, int: int64(v)}
	case float64:
		return operand{kind: float, float: v}
	case bool:
		return operand{kind: boolean, truth: v}
	case time.Time:
		return operand{kind: instant, other: v}
	}
	return operand{kind: compound, other: v}
}

// any is the value of o in the expression language. Strings are copied.
func (o operand) any() any {
	switch o.kind {
	case text:
		return string(o.text)
	case integer:
		return int(o.int)
	case float:
		return o.float
	case boolean:
		return o.truth
	case instant, compound:
		return o.other
	}
	return nil
}

// order compares what has an order: numbers, texts, times, and a text that
// spells a number with a number. Ok is false for everything else.
func order(a, b *operand) (c int, ok bool) {
	if a.kind == b.kind {
		switch a.kind {
		case integer:
			return cmp.Compare(a.int, b.int), true
		case text:
			return bytes.Compare(a.text, b.text), true
		case instant:
			return a.other.(time.Time).Compare(b.other.(time.Time)), true
		}
	}
	x, y := a.number(b), b.number(a)
	switch {
	case x.kind == integer && y.kind == integer:
		return cmp.Compare(x.int, y.int), true
	case x.kind == missing || y.kind == missing:
		return 0, false
	}
	f, g := x.asFloat(), y.asFloat()
	if math.IsNaN(f) || math.IsNaN(g) {
		return 0, false
	}
	return cmp.Compare(f, g), true
}

// number is o as a number, if the other side is one; else missing.
func (o *operand) number(other *operand) operand {
	switch o.kind {
	case integer, float:
		return *o
	case text:
		if other.kind == integer || other.kind == float {
			return ofNumber(o.text)
		}
	}
	return operand{}
}

func (o operand) asFloat() float64 {
	if o.kind == integer {
		return float64(o.int)
	}
	return o.float
}

func equal(a, b *operand) bool {
	if a.kind == b.kind {
		switch a.kind {
		case missing:
			return true
		case text:
			return string(a.text) == string(b.text)
		case boolean:
			return a.truth == b.truth
		case compound:
			return reflect.DeepEqual(a.other, b.other)
		}
	}
	c, ok := order(a, b)
	return ok && c == 0
}

// compare applies a comparison of the language.
func compare(op string, a, b *operand) bool {
	switch op {
	case "==":
		return equal(a, b)
	case "!=":
		return !equal(a, b)
	case "contains":
		return a.kind == text && b.kind == text && bytes.Contains(a.text, b.text)
	case "startsWith":
		return a.kind == text && b.kind == text && bytes.HasPrefix(a.text, b.text)
	case "endsWith":
		return a.kind == text && b.kind == text && bytes.HasSuffix(a.text, b.text)
	}
	c, ok := order(a, b)
	if !ok {
		return false
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// decode makes lists and maps of the language of a JSON text. Integers stay
// integers.
func decode(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return numbers(v)
}

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			if i, err := strconv.Atoi(v.String()); err == nil {
				return i
			}
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}
