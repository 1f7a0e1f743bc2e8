package jsonscan

import (
	"encoding/json"
	"testing"
)

func BenchmarkScan(b *testing.B) {
	for name, line := range map[string]string{
		"log":    logLine,
		"nested": `{"a":` + logLine + `,"b":[` + logLine + `,` + logLine + `]}`,
	} {
		text := []byte(line)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			var o Object
			for b.Loop() {
				if err := o.Scan(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUnmarshalMap is the plain Go way, to compare with.
func BenchmarkUnmarshalMap(b *testing.B) {
	text := []byte(logLine)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPath(b *testing.B) {
	text := []byte(`{"a":` + logLine + `}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Path(text, "a.trace_id"); !ok {
			b.Fatal("not found")
		}
	}
}
