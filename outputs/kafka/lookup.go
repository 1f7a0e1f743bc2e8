package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/internal/kafkaconn"
	"github.com/spillway/spillway/spool/recordbatch"
)

// finding is what a look for a batch in its partition has found.
type finding uint8

const (
	// unclear: it was not found, and may have been where nobody can look any more.
	unclear finding = iota
	// present: the partition has it.
	present
	// absent: the partition surely has not had it since it was first sent.
	absent
)

const (
	// skew is how far the brokers' clocks may be behind ours, where they stamp what they
	// append. A look is for hours, so that one more does not cost much.
	skew = time.Hour
	// lull is how long a broker that was away has, after it answers, for the requests
	// that it had got before: one may hold the batch.
	lull = time.Second
	// lookBytes bounds an answer, so that its memory is kept.
	lookBytes = keepBytes - kafkaconn.AnswerHead
)

// looking has room for the looks that may hold an answer at a time: after a long outage
// all partitions look, and there may be thousands.
var looking = make(chan struct{}, 8)

// overdue says that a broker need not remember b any more.
func (p *partition) overdue(b *batch) bool {
	return p.cfg.TransactionalID == "" && b.id.producer >= 0 && time.Since(time.UnixMilli(b.since)) > p.cfg.DedupTTL
}

// look is a search for a batch of count records in its partition, among what was appended
// since. It reads headers only: they say who has sent a batch, as the broker itself would
// have known it.
type look struct {
	*partition
	id        identity
	count     int32
	since     int64 // in Unix milliseconds, by the clock that has stamped the records
	eventTime bool
	broker    int32

	// The log is to be read from next up to end. from is the first offset at which the
	// batch may stand, -1 if that is not known yet; first is what the log then began with.
	first, from, next, end int64
	// holes says that something is missing between what was read, so that compaction
	// was there; mixed that records of other times than that of sending were.
	holes, mixed bool
}

// lookFor looks for b, for as long as it takes.
func (p *partition) lookFor(ctx context.Context, b *batch, count int32) (finding, error) {
	p.assembler.answered() // holds no request for so long
	l := &look{
		partition: p, id: b.id, count: count, from: -1,
		since: max(0, b.since-skew.Milliseconds()), eventTime: p.cfg.Timestamp == "event",
	}
	p.log.Info("a batch was in doubt for longer than dedup_ttl; it is looked for in the partition", "records", count, "since", time.UnixMilli(b.since))
	for {
		f, err := l.attempt(ctx)
		switch {
		case ctx.Err() != nil:
			return unclear, ctx.Err()
		case err == nil:
			p.retry.Succeeded()
			p.log.Info("the look for a batch is over", "found", f == present, "sure", f != unclear, "from", l.from, "to", l.next)
			if f == present {
				p.advance(b, l.next, count)
			}
			return f, nil
		case final(err):
			p.log.Warn("a batch can't be looked for in the partition", "error", err, "from", l.from, "to", l.next)
			return unclear, nil
		}
		if err := p.wait(ctx, err); err != nil {
			return unclear, err
		}
	}
}

// final says that no other attempt will do better.
func final(err error) bool {
	var code kafka.Error
	var newer *recordbatch.VersionError
	switch {
	case errors.Is(err, kafkaconn.ErrOld), errors.Is(err, recordbatch.ErrCorrupt), errors.As(err, &newer), errors.Is(err, errShorter):
		return true
	case !errors.As(err, &code):
		return false
	}
	switch code {
	case kafka.Unknown, kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable, kafka.SASLAuthenticationFailed:
		return false
	}
	// Retention was faster, say, or who may write may not read.
	return !code.Temporary()
}

var (
	errShorter = errors.New("the partition is shorter than it was")
	errBehind  = errors.New("the replicas do not have yet what the leader has")
)

// attempt goes on with the look. If the batch is present, it stands at next.
func (l *look) attempt(ctx context.Context) (finding, error) {
	for again := range 2 {
		if again > 0 {
			select {
			case <-time.After(lull):
			case <-ctx.Done():
				return unclear, ctx.Err()
			}
		}
		if err := l.measure(ctx); err != nil {
			return unclear, err
		}
		for l.next < l.end {
			before := l.next
			found, err := l.fetch(ctx)
			switch {
			case err != nil:
				return unclear, err
			case found:
				return present, nil
			case l.next == before:
				return unclear, errBehind
			}
			l.retry.Succeeded()
		}
	}
	if l.sure() {
		return absent, nil
	}
	return unclear, nil
}

// sure says that nothing was removed from where the batch may have stood: from the log's
// beginning nothing ever was, or a record from before it is still there. That one proves
// nothing where records come with times of their own, nor does anything where there are
// holes.
func (l *look) sure() bool {
	return !l.holes && (l.first == 0 || l.first < l.from && !l.mixed)
}

