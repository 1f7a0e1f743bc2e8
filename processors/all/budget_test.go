//go:build !race

package all

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/spillway/spillway/codec"
	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/processors/processorstest"
	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
)

// worker is what one worker does with a block of lines: batch, processors,
// codec, record batch.
type worker struct {
	block      []byte
	processors []processors.Processor
	codec      codec.Codec
	builder    *recordbatch.Builder
	frame      []byte
}

func newWorker(t testing.TB, block []byte, configs ...string) *worker {
	w := &worker{block: block}
	for _, c := range configs {
		w.processors = append(w.processors, processorstest.Build(t, c))
	}
	var err error
	if w.codec, err = codec.New(codec.DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	if w.builder, err = recordbatch.NewBuilder(recordbatch.None); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *worker) run(t testing.TB) {
	b := record.NewBatch()
	defer b.Release()
	source := b.Source("file")
	n := copy(b.Space(len(w.block)), w.block)
	read := b.Commit(n)
	for from := 0; from < n; {
		end := from + bytes.IndexByte(w.block[from:], '\n')
		b.AddLine(record.Span{Off: read.Off + uint32(from), Len: uint32(end - from)}, source, int64(from), 1)
		from = end + 1
	}
	for _, p := range w.processors {
		if err := p.Process(b); err != nil {
			t.Fatal(err)
		}
	}
	w.builder.Reset(0, 1)
	for r := range b.Kept() {
		buf, err := w.codec.Append(w.builder.Open(), r)
		if err != nil {
			t.Fatal(err)
		}
		w.builder.Close(buf, nil)
	}
	var err error
	if w.frame, err = w.builder.Finish(w.frame[:0]); err != nil {
		t.Fatal(err)
	}
}

func jsonLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"time":"2026-11-20T12:00:00.%06dZ","level":"info","msg":"request served","service":"checkout","method":"GET","path":"/api/v1/carts/%08x/items","status":200,"bytes":%d,"duration_ms":%d.75,"client":"192.0.2.17","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}`+"\n", i, i*7919, i*31, i%90)
	}
	return b.Bytes()
}

func accessLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `192.0.2.%d - - [20/Nov/2026:12:00:%02d +0000] "GET /api/v1/carts/%08x HTTP/1.1" 200 %d "https://example.com/shop" "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"`+"\n", i%250, i/100, i*7919, i*31)
	}
	return b.Bytes()
}

var shapes = []struct {
	name       string
	lines      []byte
	processors []string
	// allocations is how many a thousand lines may cost.
	allocations float64
}{
	{"json", jsonLines(1000), []string{`json: {}`, `remove: {fields: [message]}`, `set: {fields: {env: production}}`}, 2},
	{"json changed", jsonLines(1000), []string{
		`json: {}`, `timestamp: {layout: rfc3339}`, `remove: {fields: [message, time]}`, `rename: {fields: {msg: message}}`,
		`set: {fields: {where: '{{service}}{{path}}'}}`, `drop: {when: 'status >= 500 or path == "/healthz"'}`,
	}, 4},
	{"combined", accessLines(1000), []string{
		`combined: {}`, `timestamp: {layout: '02/Jan/2006:15:04:05 -0700'}`, `remove: {fields: [message, time]}`,
	}, 2},
	{"not json", accessLines(1000), []string{`json: {}`}, 2},
}

// TestAThousandLinesCostNextToNoAllocation counts the steady state: pools and
// buffers have grown. What remains is the collector emptying the pools.
func TestAThousandLinesCostNextToNoAllocation(t *testing.T) {
	for _, s := range shapes {
		w := newWorker(t, s.lines, s.processors...)
		w.run(t)
		if n := testing.AllocsPerRun(20, func() { w.run(t) }); n > s.allocations {
			t.Errorf("%s: %v allocations for a thousand lines", s.name, n)
		}
	}
}

func BenchmarkThousandLines(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			w := newWorker(b, s.lines, s.processors...)
			w.run(b)
			b.ReportAllocs()
			b.SetBytes(int64(len(s.lines)))
			for b.Loop() {
				w.run(b)
			}
		})
	}
}
