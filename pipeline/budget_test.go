//go:build !race

package pipeline

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/spillway/spillway/codec"
	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/processors"
	_ "github.com/spillway/spillway/processors/all"
	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
)

// thousandLines is a block of JSON lines as a file input reads it.
func thousandLines() []byte {
	var b bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&b, `{"ts":"2026-11-20T12:00:00.%06dZ","level":"info","logger":"http","msg":"request served","method":"GET","path":"/api/orders/%d","status":200,"took_ms":%d.25,"trace":{"id":"4bf92f3577b34da6a3ce929d0e0e4736","span":"00f067aa0ba902b7"},"ok":true}`+"\n", i, i, i%90)
	}
	return b.Bytes()
}

// testChain is what one worker has for a pipeline with these processors.
func testChain(t testing.TB, processorsYAML string, compression recordbatch.Codec) *chains {
	t.Helper()
	n, err := config.Parse("test.yaml", []byte(processorsYAML), nil)
	if err != nil {
		t.Fatal(err)
	}
	var cs []processors.Component
	for _, item := range n.Items() {
		var c processors.Component
		if err := c.UnmarshalConfig(item); err != nil {
			t.Fatal(err)
		}
		cs = append(cs, c)
	}
	named, err := buildProcessors(cs, processors.Env{Pipeline: "test"})
	if err != nil {
		t.Fatal(err)
	}
	enc, err := codec.New(codec.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	builder := func() *recordbatch.Builder {
		b, err := recordbatch.NewBuilder(compression)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return &chains{perWorker: []chain{{
		processors: named,
		lanes:      []*lane{{framer: framer{builder: builder()}, codec: enc}},
		dead:       &deadLetterLane{framer: framer{lane: 1, builder: builder()}, pipeline: "test"},
	}}}
}

// fill makes a batch of the lines in block, as an input does.
func fill(block []byte) *record.Batch {
	b := record.NewBatch()
	n := copy(b.Space(len(block)), block)
	s := b.Commit(n)
	source := b.Source("file/a")
	text := b.Bytes(s)
	for start := 0; start < len(text); {
		end := start + bytes.IndexByte(text[start:], '\n')
		b.AddLine(record.Span{Off: s.Off + uint32(start), Len: uint32(end - start)}, source, int64(start), 1)
		start = end + 1
	}
	b.Position(source).Offset = int64(n)
	return b
}

const shaping = "- json: {}\n- remove: {fields: [message]}\n- set: {fields: {host.name: web1}}\n"

// process runs one batch through a worker and gives everything back.
func process(t testing.TB, cs *chains, j *job, block []byte) {
	j.batch = fill(block)
	if err := cs.work(0, j); err != nil {
		t.Fatal(err)
	}
	if j.result.account.Appended != 1000 || len(j.result.frames) == 0 {
		t.Fatalf("%d records in %d frames, want 1000 in at least one", j.result.account.Appended, len(j.result.frames))
	}
	j.result.release()
	j.batch.Release()
}

func TestAThousandLinesCostUnderTwentyAllocations(t *testing.T) {
	block := thousandLines()
	for _, compression := range []recordbatch.Codec{recordbatch.None, recordbatch.Snappy, recordbatch.Zstd} {
		t.Run(compression.String(), func(t *testing.T) {
			cs := testChain(t, shaping, compression)
			j := &job{}
			process(t, cs, j, block)
			if n := testing.AllocsPerRun(100, func() { process(t, cs, j, block) }); n >= 20 {
				t.Errorf("%v allocations for 1,000 lines, want fewer than 20", n)
			} else {
				t.Logf("%v allocations for 1,000 lines", n)
			}
		})
	}
}

func BenchmarkWorker(b *testing.B) {
	block := thousandLines()
	for _, compression := range []recordbatch.Codec{recordbatch.None, recordbatch.Snappy, recordbatch.LZ4, recordbatch.Zstd} {
		b.Run(compression.String(), func(b *testing.B) {
			cs := testChain(b, shaping, compression)
			j := &job{}
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			for b.Loop() {
				process(b, cs, j, block)
			}
		})
	}
}