// measure finds out up to where there is something to read, and at first from where. Its
// end is that of the leader's own log: what its replicas do not have yet is no
// reader's, but may be so soon.
func (l *look) measure(ctx context.Context) error {
	partitions, _, err := l.cluster.Topic(ctx, l.topic)
	switch {
	case err != nil:
		return err
	case int(l.number) >= len(partitions):
		return fmt.Errorf("the topic has no such partition: %w", kafka.UnknownTopicOrPartition)
	case partitions[l.number].Leader.Host == "":
		return kafka.LeaderNotAvailable
	}
	l.broker = int32(partitions[l.number].Leader.ID)
	readable, err := l.list(ctx, kafkaconn.Query{Timestamp: kafka.LastOffset})
	if err != nil {
		return err
	}
	own, err := l.list(ctx, kafkaconn.Query{Timestamp: kafka.LastOffset, Unreplicated: true, LeaderEpoch: readable.LeaderEpoch})
	if err != nil {
		return err
	}
	if l.end = max(readable.Offset, own.Offset); l.from < 0 {
		return l.begin(ctx, readable.Offset)
	}
	if l.end < max(l.next, l.from) {
		return errShorter
	}
	return nil
}

// begin finds out from where to read, of a log that can be read up to readable: from the
// record before the first that is as young as the batch.
func (l *look) begin(ctx context.Context, readable int64) error {
	first, err := l.list(ctx, kafkaconn.Query{Timestamp: kafka.FirstOffset})
	if err != nil {
		return err
	}
	from := first.Offset
	if !l.eventTime {
		at, err := l.list(ctx, kafkaconn.Query{Timestamp: l.since})
		if err != nil {
			return err
		}
		if from = max(from, at.Offset); at.Offset < 0 { // nothing that can be read is
			from = max(from, readable)
		}
	}
	l.first, l.from, l.next = first.Offset, from, max(first.Offset, from-1)
	return nil
}

func (l *look) asks(offset int64) []kafkaconn.Ask {
	return []kafkaconn.Ask{{Topic: l.topic, Number: l.number, Offset: offset}}
}

// list asks for an offset.
func (l *look) list(ctx context.Context, q kafkaconn.Query) (at kafkaconn.Listed, err error) {
	at.Err = kafka.UnknownTopicOrPartition // unless there is word of it
	err = l.cluster.List(ctx, l.broker, l.asks(0), q, func(f *kafkaconn.Listed) {
		if f.Number == l.number && string(f.Topic) == l.topic {
			at = *f
		}
	})
	switch {
	case err != nil:
		return at, l.cluster.Explain(err)
	case at.Err != 0:
		return at, at.Err
	}
	return at, nil
}

// fetch reads on at next, and says whether the batch is there.
func (l *look) fetch(ctx context.Context) (found bool, err error) {
	select {
	case looking <- struct{}{}:
		defer func() { <-looking }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	const uncommitted = 0 // markers of transactions leave no holes then
	answer, err := l.cluster.FetchRaw(ctx, l.broker, l.asks(l.next), uncommitted, lookBytes, *requests.Get().(*[]byte))
	if err != nil {
		return false, l.cluster.Explain(err)
	}
	err = kafkaconn.EachFetched(answer, func(f *kafkaconn.Fetched) (err error) {
		switch {
		case f.Number != l.number || string(f.Topic) != l.topic:
			return nil
		case f.Err != 0:
			return f.Err
		}
		found, err = l.take(f.Records)
		return err
	})
	if cap(answer) <= keepBytes {
		requests.Put(&answer)
	}
	return found, err
}

// take reads headers. Where the batch is found, it stops.
func (l *look) take(batches []byte) (found bool, err error) {
	for len(batches) > 0 {
		h, err := recordbatch.ParseTopicHeader(batches)
		switch {
		case errors.Is(err, recordbatch.ErrShort): // the answer is full
			return false, nil
		case err != nil:
			return false, fmt.Errorf("offset %d: %w", l.next, err)
		}
		if h.NextOffset() > l.next { // not one that was sent along
			l.holes = l.holes || h.BaseOffset > l.next
			l.mixed = l.mixed || h.BaseOffset >= l.from && !h.Control() && h.MaxTimestamp < l.since
			if l.is(&h) {
				l.next = h.BaseOffset
				return true, nil
			}
			l.next = h.NextOffset()
		}
		batches = batches[min(h.Size(), len(batches)):]
	}
	return false, nil
}

// is says that a header is that of the batch, of which compaction may have left less.
func (l *look) is(h *recordbatch.Header) bool {
	return h.ProducerID == l.id.producer && h.ProducerEpoch == l.id.epoch && h.BaseSequence == l.id.sequence &&
		h.LastOffsetDelta+1 == l.count && !h.Control()
}
