package kafka

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/internal/failpoint"
	"github.com/spillway/spillway/spool"
)

// maxTransactionTimeout is what brokers allow unless they are told otherwise
// (transaction.max.timeout.ms).
const maxTransactionTimeout = 15 * time.Minute

// transactionTimeout is how long the coordinator leaves a transaction open before it
// aborts it: longer than a request may take, and a retry of it.
func (c *Config) transactionTimeout() time.Duration {
	return min(2*c.RequestTimeout+30*time.Second, maxTransactionTimeout)
}

// transactionBytes bounds what one transaction holds in memory.
const transactionBytes = 16 << 20

// errAborted says that the transaction cannot be completed: all of it is sent again in
// another one.
var errAborted = errors.New("transaction aborted")

// round is one attempt to send the pieces of a transaction.
type round struct {
	mu   sync.Mutex
	left int
	err  error
	done chan struct{}
}

// end notes that a piece is done with.
func (r *round) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
	if r.left--; r.left == 0 {
		close(r.done)
	}
}

// transact takes frames and sends them in transactions, each with the cursor: the offset
// behind its last frame, as that of a consumer group which is named as the transactional
// id. A reader that is read-committed sees the records of a frame if and only if that
// offset was committed with them, and so do we after a crash.
func (s *sender) transact(ctx context.Context) error {
	committed, err := s.settled(ctx)
	if err != nil {
		return err
	}
	for {
		jobs, err := s.gather(ctx, committed)
		if err != nil {
			return err
		}
		if err := s.complete(ctx, jobs); err != nil {
			return err
		}
		failpoint.Hit("kafka.committed")
		for _, j := range jobs {
			s.meter.Sent(j.frame)
			if err := s.in.Ack(j.frame); err != nil {
				return err
			}
		}
	}
}

// gather takes what there is, for the commit interval at most.
func (s *sender) gather(ctx context.Context, committed int64) (jobs []*job, err error) {
	soon, size := ctx, 0
	for len(jobs) < window && size < transactionBytes {
		f, err := s.in.Next(soon)
		switch {
		case err != nil && ctx.Err() == nil && len(jobs) > 0:
			return jobs, nil // another error than that of the interval comes again
		case err != nil:
			return nil, err
		}
		if _, doubt := s.stagedOf(f); doubt && f.End() <= committed {
			if err := s.in.Ack(f); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case news := <-s.found:
			s.update(ctx, news)
		default:
		}
		j, err := s.prepareJob(ctx, f)
		if err != nil {
			return nil, err
		}
		if j == nil {
			continue
		}
		if jobs = append(jobs, j); len(jobs) == 1 {
			var cancel context.CancelFunc
			soon, cancel = context.WithTimeout(ctx, s.cfg.CommitInterval)
			defer cancel()
		}
		size += len(f.Data)
	}
	return jobs, nil
}

// prepareJob makes the pieces of a frame. It is nil for one that can't be read, which
// goes to the dead letters.
func (s *sender) prepareJob(ctx context.Context, f *spool.Frame) (*job, error) {
	if s.splitter.splits() {
		return s.takeApart(ctx, f)
	}
	t := s.topics.byName[s.splitter.topic]
	j := &job{frame: f, base: f.Base, left: 1, routes: []route{{topic: t.name}}}
	j.pieces = []*piece{{job: j, partition: t.stickyPartition(), batches: []batch{{end: f.Count}}}}
	return j, nil
}

// complete sends jobs in one transaction after the other until one is committed.
func (s *sender) complete(ctx context.Context, jobs []*job) error {
	if len(jobs) == 0 {
		return nil
	}
	for _, j := range jobs {
		if err := s.in.Stage(j.frame, s.transactionNote()); err != nil {
			return err
		}
	}
	last := jobs[len(jobs)-1].frame
	for {
		err := s.attempt(ctx, jobs)
		if err == nil {
			s.retry.Succeeded()
			return nil
		}
		if err := s.retry.Wait(ctx, err); err != nil {
			return err
		}
		// A new epoch aborts what is open; and the cursor tells whether the
		// transaction was committed after all.
		if err := s.restart(ctx, jobs); err != nil {
			return err
		}
		offset, mark, err := s.cursor(ctx)
		if err != nil {
			return err
		}
		if offset == last.End() && mark == markOf(last.Checksum()) {
			return nil
		}
	}
}

