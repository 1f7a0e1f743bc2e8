package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/internal/kafkaconn"
	"github.com/spillway/spillway/spool/recordbatch"
)

// answered takes up the answer of a round.
func (r *reader) answered(ctx context.Context, q *round) error {
	defer r.settle(q)
	switch {
	case q.err != nil:
	case q.lookup:
		for i, a := range q.asks {
			r.locate(a.partition, &q.limits[i])
		}
	default:
		q.err = kafkaconn.EachFetched(q.answer, func(f *kafkaconn.Fetched) error {
			p := r.find[place{string(f.Topic), f.Number}]
			if p == nil || !p.busy {
				return nil // nobody has asked for it
			}
			return r.take(ctx, p, f)
		})
	}
	var down *emitError
	if errors.As(q.err, &down) {
		return down.error
	}
	if q.err != nil {
		if l := r.leaders[q.broker]; l != nil {
			l.failed(r.input, r.now, "a broker does not answer as it should, will be asked again", r.cluster.Explain(q.err))
		}
		for _, a := range q.asks {
			a.wait.failed(r.now)
		}
		r.lookSoon()
		return nil
	}
	if l := r.leaders[q.broker]; l != nil {
		l.over(r.input, r.now, "the broker answers again")
	}
	return nil
}

// settle makes the broker and the partitions of a round that is over free for the
// next one.
func (r *reader) settle(q *round) {
	for _, a := range q.asks {
		a.busy = false
	}
	if l := r.leaders[q.broker]; l != nil {
		l.busy = false
		// What one giant batch took is not held for ever.
		if cap(q.answer) <= int(q.maxBytes)+kafkaconn.AnswerHead {
			l.answer = q.answer
		}
	}
}

// locate takes up between which offsets p can be read.
func (r *reader) locate(p *partition, l *limits) {
	if l.err != 0 {
		r.refused(p, l.err)
		return
	}
	p.wait.until = r.now
	switch {
	case p.next == unknown && p.atEnd:
		p.next = l.stable
	case p.next == unknown:
		p.next = l.first
	case p.next < l.first:
		r.lost(p, l)
	case p.next > l.last:
		from := p.next
		p.next = l.first
		if r.cfg.startAtEnd() {
			p.next = l.stable
		}
		r.env.Log.Warn("the topic is shorter than what was read of it: it was created anew, or the cluster has lost its end. Reading goes on at start_at; records may come twice",
			"topic", p.topic, "partition", p.number, "read_up_to", from, "end", l.last, "goes_on_at", p.next)
	case p.check:
		p.wait.failed(r.now) // the broker contradicts itself, and may not for long
	}
	p.check = false
	if r.env.Once && p.end == unknown {
		p.end = l.stable
	}
	r.note(p) // it is known from now on, although it has no record yet
}

// lost goes on behind what was deleted before it could be read.
func (r *reader) lost(p *partition, l *limits) {
	from := p.next
	p.next = l.first
	if r.cfg.startAtEnd() {
		p.next = max(l.first, l.stable)
	}
	r.metrics.lost.Add(float64(p.next - from))
	r.env.Log.Error("records were deleted from the topic before they could be read: they are lost",
		"topic", p.topic, "partition", p.number, "records", p.next-from, "first_lost", from, "goes_on_at", p.next)
}

// refused takes up a broker's error about one partition.
func (r *reader) refused(p *partition, code kafka.Error) {
	if code == kafka.OffsetOutOfRange {
		p.check = true
		return
	}
	r.failed(p, code)
	r.lookSoon() // most of them are about who leads it
}

// emitError is an error of the pipeline, which ends the reader.
type emitError struct{ error }

// take takes the records of p.
func (r *reader) take(ctx context.Context, p *partition, f *kafkaconn.Fetched) error {
	if f.Err != 0 {
		r.refused(p, f.Err)
		return nil
	}
	skip := newSkipper(f.Aborted)
	for rest, began := f.Records, p.next; len(rest) > 0; {
		err := r.batches.ResetTopic(rest)
		if errors.Is(err, recordbatch.ErrShort) && p.next != began {
			break // brokers cut off the last batch where the answer is full
		}
		if err == nil {
			rest = rest[r.batches.Header().Size():]
			err = r.takeBatch(ctx, p, skip)
		}
		var down *emitError
		if errors.As(err, &down) {
			return err
		}
		if err != nil {
			r.failed(p, fmt.Errorf("offset %d: %w", p.next, err))
			return nil
		}
	}
	r.recovered(p)
	return nil
}

// takeBatch takes what is to be taken of the batch that batches is at.
func (r *reader) takeBatch(ctx context.Context, p *partition, skip *skipper) error {
	h := r.batches.Header()
	if h.NextOffset() <= p.next {
		return nil
	}
	defer r.metrics.count(p, p.counts)
	if skip.skips(&r.batches) {
		if err := r.batches.Err(); err != nil {
			return err
		}
	} else {
		for r.batches.Next() {
			rec := r.batches.Record()
			offset := h.BaseOffset + int64(rec.OffsetDelta)
			if offset < p.next {
				continue
			}
			if h.AppendTime() {
				rec.Timestamp = h.MaxTimestamp
			}
			b := r.note(p)
			r.taker.add(b, p, &rec, offset, r.now)
			p.next = offset + 1
			if b.Full() {
				if err := r.emit(ctx); err != nil {
					return &emitError{err}
				}
			}
		}
		if err := r.batches.Err(); err != nil {
			return err
		}
	}
	p.next = h.NextOffset() // also behind what compaction has taken
	r.note(p)
	return nil
}
