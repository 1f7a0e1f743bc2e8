package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/spillway/spillway/internal/failpoint"
	"github.com/spillway/spillway/outputs"
)

// partition sends to one partition of a topic. Its goroutine owns it while it is
// busy; while it is not, Run's goroutine does.
type partition struct {
	*sender
	topic  string
	number int32
	log    *slog.Logger
	// queue is what it was given and has not finished. How many these are is bounded by
	// the window, by recalls, and by what an earlier life has left in doubt.
	queue      *queue
	leaderless atomic.Bool
	// failing says that the latest attempt has failed.
	failing atomic.Bool
	// behind says that it does not get its pieces at once. Run's goroutine owns it.
	behind    bool
	retry     *outputs.Retry
	assembler assembler
	// next is the identity of the next batch that is new.
	next identity
	// last is the largest offset that the broker has acknowledged in this life.
	last int64
}

// move makes another partition than before send p. What was sent must get another
// identity: under that which it has, the partition may have been sent other records.
func (p *piece) move(to *partition) {
	for i := range p.batches {
		if b := &p.batches[i]; b.state == sent {
			to.uncertain(brokerLost, b)
			p.mark(i, unsent)
		}
	}
}

func (p *partition) run(ctx context.Context) (err error) {
	defer outputs.Contain(&err)
	for pc := p.queue.pop(); pc != nil; pc = p.queue.pop() {
		err := p.deliver(ctx, pc)
		if pc.round != nil {
			pc.round.end(err)
		}
		if err != nil && !errors.Is(err, errAborted) {
			return err
		}
		p.failing.Store(false)
		p.queue.done()
		select {
		case p.idle <- struct{}{}:
		default:
		}
	}
	return nil
}

// deliver returns when every batch of pc is on the broker or with the dead letters.
func (p *partition) deliver(ctx context.Context, pc *piece) error {
	for i := 0; i < len(pc.batches); {
		if pc.batches[i].state == done {
			i++
			continue
		}
		if err := p.send(ctx, pc, i); err != nil {
			return err
		}
	}
	pc.data = nil
	last, err := p.settle(pc.job)
	if err != nil || !last {
		return err
	}
	return p.finish(pc.job)
}

// settle counts a piece that is done, and says whether it was the last. What is done is
// staged before the partition's next batch, since a broker knows only its latest; and
// with mu held, since the last one's acknowledgement ends the frame.
func (s *sender) settle(j *job) (last bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.left--; j.left == 0 {
		return true, nil
	}
	return false, s.note(j)
}