// attempt sends jobs in a transaction and commits it. After an error the transaction is
// of no use any more.
func (s *sender) attempt(ctx context.Context, jobs []*job) error {
	if err := s.enroll(ctx, jobs); err != nil {
		return err
	}
	r := &round{done: make(chan struct{})}
	for _, j := range jobs {
		r.left += len(j.pieces)
	}
	if r.left == 0 {
		close(r.done)
	}
	for _, j := range jobs {
		for _, p := range j.pieces {
			p.round = r
			s.home(p).queue.push(p)
		}
	}
	for {
		select {
		case <-r.done:
			if r.err != nil {
				return r.err
			}
			return s.commit(ctx, jobs[len(jobs)-1])
		case news := <-s.found:
			s.update(ctx, news)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// enroll tells the coordinator which partitions the transaction is about.
func (s *sender) enroll(ctx context.Context, jobs []*job) error {
	topics := map[string][]kafka.AddPartitionToTxn{}
	seen := map[*partition]bool{}
	for _, j := range jobs {
		for _, p := range j.pieces {
			name := j.routes[p.route].topic
			if to := s.home(p); !seen[to] {
				seen[to] = true
				topics[name] = append(topics[name], kafka.AddPartitionToTxn{Partition: int(to.number)})
			}
		}
	}
	if len(topics) == 0 {
		return nil
	}
	return s.persist(ctx, func(ctx context.Context) error {
		res, err := s.cluster.AddPartitionsToTxn(ctx, &kafka.AddPartitionsToTxnRequest{
			TransactionalID: s.cfg.TransactionalID, ProducerID: int(s.first.producer), ProducerEpoch: int(s.first.epoch), Topics: topics,
		})
		if err != nil {
			return err
		}
		var errs []error
		for _, ps := range res.Topics {
			for _, p := range ps {
				errs = append(errs, p.Error)
			}
		}
		return errors.Join(errs...)
	})
}

// commit puts the cursor into the transaction, and ends it.
func (s *sender) commit(ctx context.Context, last *job) error {
	producer, epoch := int(s.first.producer), int(s.first.epoch)
	err := s.persist(ctx, func(ctx context.Context) error {
		res, err := s.cluster.AddOffsetsToTxn(ctx, &kafka.AddOffsetsToTxnRequest{
			TransactionalID: s.cfg.TransactionalID, ProducerID: producer, ProducerEpoch: epoch, GroupID: s.cfg.TransactionalID,
		})
		if err != nil {
			return err
		}
		return res.Error
	})
	if err != nil {
		return err
	}
	err = s.persist(ctx, func(ctx context.Context) error {
		res, err := s.cluster.TxnOffsetCommit(ctx, &kafka.TxnOffsetCommitRequest{
			TransactionalID: s.cfg.TransactionalID, ProducerID: producer, ProducerEpoch: epoch, GroupID: s.cfg.TransactionalID,
			GenerationID: -1,
			Topics: map[string][]kafka.TxnOffsetCommit{s.cursorTopic(): {{
				Offset: last.frame.End(), Metadata: markOf(last.frame.Checksum()),
			}}},
		})
		if err != nil {
			return err
		}
		return res.Topics[s.cursorTopic()][0].Error
	})
	if err != nil {
		return err
	}
	failpoint.Hit("kafka.prepared")
	return s.persist(ctx, func(ctx context.Context) error {
		res, err := s.cluster.EndTxn(ctx, &kafka.EndTxnRequest{
			TransactionalID: s.cfg.TransactionalID, ProducerID: producer, ProducerEpoch: epoch, Committed: true,
		})
		if err != nil {
			return err
		}
		return res.Error
	})
}

// persist asks until there is an answer that another attempt would not change.
func (s *sender) persist(ctx context.Context, ask func(context.Context) error) error {
	for {
		limited, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
		err := ask(limited)
		cancel()
		switch v, _ := judge(err); v {
		case taken:
			return err
		case again:
			if err := s.retry.Wait(ctx, s.cluster.Explain(err)); err != nil {
				return err
			}
			s.cluster.Refresh()
		default:
			return errors.Join(errAborted, err)
		}
	}
}

// restart takes a new epoch, which aborts what is open, and makes jobs as if nothing had
// been sent.
func (s *sender) restart(ctx context.Context, jobs []*job) error {
	for {
		var err error
		if s.first, err = s.newIdentity(ctx); err == nil {
			break
		}
		// Another process with our id may have come in between: but it is ours.
		if err := s.retry.Wait(ctx, err); err != nil {
			return err
		}
		s.cluster.Refresh()
	}
	for _, t := range s.topics.byName {
		for _, p := range t.partitions {
			p.next, p.last = s.first, -1
		}
	}
	for _, j := range jobs {
		j.left = len(j.pieces)
		for _, p := range j.pieces {
			for i := range p.batches {
				p.batches[i] = batch{first: p.batches[i].first, end: p.batches[i].end}
			}
		}
	}
	return nil
}

// cursorTopic is the topic at whose first partition the cursor stands.
func (s *sender) cursorTopic() string {
	if s.splitter.topic != "" {
		return s.splitter.topic
	}
	return s.cfg.CursorTopic
}

// cursor is the offset that the last committed transaction has left, and its mark. It is
// -1 if there is none. While the coordinator has not taken up the end of a transaction, it
// is asked again: the offset before that one would have the transaction sent twice.
func (s *sender) cursor(ctx context.Context) (offset int64, mark string, err error) {
	err = s.persist(ctx, func(ctx context.Context) (err error) {
		offset, mark, err = s.cluster.Committed(ctx, s.cfg.TransactionalID, s.cursorTopic(), 0)
		if errors.Is(err, kafka.GroupIdNotFound) { // nothing was ever committed
			offset, mark, err = -1, "", nil
		}
		return err
	})
	return offset, mark, err
}

// markOf is what stands beside a committed offset: the checksum of the frame before it.
func markOf(checksum uint32) string { return strconv.FormatUint(uint64(checksum), 16) }

// settled tells up to which offset what is in doubt was committed. The cursor is believed
// only where it is one that this spool has staged: the group may be of another spool, or
// its offsets older than the cluster keeps them.
func (s *sender) settled(ctx context.Context) (committed int64, err error) {
	if len(s.doubt) == 0 {
		return -1, nil
	}
	offset, mark, err := s.cursor(ctx)
	if err != nil {
		return -1, err
	}
	committed = -1
	foreign := false
	for _, st := range s.doubt {
		switch {
		case !bytes.Equal(st.Note, s.transactionNote()):
			foreign = true // sent with other settings: no cursor speaks of it
		case st.End == offset && markOf(st.Checksum) == mark:
			committed = offset
		}
	}
	acked := s.in.Acked()
	aborted := offset < 0 && len(acked) == 0 || len(acked) > 0 && acked[0].End == offset && markOf(acked[0].Checksum) == mark
	if foreign || committed < 0 && !aborted {
		s.metrics.uncertain.WithLabelValues(maybeDoubled).Inc()
		s.env.Log.Warn("the cursor in the cluster does not speak of all that was in doubt; it is sent again rather than lost", "reason", maybeDoubled,
			"group", s.cfg.TransactionalID, "offset", offset)
		return committed, nil
	}
	s.env.Log.Info("a transaction that was in doubt is settled", "committed", committed >= 0)
	return committed, nil
}

// transactionNote is what is staged of each frame of a transaction: that it was in one.
func (s *sender) transactionNote() []byte { return appendNote(nil, s.binding, &job{}) }
