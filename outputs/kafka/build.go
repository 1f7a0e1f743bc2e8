package kafka

import (
	"encoding/binary"
	"sync"

	"github.com/spillway/spillway/spool/recordbatch"
)

// requests are the buffers that are not in use: partitions may be thousands, and few of
// them send at a time.
var requests = sync.Pool{New: func() any { return new([]byte) }}

// keepBytes bounds those that are kept after a large batch.
const keepBytes = 1 << 20

// assembler makes requests of frames. It belongs to one goroutine.
type assembler struct {
	router router
	// eventTime says that the records keep their own timestamps.
	eventTime bool
	// transactional says that what is sent is part of a transaction.
	transactional bool
	// request is the record set as it goes over the wire: its size as an INT32,
	// the patched header, and the records. It is one of the requests while it is out.
	request []byte
	// stamp is the latest timestamp in it, in Unix milliseconds.
	stamp   int64
	records recordbatch.Reader
	copier  copier
	// builder compresses as the frames of the spool are compressed.
	builder *recordbatch.Builder
	codec   recordbatch.Codec
}

// assemble fills the request with the batch at i under its identity. A whole frame
// goes as it stands in the spool; else what is left is built anew. count is how many
// records that is: none, if all of them went to the dead letters.
func (a *assembler) assemble(p *piece, i int, now int64) (count int32, err error) {
	b := &p.batches[i]
	stored := p.data
	switch {
	case p.data != nil && p.whole(b):
	case p.job.routes[p.route].partitions == 0 && p.whole(b) && !p.rejectsAny():
		stored = p.job.frame.Data
	default:
		if stored, err = a.rebuild(p, b); stored == nil {
			return 0, err
		}
	}
	h, err := recordbatch.ParseHeader(stored)
	if err != nil {
		return 0, err
	}
	patch := recordbatch.Patch{
		ProducerID: b.id.producer, Epoch: b.id.epoch, Sequence: b.id.sequence, BaseTimestamp: now, MaxTimestamp: now,
		Transactional: a.transactional,
	}
	if a.eventTime {
		patch.BaseTimestamp, patch.MaxTimestamp = h.BaseTimestamp, h.MaxTimestamp
	}
	a.stamp = patch.MaxTimestamp
	if a.request == nil {
		a.request = *requests.Get().(*[]byte)
	}
	a.request = binary.BigEndian.AppendUint32(a.request[:0], uint32(len(stored)))
	a.request = append(a.request, stored...)
	patch.Apply(a.request[4:], stored)
	return h.Count, nil
}

func (p *piece) rejectsAny() bool {
	p.job.mu.Lock()
	defer p.job.mu.Unlock()
	return len(p.job.rejected) > 0
}

// abandon lets go of a request that a connection may still be reading.
func (a *assembler) abandon() { a.request = nil }

// answered lets others have the buffer, which no connection reads any more.
func (a *assembler) answered() {
	if request := a.request; cap(request) <= keepBytes {
		requests.Put(&request)
	}
	a.request = nil
}

// rebuild makes a record batch of the records of b that were not rejected; nil if
// there are none.
func (a *assembler) rebuild(p *piece, b *batch) ([]byte, error) {
	if err := p.job.frame.Records(&a.records); err != nil {
		return nil, err
	}
	if c := a.records.Header().Codec(); a.builder == nil || a.codec != c {
		builder, err := recordbatch.NewBuilder(c)
		if err != nil {
			return nil, err
		}
		a.builder, a.codec = builder, c
	}
	a.builder.Reset(0, a.records.Header().BaseTimestamp)
	for a.records.Next() {
		rec := a.records.Record()
		if rec.OffsetDelta >= b.first && rec.OffsetDelta < b.end && a.has(p, &rec) {
			a.copier.copy(a.builder, &rec)
		}
	}
	if err := a.records.Err(); err != nil || a.builder.Count() == 0 {
		return nil, err
	}
	return a.builder.Finish(nil)
}

// has says that a record is p's, and still to be sent.
func (a *assembler) has(p *piece, rec *recordbatch.Record) bool {
	p.job.mu.Lock()
	out := p.job.isRejected(rec.OffsetDelta)
	p.job.mu.Unlock()
	return !out && a.router.takes(p, rec)
}

// recordAt is the index in the frame of the n-th record of the batch at i.
func (a *assembler) recordAt(p *piece, i int, n int) (int32, error) {
	b := &p.batches[i]
	if err := p.job.frame.Records(&a.records); err != nil {
		return 0, err
	}
	for a.records.Next() {
		rec := a.records.Record()
		if rec.OffsetDelta < b.first || rec.OffsetDelta >= b.end || !a.has(p, &rec) {
			continue
		}
		if n == 0 {
			return rec.OffsetDelta, nil
		}
		n--
	}
	return -1, a.records.Err()
}

// dropped says that a broker has not taken the request, since it had the batch: then
// it tells when it took the first, and that is no later than the stamp of this one.
func (a *assembler) dropped(by *answer) bool {
	at := by.LogAppendTime.UnixMilli()
	return !by.LogAppendTime.IsZero() && (at < a.stamp || a.eventTime && at == a.stamp)
}