// send sends the batch at i until the broker has an opinion of it: then the batch is
// done, or in two, or has another identity.
func (p *partition) send(ctx context.Context, pc *piece, i int) error {
	// maybe says that the broker may have the batch, and blind that it has been looked
	// for in vain where it may have been.
	maybe, blind := pc.resumed && pc.batches[i].state == sent, false
	for refusal := new(outputs.Refusal); ; {
		if pc.batches[i].state == unsent {
			if err := p.prepare(pc, i); err != nil {
				return err
			}
		}
		b := &pc.batches[i]
		now := time.Now().UnixMilli()
		count, err := p.assembler.assemble(pc, i, now)
		if err != nil {
			return p.unreadable(pc, i, err)
		}
		if count == 0 {
			pc.mark(i, done)
			return nil
		}
		if maybe && !blind && p.overdue(b) {
			switch f, err := p.lookFor(ctx, b, count); {
			case err != nil:
				return err
			case f == present:
				pc.mark(i, done)
				return nil
			case f == absent:
				if err := p.another(ctx, b, false); err != nil {
					return err
				}
				pc.mark(i, unsent)
				maybe = false
			default:
				blind = true
			}
			continue // a look takes its time: the batch gets another stamp
		}
		answer, err := p.produce(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		verdict, uncertain := judge(err)
		// What is refused under an identity that it may have been taken under needs
		// another one: what is left of it is another batch.
		renew := verdict == taken || verdict == forgotten || verdict == fenced || maybe && (verdict == smaller || verdict == refused)
		switch {
		case verdict == taken && p.accept(b, answer, count, maybe, blind):
			pc.mark(i, done)
			p.retry.Succeeded()
			p.failing.Store(false)
			p.leaderless.Store(false)
			return nil
		case renew && p.cfg.TransactionalID != "":
			return errors.Join(errAborted, err)
		case renew:
			if err := p.renew(ctx, b, verdict, maybe); err != nil {
				return err
			}
			pc.mark(i, unsent)
			maybe, blind = false, false
		case verdict == again:
			maybe = maybe || uncertain
			if err := p.wait(ctx, err); err != nil {
				return err
			}
		case (verdict == smaller || len(answer.RecordErrors) == 0) && pc.halve(i):
			// Which record it is shows when they are sent apart.
			return nil
		default:
			if refusal.Again(err) && !p.env.LastResort {
				return p.reject(pc, i, answer, refusal)
			}
			if err := p.wait(ctx, err); err != nil {
				return err
			}
		}
	}
}

// prepare gives the batch at i the identity under which it will be sent, and stages
// that. After a crash it is sent again under the same.
func (p *partition) prepare(pc *piece, i int) error {
	pc.job.mu.Lock()
	b := &pc.batches[i]
	b.id, b.since, b.state = p.next, time.Now().UnixMilli(), sent
	pc.job.mu.Unlock()
	return p.stage(pc.job)
}

// answer is what a broker says of a batch that it has taken, or of its records.
type answer = kafka.ProduceResponse

// produce sends the request once.
func (p *partition) produce(ctx context.Context) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.RequestTimeout)
	defer cancel()
	failpoint.Hit("kafka.staged")
	res, err := p.cluster.RawProduce(ctx, &kafka.RawProduceRequest{
		Topic: p.topic, Partition: int(p.number), RequiredAcks: p.cfg.acks(), TransactionalID: p.cfg.TransactionalID,
		RawRecords: protocol.RawRecordSet{Reader: bytes.NewReader(p.assembler.request)},
	})
	if err != nil {
		p.assembler.abandon()
		return &answer{}, p.cluster.Explain(err)
	}
	failpoint.Hit("kafka.answered")
	p.assembler.answered()
	if res == nil { // acks: none
		return &answer{BaseOffset: p.last + 1}, nil
	}
	return res, res.Error
}

// accept takes note of a batch that the broker says it has. It is false if the
// broker takes the batch for another one that it had before: so the batch must be
// sent under an identity that nobody else has used.
func (p *partition) accept(b *batch, a *answer, count int32, maybe, blind bool) bool {
	if p.cfg.Acks != "all" {
		return true
	}
	if a.BaseOffset < 0 { // it has a batch of that sequence, and has forgotten where
		return maybe
	}
	dropped, shorter := p.assembler.dropped(a), a.BaseOffset <= p.last
	if maybe {
		p.log.Info("a batch that was in doubt is settled", "dropped_as_duplicate", dropped)
	}
	switch {
	case maybe && dropped:
		p.metrics.dropped.Inc()
	case maybe && blind:
		p.uncertain(maybeDoubled, b)
	case shorter && !a.LogAppendTime.IsZero():
		p.log.Error("the broker takes a new batch for one that it had before: another process may use this one's identity; sending it again under a new one",
			"offset", a.BaseOffset, "acknowledged", p.last)
		// Where brokers stamp what they append, a partition that is shorter looks
		// the same, and no clock tells them apart: but only once.
		p.last = -1
		return false
	case shorter:
		p.log.Error("the partition is shorter than it was: the cluster has lost what it had acknowledged, or the topic was made anew",
			"offset", a.BaseOffset, "acknowledged", p.last)
		p.uncertain(brokerLost, b)
		p.last = -1
	}
	p.advance(b, a.BaseOffset, count)
	return true
}

