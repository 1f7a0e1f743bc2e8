package jsonscan

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/spillway/spillway/record/field"
)

func TestPath(t *testing.T) {
	const text = ` {"a":{"b":{"c":1},"b.c":2,"x":[10,[20,{"y":"z\n"}],{}]},"a\u002eq":3,"e":"s","n":null,"dup":1,"dup":2,"":4}`
	for path, want := range map[string]string{
		"a.b":         `{"c":1}`,
		"a.b.c":       `2`,
		"a.x.0":       `10`,
		"a.x.1.1.y":   `z\n`,
		"a.x.2":       `{}`,
		"a.q":         `3`,
		"e":           `s`,
		"dup":         `2`,
		"a.x.3":       "",
		"a.x.00":      "",
		"a.x.-1":      "",
		"a.x.1e0":     "",
		"a.x.y":       "",
		"a.b.c.d":     "",
		"a.":          "",
		".a":          "",
		"":            "",
		"e.f":         "",
		"A":           "",
		"a.x.1.1.y.0": "",
	} {
		f, ok := Path([]byte(text), 0, path)
		if got := text[f.Value.Off:][:f.Value.Len]; ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %q, %v", path, got, ok)
		}
	}
	if f, _ := Path([]byte(text), 0, "a.x.1.1.y"); f.Kind != field.String || f.Form != field.Escaped {
		t.Errorf("string is described as %+v", f)
	}
	if f, ok := Path([]byte(text), 7, "n"); !ok || f.Kind != field.Null || f.Value.Len > 0 {
		t.Errorf("null is described as %+v, %v", f, ok)
	}
	const base = 1 << 20
	if f, _ := Path([]byte(text), base, "a.b.c"); text[f.Value.Off-base:][:f.Value.Len] != "2" {
		t.Errorf("value from another base is described as %+v", f)
	}
}

func FuzzPath(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,2,{"c":"d"}]}}`), "a.b.2.c")
	f.Add([]byte(`[[{"":{"":1}}]]`), "0.0")
	f.Add([]byte(`{"a":`), "a")
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		f, ok := Path(text, 0, path)
		if !ok || f.Kind == field.Null {
			return
		}
		value := text[f.Value.Off:][:f.Value.Len]
		if f.Kind == field.String {
			value = bytes.Join([][]byte{{'"'}, value, {'"'}}, nil)
		}
		if !json.Valid(value) {
			t.Fatalf("%q at %q is no value: %q", text, path, value)
		}
	})
}
