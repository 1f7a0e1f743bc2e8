package pipeline

import (
	"time"

	"github.com/spillway/spillway/codec"
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

// close ends the record whose value was appended to open, giving buf, and
// starts a new frame before it if it does not fit.
func (w *framer) close(open, buf, key []byte, out *encoded) error {
	if w.builder.Count() > 0 && len(buf)+len(key) > MaxFrameBytes {
		value := buf[len(open):]
		w.builder.Cancel(open)
		if err := w.flush(out); err != nil {
			return err
		}
		buf = append(w.builder.Open(), value...)
	}
	w.builder.Close(buf, key)
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
}

// encode appends the frames of b's records to out. A record that cannot be
// encoded is dropped.
func (l *lane) encode(b *record.Batch, out *encoded) error {
	l.begin()
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
		key, _ := r.Key()
		if err := l.close(open, buf, key, out); err != nil {
			return err
		}
	}
	return l.flush(out)
}