// advance goes on behind a batch that stands at offset.
func (p *partition) advance(b *batch, offset int64, count int32) {
	p.last = max(p.last, offset+int64(count)-1)
	if b.id.producer == p.next.producer && b.id.epoch == p.next.epoch {
		p.next = b.id.after(count)
	}
}

// renew lets what comes next, b first, begin under another identity, and counts what that
// may do.
func (p *partition) renew(ctx context.Context, b *batch, v verdict, maybe bool) error {
	switch {
	case maybe && v != taken:
		p.uncertain(maybeDoubled, b)
	case v == taken || v == fenced:
		p.uncertain(duplicateAnswer, b)
	default:
		p.uncertain(brokerLost, b)
	}
	return p.another(ctx, b, v == taken || v == fenced)
}

// another takes another identity for what comes next, b first: another epoch of the same
// producer, which fences the old one, or another producer.
func (p *partition) another(ctx context.Context, b *batch, producer bool) error {
	switch {
	case b.id.producer != p.next.producer: // of an earlier life: this one's is as good as new
		return nil
	case !producer && p.next.epoch < math.MaxInt16:
		p.next = identity{producer: p.next.producer, epoch: p.next.epoch + 1}
		return nil
	}
	for {
		id, err := p.newIdentity(ctx)
		if err == nil {
			p.next = id
			return nil
		}
		if err := p.wait(ctx, err); err != nil {
			return err
		}
	}
}

func (p *partition) uncertain(why string, b *batch) {
	p.metrics.uncertain.WithLabelValues(why).Inc()
	p.log.Warn("exactly once cannot be kept for a batch; it is sent rather than lost", "reason", why, "records", b.end-b.first)
}

// wait waits for the next attempt, and has the cluster looked at anew.
func (p *partition) wait(ctx context.Context, err error) error {
	p.failing.Store(true)
	if err := p.retry.Wait(ctx, fmt.Errorf("topic %q, partition %d: %w", p.topic, p.number, err)); err != nil {
		return err
	}
	select {
	case p.stale <- struct{}{}:
	default:
	}
	return nil
}

// reject puts those of a batch's records that the broker names, or its only one, with
// the dead letters. The others are sent without them.
func (p *partition) reject(pc *piece, i int, a *answer, why *outputs.Refusal) error {
	named := slices.Sorted(maps.Keys(a.RecordErrors))
	if len(named) == 0 {
		named = []int{0}
	}
	indexes := make([]int32, len(named))
	for k, n := range named {
		index, err := p.assembler.recordAt(pc, i, n)
		switch {
		case err != nil:
			return p.unreadable(pc, i, err)
		case index < 0:
			return fmt.Errorf("the broker refuses record %d of a batch that has fewer: %w", n, why)
		}
		indexes[k] = index
	}
	for _, index := range indexes {
		if err := p.rejectOnce(pc.job, index, why); err != nil {
			return err
		}
	}
	p.log.Warn("records refused, sent to the dead letters", "records", len(indexes), "error", why)
	// What is left is another batch: the broker has not taken the refused one.
	pc.data = nil
	pc.mark(i, unsent)
	return nil
}

// unreadable gives up the batch at i, whose frame is damaged: none of its records was
// sent.
func (p *partition) unreadable(pc *piece, i int, err error) error {
	p.log.Error("frame can't be read, sent to the dead letters", "error", err)
	b := &pc.batches[i]
	for index := b.first; index < b.end; index++ {
		if err := p.rejectOnce(pc.job, index, err); err != nil {
			return err
		}
	}
	pc.mark(i, done)
	return nil
}

// rejectOnce puts a record with the dead letters, unless it is there. Only then may a
// note say so, which another piece's goroutine may write at any time.
func (s *sender) rejectOnce(j *job, index int32, why error) error {
	j.mu.Lock()
	known := j.isRejected(index)
	j.mu.Unlock()
	if known {
		return nil
	}
	if err := s.in.Reject(j.frame, index, why); err != nil {
		return err
	}
	j.mu.Lock()
	j.reject(index)
	j.mu.Unlock()
	return nil
}
