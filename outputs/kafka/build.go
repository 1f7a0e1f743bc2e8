package kafka

import (
	"encoding/binary"
	"slices"

	"github.com/spillway/spillway/spool/recordbatch"
)

// keepBytes bounds the buffer that a partition keeps after a large batch.
const keepBytes = 4 << 20

// assembler makes requests of frames. It belongs to one goroutine.
type assembler struct {
	// request is the record set as it goes over the wire: its size as an INT32,
	// the patched header, and the records.
	request []byte
	records recordbatch.Reader
	headers []recordbatch.RecordHeader
	// builder compresses as the frames of the spool are compressed.
	builder *recordbatch.Builder
	codec   recordbatch.Codec
}

// assemble fills the request with the records of b under its identity. A whole frame
// goes as it stands in the spool; else what is left is built anew. count is how many
// records that is: none, if all of them went to the dead letters.
func (a *assembler) assemble(j *job, b *batch, now int64) (count int32, err error) {
	stored, count := j.frame.Data, j.frame.Count
	if !j.whole(b) {
		if stored, count, err = a.rebuild(j, b); err != nil || count == 0 {
			return 0, err
		}
	}
	patch := recordbatch.Patch{
		ProducerID: b.id.producer, Epoch: b.id.epoch, Sequence: b.id.sequence,
		BaseTimestamp: now, MaxTimestamp: now,
	}
	a.request = binary.BigEndian.AppendUint32(a.request[:0], uint32(len(stored)))
	a.request = append(a.request, stored...)
	patch.Apply(a.request[4:], stored)
	return count, nil
}

// abandon lets go of a request that a connection may still be reading.
func (a *assembler) abandon() { a.request = nil }

// trim lets go of what is larger than need be.
func (a *assembler) trim() {
	if cap(a.request) > keepBytes {
		a.request = nil
	}
}

// rebuild makes a batch of the records of b that were not rejected.
func (a *assembler) rebuild(j *job, b *batch) ([]byte, int32, error) {
	if err := j.frame.Records(&a.records); err != nil {
		return nil, 0, err
	}
	if c := a.records.Header().Codec(); a.builder == nil || a.codec != c {
		builder, err := recordbatch.NewBuilder(c)
		if err != nil {
			return nil, 0, err
		}
		a.builder, a.codec = builder, c
	}
	a.builder.Reset(0, a.records.Header().BaseTimestamp)
	for i := int32(0); a.records.Next(); i++ {
		if i < b.first || i >= b.end {
			continue
		}
		if _, out := slices.BinarySearch(j.rejected, i); out {
			continue
		}
		r := a.records.Record()
		a.headers = r.Headers(a.headers[:0])
		a.builder.CloseAt(append(a.builder.Open(), r.Value...), r.Key, r.Timestamp, a.headers...)
	}
	if err := a.records.Err(); err != nil || a.builder.Count() == 0 {
		return nil, 0, err
	}
	data, err := a.builder.Finish(nil)
	return data, int32(a.builder.Count()), err
}

// recordAt is the index in the frame of the n-th record of b that is sent.
func recordAt(j *job, b *batch, n int32) (int32, bool) {
	for i := b.first; i < b.end; i++ {
		if _, out := slices.BinarySearch(j.rejected, i); out {
			continue
		}
		if n == 0 {
			return i, true
		}
		n--
	}
	return 0, false
}

