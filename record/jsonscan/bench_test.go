package jsonscan

import (
	"encoding/json"
	"testing"

	"github.com/spillway/spillway/record/field"
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
			var members []field.Field
			for b.Loop() {
				var err error
				if members, err = o.Scan(members[:0], text, 0); err != nil {
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
		if _, ok := Path(text, 0, "a.trace_id"); !ok {
			b.Fatal("not found")
		}
	}
}
