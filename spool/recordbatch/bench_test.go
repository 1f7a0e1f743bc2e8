package recordbatch

import (
	"fmt"
	"testing"
)

// logLines are 260-byte JSON lines such as an access log makes.
func logLines(n int) [][]byte {
	lines := make([][]byte, n)
	for i := range lines {
		line := fmt.Appendf(nil, `{"time":"2026-03-01T12:%02d:%02d.%03dZ","level":"info","method":"GET","path":"/api/v1/items/%d","status":%d,"bytes":%d,"duration_ms":%d.%d,"client":"10.%d.%d.%d","request":"%016x","agent":"Mozilla/5.0 (X11; Linux x86_64)"`,
			i/60%60, i%60, i*7919%1000, i*104729%100000, 200+i%7*50, i*6151%65536, i%90, i%10, i%256, i*31%256, i*17%256, uint64(i)*0x9e3779b97f4a7c15)
		line = append(line, `,"host":"`...)
		for len(line) < 258 {
			line = append(line, 'a'+byte(i%7))
		}
		lines[i] = append(line, `"}`...)
	}
	return lines
}

func BenchmarkBuild(b *testing.B) {
	lines := logLines(3000)
	for _, codec := range codecs {
		b.Run(codec.String(), func(b *testing.B) {
			builder, err := NewBuilder(codec)
			if err != nil {
				b.Fatal(err)
			}
			var batch []byte
			b.ReportAllocs()
			for b.Loop() {
				builder.Reset(1, 1_700_000_000_000)
				for _, line := range lines {
					builder.Close(append(builder.Open(), line...), nil)
				}
				if batch, err = builder.Finish(batch[:0]); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(builder.Len()))
			b.ReportMetric(float64(builder.Len())/float64(len(batch)), "ratio")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	lines := logLines(3000)
	for _, codec := range codecs {
		b.Run(codec.String(), func(b *testing.B) {
			batch := build(b, codec, lines...)
			var r Reader
			b.ReportAllocs()
			bytes := 0
			for b.Loop() {
				if err := r.Reset(batch); err != nil {
					b.Fatal(err)
				}
				bytes = 0
				for r.Next() {
					bytes += len(r.Record().Value)
				}
				if r.Err() != nil {
					b.Fatal(r.Err())
				}
			}
			b.SetBytes(int64(bytes))
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	batch := build(b, None, logLines(3000)...)
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Verify(batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPatch(b *testing.B) {
	batch := build(b, Snappy, logLines(3000)...)
	head := make([]byte, HeaderLen)
	p := Patch{ProducerID: 7, Sequence: 3000}
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	for b.Loop() {
		p.Apply(head, batch)
	}
}

func BenchmarkControl(b *testing.B) {
	value := make([]byte, 200)
	var batch []byte
	b.ReportAllocs()
	for b.Loop() {
		batch = AppendControl(batch[:0], 100, 1_700_000_000_000, value)
	}
}
