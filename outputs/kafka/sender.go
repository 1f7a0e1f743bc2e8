package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/internal/failpoint"
	"github.com/spillway/spillway/internal/kafkaconn"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/spool"
)

// window is how many frames that were taken apart may be on their way. Beyond it,
// all wait for the slowest partition: what has the same key stays in order.
const window = 32

// sender is the state of one Run. Run's goroutine owns it; what the partitions'
// goroutines use of it does not change.
type sender struct {
	cfg     *Config
	env     outputs.Env
	in      outputs.Frames
	cluster *kafkaconn.Cluster
	meter   *outputs.Meter
	metrics *metrics
	retry   *outputs.Retry
	// fail ends the Run with an error.
	fail context.CancelCauseFunc
	// idle gets a token when a partition has become idle, stale when an attempt
	// has failed, and found what the cluster then says of a topic.
	idle, stale chan struct{}
	found       chan found
	watching    sync.WaitGroup
	// slots bound the frames that were taken apart.
	slots chan struct{}

	binding  uint64
	first    identity // under which partitions begin
	topics   topics
	splitter splitter
	// doubt is what an earlier life has staged, in offset order.
	doubt []spool.Staged
	// behind is how many partitions are left behind, and owing the jobs in memory
	// that owe them something.
	behind int
	owing  []*job
}

func newSender(o *Output, in outputs.Frames, c *kafkaconn.Cluster, m *outputs.Meter, fail context.CancelCauseFunc) *sender {
	s := &sender{
		cfg: o.cfg, env: o.env, in: in, cluster: c, meter: m, metrics: newMetrics(m),
		retry: outputs.NewRetry(o.env, m), fail: fail,
		idle: make(chan struct{}, 1), stale: make(chan struct{}, 1), found: make(chan found),
		slots:    make(chan struct{}, window),
		topics:   topics{byName: map[string]*topic{}},
		splitter: splitter{router: router{topic: o.topic, byKey: o.cfg.byKey()}},
		doubt:    in.InDoubt(),
	}
	s.topics.names.Store(new([]string))
	return s
}

func (s *sender) run(ctx context.Context) error {
	if n := len(s.doubt); n > 0 {
		s.env.Log.Info("frames are in doubt: they were sent, and nobody knows whether they arrived; the brokers will tell", "frames", n)
	}
	for {
		err := s.begin(ctx)
		if err == nil {
			s.retry.Succeeded()
			break
		}
		if err := s.retry.Wait(ctx, err); err != nil {
			return err
		}
		s.cluster.Refresh()
	}
	s.watching.Go(func() {
		if err := s.watch(ctx); err != nil {
			s.fail(err)
		}
	})
	if s.cfg.TransactionalID != "" {
		return s.transact(ctx)
	}
	for {
		f, err := s.next(ctx)
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		if err := s.dispatch(ctx, f); err != nil {
			return err
		}
	}
}

// next is the next frame. While partitions are behind it gives them what they are owed,
// and waits for a while only: then there may be no frame.
func (s *sender) next(ctx context.Context) (*spool.Frame, error) {
	if s.behind == 0 {
		return s.in.Next(ctx)
	}
	some, err := s.catchUp()
	if err != nil {
		return nil, err
	}
	pause := stuckPause
	if some {
		pause = catchUpPause
	}
	soon, cancel := context.WithTimeout(ctx, pause)
	defer cancel()
	if s.stalled() {
		select {
		case news := <-s.found:
			s.update(ctx, news)
		case <-soon.Done():
		}
		return nil, ctx.Err()
	}
	select {
	case news := <-s.found:
		s.update(ctx, news)
	default:
	}
	f, err := s.in.Next(soon)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, nil
	}
	return f, err
}

// begin learns of the cluster, and takes the identity of this life.
func (s *sender) begin(ctx context.Context) (err error) {
	if s.first, err = s.newIdentity(ctx); err != nil {
		return err
	}
	var f found
	clusterID := ""
	if f.topic = s.splitter.topic; f.topic == "" {
		clusterID, err = s.cluster.ID(ctx)
	} else {
		f.partitions, clusterID, err = s.cluster.Topic(ctx, f.topic)
	}
	if err != nil {
		return err
	}
	s.binding = s.cfg.bind(clusterID)
	if f.topic != "" {
		s.update(ctx, f)
	}
	return nil
}

