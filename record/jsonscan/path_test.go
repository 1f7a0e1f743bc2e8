package jsonscan

import (
	"bytes"
	"encoding/json"
	"testing"
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
		"n":           `null`,
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
		m, ok := Path([]byte(text), path)
		if got := text[m.Start:m.End]; ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %q, %v", path, got, ok)
		}
	}
	if m, _ := Path([]byte(text), "a.x.1.1.y"); m.Kind != String || !m.Escaped {
		t.Errorf("string is described as %+v", m)
	}
}

func FuzzPath(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,2,{"c":"d"}]}}`), "a.b.2.c")
	f.Add([]byte(`[[{"":{"":1}}]]`), "0.0")
	f.Add([]byte(`{"a":`), "a")
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		m, ok := Path(text, path)
		if !ok {
			return
		}
		value := text[m.Start:m.End]
		if m.Kind == String {
			value = bytes.Join([][]byte{{'"'}, value, {'"'}}, nil)
		}
		if !json.Valid(value) {
			t.Fatalf("%q at %q is no value: %q", text, path, value)
		}
	})
}
