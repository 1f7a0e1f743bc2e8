package record

import (
	"fmt"
	"strings"
	"testing"
)

func parsed(t *testing.T, text string) Record {
	t.Helper()
	b := NewBatch()
	t.Cleanup(b.Release)
	r := b.AddLine(b.Text(text), b.Source("s"), 0, 0)
	v, _ := r.Get(Message)
	if err := new(JSONParser).Merge(r, v); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPathsReachIntoJSON(t *testing.T) {
	r := parsed(t, `{"a":{"b":{"c":"x\ty","n":null},"l":[1,{"m":2.5}]},"a.b":"flat","h.i":{"j":true},"s":"text"}`)
	for name, want := range map[string]struct {
		text string
		kind Kind
	}{
		"a.b":     {"flat", String},
		"a.b.c":   {"x\ty", String},
		"a.b.n":   {"", Null},
		"a.l.0":   {"1", Int},
		"a.l.1.m": {"2.5", Float},
		"a.l.1":   {`{"m":2.5}`, JSON},
		"h.i.j":   {"true", Bool},
	} {
		v, ok := r.Get(name)
		if !ok || v.Kind() != want.kind || string(v.AppendText(nil)) != want.text {
			t.Errorf("%s is %v %q (%v), want %v %q", name, v.Kind(), v.AppendText(nil), ok, want.kind, want.text)
		}
		if got := v.AsString(); got.Kind() != String || string(got.Bytes()) != want.text || got.Form() == Escaped {
			t.Errorf("%s as a string is %v %q", name, got.Kind(), got.Bytes())
		}
	}
	for _, name := range []string{"a.x", "s.t", "a.l.2", "x.y", "a.", ".a", "."} {
		if v, ok := r.Get(name); ok {
			t.Errorf("%s is %q", name, v.Bytes())
		}
	}
}

func TestObjectsOfAnyWidth(t *testing.T) {
	wide := func(n int) string {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, `,"f%d":%d`, i, i)
		}
		return "{" + text.String()[1:] + "}"
	}
	r := parsed(t, wide(MaxFields))
	if v, ok := r.Get("f65534"); !ok || string(v.Bytes()) != "65534" {
		t.Errorf("the last field is %q", v.Bytes())
	}
	b := r.Batch()
	for range 5 { // beyond what 16 bits could count
		r.Append(b.Name("more").Field(b.Int(1)))
	}
	if len(r.Fields()) != MaxFields+6 {
		t.Errorf("%d fields", len(r.Fields()))
	}
	err := new(JSONParser).Merge(r, b.Value(b.Text(wide(MaxFields+1)), String, Plain))
	if err == nil || !strings.Contains(err.Error(), "65536 members") {
		t.Errorf("error is %v", err)
	}
	if len(r.Fields()) != MaxFields+6 {
		t.Error("the record has changed")
	}
}

func TestObjectIsUTF8InOneLine(t *testing.T) {
	r := parsed(t, "{\"a\":\"\xff\u00e9\",\n\"b\":\n[1,\n2]}")
	object, _, n := r.Object()
	if want := "{\"a\":\"\ufffd\u00e9\", \"b\": [1, 2]}"; string(object) != want || n != 2 {
		t.Errorf("object is %q for %d fields", object, n)
	}
	if v, _ := r.Get("b"); string(v.Bytes()) != "[1, 2]" {
		t.Errorf("b is %q", v.Bytes())
	}
	if string(r.Raw()) != "{\"a\":\"\xff\u00e9\",\n\"b\":\n[1,\n2]}" {
		t.Errorf("the line became %q", r.Raw())
	}
}

func TestLargerObjectStaysWhole(t *testing.T) {
	r := parsed(t, `{"outer":"{\"in\":1}","x":2}`)
	v, _ := r.Get("outer")
	if err := new(JSONParser).Merge(r, v); err != nil {
		t.Fatal(err)
	}
	if _, first, n := r.Object(); first != 1 || n != 2 {
		t.Errorf("object stands for %d fields from %d", n, first)
	}
	r.Set(r.Batch().Name("x"), r.Batch().Int(3))
	if _, _, n := r.Object(); n != 0 {
		t.Error("object stands for a changed field")
	}
}
