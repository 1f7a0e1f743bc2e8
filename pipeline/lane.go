package pipeline

import (
	"encoding/binary"
	"time"

	"github.com/spillway/spillway/codec"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/recordbatch"
)

// MaxFrameBytes bounds a frame before compression, unless one record alone is
// larger: a topic may store it uncompressed, and brokers take 1 MiB by default.
const MaxFrameBytes = 900 << 10

// framer cuts encoded records of one lane into frames. Each worker has its own.
type framer struct {
	lane    int16
	builder *recordbatch.Builder
	// now is the time that the frames carry, in Unix milliseconds.
	now int64
}

func (w *framer) begin() {
	w.now = time.Now().UnixMilli()
	w.builder.Reset(w.lane, w.now)
}

// beside is what a record has beside its value.
type beside struct {
	key     []byte
	headers []recordbatch.RecordHeader
	// timestamp is in Unix milliseconds.
	timestamp int64
}

// size bounds the bytes that it takes in a frame.
func (m *beside) size() int {
	n := recordbatch.MaxOverhead + len(m.key)
	for i := range m.headers {
		n += len(m.headers[i].Key) + len(m.headers[i].Value) + 2*binary.MaxVarintLen32
	}
	return n
}

// close ends the record whose value was appended to open, giving buf, and
// starts a new frame before it if it does not fit.
func (w *framer) close(open, buf []byte, m *beside, out *encoded) error {
	if w.builder.Count() > 0 && len(buf)+m.size() > MaxFrameBytes {
		value := buf[len(open):]
		w.builder.Cancel(open)
		if err := w.flush(out); err != nil {
			return err
		}
		buf = append(w.builder.Open(), value...)
	}
	w.builder.CloseAt(buf, m.key, m.timestamp, m.headers...)
	return nil
}

// flush finishes the frame under construction, if it holds a record, and makes
// ready for the next.
func (w *framer) flush(out *encoded) error {
	n := w.builder.Count()
	if n == 0 {
		return nil
	}
	f := spool.NewFrame()
	var err error
	if f.Data, err = w.builder.Finish(f.Data[:0]); err != nil {
		f.Release()
		return err
	}
	f.Count, f.Lane = int32(n), w.lane
	out.frames = append(out.frames, f)
	w.builder.Reset(w.lane, w.now)
	return nil
}

// lane encodes records in one way.
type lane struct {
	framer
	codec codec.Codec
	shape outputs.Shape
	// scratch holds the key and the headers' values of one record, ends where
	// each of these ends in it.
	scratch []byte
	ends    []int
	headers []recordbatch.RecordHeader
	names   [][]byte
}

func newLane(f framer, c codec.Codec, shape outputs.Shape) *lane {
	l := &lane{framer: f, codec: c, shape: shape}
	for _, h := range shape.Headers {
		l.names = append(l.names, []byte(h.Name))
	}
	return l
}

// encode appends the frames of b's records to out. A record that cannot be
// encoded is dropped.
func (l *lane) encode(b *record.Batch, out *encoded) error {
	l.begin()
	var m beside
	for i := range b.Len() {
		r := b.Record(i)
		if r.Fate() != record.Kept {
			continue
		}
		open := l.builder.Open()
		buf, err := l.codec.Append(open, r)
		if err != nil {
			l.builder.Cancel(open)
			r.Drop(record.EncodeFailed)
			continue
		}
		l.fill(&m, r)
		if err := l.close(open, buf, &m, out); err != nil {
			return err
		}
	}
	return l.flush(out)
}

// fill makes m what the lane's shape puts beside r's value. It is valid until the next
// call.
func (l *lane) fill(m *beside, r record.Record) {
	m.timestamp = l.now
	if l.shape.EventTime {
		m.timestamp = r.Time() / int64(time.Millisecond)
	}
	m.key, _ = r.Key()
	if l.shape.Key == nil && l.names == nil {
		return
	}
	l.scratch = l.scratch[:0]
	has := false
	if l.shape.Key != nil {
		l.scratch, has = l.shape.Key.Append(l.scratch, r)
		m.key = nil
	}
	keyEnd := len(l.scratch)
	m.headers = l.fillHeaders(r)
	if has {
		m.key = l.scratch[:keyEnd]
	}
}

// fillHeaders appends the headers' values to scratch and makes headers of them. The
// values are cut once all are there: until then they may move.
func (l *lane) fillHeaders(r record.Record) []recordbatch.RecordHeader {
	l.headers, l.ends = l.headers[:0], append(l.ends[:0], len(l.scratch))
	for i := range l.names {
		var has bool
		if l.scratch, has = l.shape.Headers[i].Value.Append(l.scratch, r); has {
			l.headers = append(l.headers, recordbatch.RecordHeader{Key: l.names[i]})
			l.ends = append(l.ends, len(l.scratch))
		}
	}
	for i := range l.headers {
		l.headers[i].Value = l.scratch[l.ends[i]:l.ends[i+1]]
	}
	return l.headers
}
