//go:build !race

package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/spillway/spillway/inputs/inputstest"
	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
)

// sink takes batches and does nothing with them.
type sink struct{ records, batches int }

func (s *sink) Batch() *record.Batch      { return record.NewBatch() }
func (s *sink) Resume() []record.Position { return nil }
func (s *sink) Demand() <-chan struct{}   { return nil }
func (s *sink) Emit(_ context.Context, b *record.Batch) error {
	s.records += b.Len()
	s.batches++
	b.Release()
	return nil
}

// fetchAnswer is a broker's answer to a fetch of one partition.
func fetchAnswer(records []byte) []byte {
	b := make([]byte, 10) // not throttled, no error, no session
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint16(b, uint16(len(theTopic)))
	b = append(b, theTopic...)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = append(b, make([]byte, 4+2+3*8+4)...) // partition 0, no error, nothing aborted
	b = binary.BigEndian.AppendUint32(b, uint32(len(records)))
	return append(b, records...)
}

// answers are n records of 260 bytes, with keys and headers, in batches as
// producers make them.
func answers(t testing.TB, n int) []byte {
	t.Helper()
	builder, err := recordbatch.NewBuilder(recordbatch.LZ4)
	if err != nil {
		t.Fatal(err)
	}
	var set []byte
	for base := 0; base < n; base += 1000 {
		builder.Reset(0, 1_700_000_000_000)
		for i := range 1000 {
			value := fmt.Appendf(builder.Open(), `{"number":%d,"text":"%0230d"}`, base+i, i)
			builder.CloseAt(value, []byte("key"), 1_700_000_000_000+int64(i),
				recordbatch.RecordHeader{Key: []byte("trace"), Value: []byte("0af7651916cd43dd8448eb211c80319c")})
		}
		at := len(set)
		if set, err = builder.Finish(set); err != nil {
			t.Fatal(err)
		}
		recordbatch.SetBaseOffset(set[at:], int64(base))
	}
	return fetchAnswer(set)
}

func newTaking(t testing.TB, s *sink) (r *reader, take func(answer []byte)) {
	in := newInput(t, configOf("127.0.0.1:1", func(c *Config) {
		c.Fields = []string{"topic", "partition", "offset", "key", "headers"}
	}), inputstest.Env(&testing.T{}))
	in.metrics, _ = newMetrics(nil)
	r = newReader(in, nil, s)
	p := newPartition(theTopic, 0)
	r.add(p)
	q := &round{asks: []ask{{partition: p}}, maxBytes: 8 << 20}
	return r, func(answer []byte) {
		p.next, p.busy = 0, true
		q.answer, q.err = answer, nil
		if err := r.answered(context.Background(), q); err != nil {
			t.Fatal(err)
		}
	}
}

// Once the pools are warm, a record costs nothing, and a batch what it costs to
// name its source and headers.
func TestTakingRecordsDoesNotAllocatePerRecord(t *testing.T) {
	s := &sink{}
	r, take := newTaking(t, s)
	defer r.close()
	few, many := answers(t, 10_000), answers(t, 30_000)
	take(many)
	took := s.batches
	s.batches = 0
	cost := func(answer []byte) float64 { return testing.AllocsPerRun(5, func() { take(answer) }) }
	if perBatch := (cost(many) - cost(few)) / float64(took*2/3); perBatch > 8 {
		t.Errorf("%.1f allocations for a batch", perBatch)
	}
	if s.records == 0 {
		t.Fatal("nothing was taken")
	}
}

func BenchmarkTake(b *testing.B) {
	r, take := newTaking(b, &sink{})
	defer r.close()
	answer := answers(b, 10_000)
	b.SetBytes(10_000 * 260)
	b.ReportAllocs()
	for b.Loop() {
		take(answer)
	}
}
