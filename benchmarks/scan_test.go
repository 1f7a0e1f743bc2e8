package main

import (
	"encoding/json"
	"testing"
)

func FuzzScannerAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":-0.5e+3,"b":[1,{"c":null}],"d":"\u00e9\n"}`, `{"a":01}`, `{"a":1,}`, `{"a"}`, `{"a":"x`, `[1]`, `{"a":tru}`,
		"{\"a\":\"\x01\"}", `{"a":"\x"}`, `{"a":"\x0041"}`, `{"a":"\u004g"}`, `{"a":1}x`, `{"a":[1 2]}`, `{"a":"12345678\""}`, `{"a":1.}`, `{"a":-}`, `{,}`, `{"a":{"b":{}}}`, "",
		string(appendJSONLine(nil, 7, 0)),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var s scanner
		brace, ok := s.scan(line)
		var object map[string]json.RawMessage
		want := json.Unmarshal(line, &object) == nil && object != nil
		if ok != want && !(want && len(line) > maxDepth) { // the scanner's nesting is bounded
			t.Fatalf("scan(%q) says %t, encoding/json says %t", line, ok, want)
		}
		if !ok {
			return
		}
		if line[brace] != '}' {
			t.Fatalf("scan(%q) says that the closing brace is at %d", line, brace)
		}
		for _, m := range s.members {
			var name string
			if err := json.Unmarshal(line[m.nameStart-1:m.nameEnd+1], &name); err != nil {
				t.Fatalf("name %q: %v", line[m.nameStart:m.nameEnd], err)
			}
			if _, there := object[name]; !there {
				t.Fatalf("scan(%q) found a member %q", line, name)
			}
			if !json.Valid(line[m.valueStart:m.valueEnd]) {
				t.Fatalf("scan(%q) found a value %q", line, line[m.valueStart:m.valueEnd])
			}
		}
	})
}

func BenchmarkAppendWithHost(b *testing.B) { benchmarkWork(b, "s2", jsonFormat) }
func BenchmarkCombinedJSON(b *testing.B)   { benchmarkWork(b, "s4", combinedFormat) }

func benchmarkWork(b *testing.B, scenario string, format lineFormat) {
	makeWork, err := bareWork(scenario)
	if err != nil {
		b.Fatal(err)
	}
	var lines [][]byte
	var bytes int64
	for seq := range int64(1000) {
		lines = append(lines, format.append(nil, seq, generatedMicros(seq)))
		bytes += int64(len(lines[seq]))
	}
	work, dst := makeWork(), make([]byte, 0, 1024)
	b.SetBytes(bytes)
	b.ReportAllocs()
	for b.Loop() {
		for _, line := range lines {
			dst = work(dst[:0], line)
		}
	}
}