// newIdentity takes a producer id that nobody has used; with a transactional id, an
// epoch of its own, which fences who had it before and aborts what is open. Brokers
// take an identity only with acks: all; else there is none.
func (s *sender) newIdentity(ctx context.Context) (identity, error) {
	if s.cfg.Acks != "all" || failpoint.Disabled("sequences") {
		return identity{-1, -1, -1}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	defer cancel()
	req := &kafka.InitProducerIDRequest{ProducerID: -1, ProducerEpoch: -1}
	if s.cfg.TransactionalID != "" {
		req.TransactionalID, req.TransactionTimeoutMs = s.cfg.TransactionalID, int(s.cfg.transactionTimeout().Milliseconds())
	}
	res, err := s.cluster.InitProducerID(ctx, req)
	switch {
	case err != nil:
		return identity{}, s.cluster.Explain(err)
	case res.Error != nil:
		return identity{}, fmt.Errorf("no producer id: %w", res.Error)
	case res.Producer.ProducerID < 0 || res.Producer.ProducerEpoch < 0:
		return identity{}, errors.New("no producer id: the broker has none yet")
	}
	return identity{producer: int64(res.Producer.ProducerID), epoch: int16(res.Producer.ProducerEpoch)}, nil
}

// dispatch gives a frame to a partition: the one that an earlier life has chosen for
// it, or the next that has nothing to do; or its pieces to theirs.
func (s *sender) dispatch(ctx context.Context, f *spool.Frame) error {
	select {
	case news := <-s.found:
		s.update(ctx, news)
	default:
	}
	if j := s.resume(f); j != nil {
		if err := s.adopt(ctx, j); err != nil {
			return err
		}
		s.shun(j, false)
		return s.give(ctx, j)
	}
	if s.splitter.splits() {
		j, err := s.takeApart(ctx, f)
		if err != nil || j == nil {
			return err
		}
		s.shun(j, true)
		if len(j.pieces) > 0 {
			if err := s.stage(j); err != nil {
				return err
			}
		}
		return s.give(ctx, j)
	}
	to, err := s.free(ctx, s.topics.byName[s.splitter.topic])
	if err != nil {
		return err
	}
	j := &job{frame: f, base: f.Base, left: 1, routes: []route{{topic: to.topic}}}
	p := &piece{job: j, partition: to.number, batches: []batch{{end: f.Count}}}
	j.pieces = []*piece{p}
	// Staged here, in the order of the spool: so what is staged after a restart
	// comes before what is not.
	if err := to.prepare(p, 0); err != nil {
		return err
	}
	to.queue.push(p)
	return nil
}

// free waits for a partition that has nothing to do. It is the caller's until it is
// given a piece.
func (s *sender) free(ctx context.Context, t *topic) (*partition, error) {
	for {
		if p := t.idlePartition(); p != nil {
			return p, nil
		}
		select {
		case <-s.idle:
		case news := <-s.found:
			s.update(ctx, news)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// takeApart makes the pieces of a frame whose records go to several partitions. The job
// is nil for a frame that can't be read, which goes to the dead letters.
func (s *sender) takeApart(ctx context.Context, f *spool.Frame) (*job, error) {
	j, refused, err := s.splitter.split(f, func(topic string) (route, error) { return s.resolve(ctx, topic) })
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		s.env.Log.Error("frame can't be read, sent to the dead letters", "error", err)
		if err := s.in.Reject(f, -1, err); err != nil {
			return nil, err
		}
		return nil, s.in.Ack(f)
	}
	for _, r := range refused {
		s.env.Log.Warn("record has no topic, sent to the dead letters", "error", r.cause)
		if err := s.in.Reject(f, r.index, r.cause); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// resolve finds the route to a topic. An error of ctx ends the Run; another is the
// cause by which records go to the dead letters.
func (s *sender) resolve(ctx context.Context, name string) (route, error) {
	t := s.topics.byName[name]
	if t == nil {
		var err error
		if t, err = s.newTopic(ctx, name); err != nil {
			return route{}, err
		}
	}
	return route{topic: name, partitions: int32(len(t.partitions)), sticky: t.stickyPartition()}, nil
}

// newTopic learns of a topic that fields name. What the cluster does not know is asked
// for again a few times, since it may just have been made.
func (s *sender) newTopic(ctx context.Context, name string) (*topic, error) {
	if name == "" {
		return nil, s.cfg.errNoTopic()
	}
	if err := checkTopic(name); err != nil {
		return nil, err
	}
	if len(s.topics.byName) >= s.cfg.MaxTopics {
		return nil, fmt.Errorf("topic %q is one more than max_topics (%d)", name, s.cfg.MaxTopics)
	}
	for why := new(outputs.Refusal); ; {
		partitions, _, err := s.cluster.Topic(ctx, name)
		if err == nil {
			s.retry.Succeeded()
			return s.update(ctx, found{name, partitions}), nil
		}
		if errors.Is(err, kafka.UnknownTopicOrPartition) && why.Again(err) && !s.env.LastResort {
			return nil, why
		}
		if err := s.retry.Wait(ctx, err); err != nil {
			return nil, err
		}
		s.cluster.Refresh()
	}
}

// give hands the pieces of a job to their partitions, once there is a slot for it.
func (s *sender) give(ctx context.Context, j *job) error {
	if len(j.pieces) == 0 {
		return s.finish(j)
	}
	for !j.slot {
		select {
		case s.slots <- struct{}{}:
			j.slot = true
			continue
		default:
		}
		if err := s.leaveBehind(); err != nil {
			return err
		}
		select {
		case s.slots <- struct{}{}:
			j.slot = true
		case news := <-s.found:
			s.update(ctx, news)
		case <-time.After(patience / 4):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, p := range slices.Clone(j.pieces) {
		if !s.home(p).behind || !p.untouched() {
			s.hand(p)
		} else if err := s.owe(p); err != nil {
			return err
		}
	}
	return nil
}

// freeSlot gives a job's slot back, if it has one.
func (s *sender) freeSlot(j *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.slot {
		j.slot = false
		<-s.slots
	}
}

func (s *sender) stage(j *job) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return s.note(j)
}

// note stages what has become of a job's pieces. The caller holds its mu.
func (s *sender) note(j *job) error {
	if s.cfg.TransactionalID != "" {
		return nil // the transaction is staged as a whole
	}
	return s.in.Stage(j.frame, appendNote(nil, s.binding, j))
}

// finish acknowledges a job whose last piece is done, or puts its frame back if it owes
// some; with transactions, what commits them does.
func (s *sender) finish(j *job) error {
	if s.cfg.TransactionalID != "" {
		return nil
	}
	s.freeSlot(j)
	if len(j.owed) > 0 {
		err := s.in.Defer(j.frame, s.owedNote(j))
		j.deferred.Store(true)
		return err
	}
	s.meter.Sent(j.frame)
	return s.in.Ack(j.frame)
}
