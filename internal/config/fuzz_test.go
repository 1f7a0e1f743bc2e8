package config

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "paths: [/p]\n", "paths: [/p]\nrate: 5\ntls: {cert: a}\nfields: {a: [1, {b: ~}]}\n",
		"a: &x {k: 1}\nb: {<<: *x}\n", "a: &a [*a]", "<<: [{a: 1}, {b: 2}]", "a: ${X:-${Y:?z}}\n", "a: \"${PORT}\"\n", "$${", "${", "${file:none}",
		"- - - a\n", "[[[[", "? a\n: b", "!!str a", "%YAML 1.2\n---\n", "a: |\n x\n", "a: >-\n x\n", "---\n---\n", "a: 'it''s'", "\ufeffa: 1",
		"pause: 10\nburst: 10MB\nport: '1'\non: yes\ncodec: xml\ncodes: 1\nlabels: []\ncoin: edge\nrules: [{}]\n", "a: b: c", "a:\n\t- b", "{a, b: }", "\x00", "{a: [1:2, ::1, 'b':1], c:d}", "{x: [a\n :b]}", "\xff: \xfe",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte("file:")) && bytes.Contains(data, []byte("/")) {
			t.Skip("what is on this host's disk is not the parser's doing")
		}
		n, err := Parse("/conf/f.yaml", data, env("PORT", "8080", "EMPTY", "", "X", "a: [b"))
		if err != nil {
			wantPlaces(t, data, err)
			return
		}
		if again, err := Parse("/conf/f.yaml", data, env("PORT", "8080", "EMPTY", "", "X", "a: [b")); err != nil ||
			!bytes.Equal(again.Canonical(), n.Canonical()) {
			t.Fatalf("the same bytes twice differ: %v", err)
		}
		if err := Decode(n, defaults()); err != nil {
			wantPlaces(t, data, err)
		}
		var d decoder
		d.any(n)
	})
}

// wantPlaces fails unless each of the joined errors has a place inside the file.
func wantPlaces(t *testing.T, data []byte, err error) {
	t.Helper()
	lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 1
	for _, err := range flatten(err) {
		var placed *Error
		if !errors.As(err, &placed) {
			t.Fatalf("no place: %v", err)
		}
		if placed.Line < 1 || placed.Line > lines || placed.Column < 1 || placed.Msg == "" || placed.File != "/conf/f.yaml" {
			t.Fatalf("bad place: %+v", placed)
		}
	}
}
