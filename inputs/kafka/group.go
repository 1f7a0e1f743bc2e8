package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/internal/kafkaconn"
)

const (
	// commitEvery is how often offsets are committed.
	commitEvery = time.Second
	// settleLimit is how long a revoked generation waits for what it has emitted
	// to be in the spool. What takes longer is read again by the next owner.
	settleLimit = 5 * time.Second
	// rebalanceTimeout is how long the group waits for a member to join again:
	// beyond settleLimit, a heartbeat and a commit.
	rebalanceTimeout = 30 * time.Second
	// rejoinAfter is the wait after an attempt to join that failed.
	rejoinAfter = time.Second
)

// group is the membership in a consumer group. The client library keeps it up, in
// generations: from one sharing out of the partitions to the next.
type group struct {
	*input
	cluster *kafkaconn.Cluster
	out     inputs.Emitter
	member  *kafka.ConsumerGroup
	lines   lines
	ledger  *ledger // of the latest generation
	// leaving is closed when the membership is over.
	leaving chan struct{}
}

// runGroup reads the partitions that the group assigns.
func (in *input) runGroup(ctx context.Context, c *kafkaconn.Cluster, out inputs.Emitter) error {
	g := &group{input: in, cluster: c, out: out}
	g.ledger = &ledger{counts: map[string]counts{}, sizes: map[string]int{}}
	for _, p := range out.Resume() {
		g.ledger.counts[p.Source] = counts{p.Records, p.Bytes}
	}
	if err := g.join(); err != nil {
		return err
	}
	var t trouble
	for {
		gen, err := g.member.Next(ctx)
		switch {
		case err == nil:
			t.over(in, time.Now(), "joined the group")
			err = g.live(ctx, gen)
			if err == errGrown || err == errRevoked {
				continue
			}
			return err
		case ctx.Err() != nil:
			g.leave()
			g.lines.cut() // it may wait long for the other members
			<-g.leaving
			return ctx.Err()
		case !errors.Is(err, kafka.RebalanceInProgress):
			t.failed(in, time.Now(), "the group can't be joined, will be tried again", c.Explain(err))
		}
	}
}

// join begins the membership.
func (g *group) join() error {
	d := g.cluster.Dialer()
	d.DialFunc = g.lines.dial(d.DialFunc)
	start := kafka.FirstOffset
	if g.cfg.startAtEnd() {
		start = kafka.LastOffset
	}
	var err error
	g.member, err = kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: g.cfg.Group, Brokers: g.cfg.Brokers, Topics: g.cfg.Topics, Dialer: d, StartOffset: start,
		SessionTimeout: g.cfg.SessionTimeout, HeartbeatInterval: g.cfg.SessionTimeout / 10,
		Timeout:          min(g.cfg.RequestTimeout, g.cfg.SessionTimeout/3),
		RebalanceTimeout: rebalanceTimeout, JoinGroupBackoff: rejoinAfter,
	})
	return err
}

// leave ends the membership, once what is committed is committed.
func (g *group) leave() {
	if g.leaving == nil {
		g.leaving = make(chan struct{})
		go func() {
			defer close(g.leaving)
			g.member.Close()
		}()
	}
}

// errRevoked says that the group shares out its partitions anew.
var errRevoked = errors.New("the partitions were revoked")

// live reads for one generation. The error is errRevoked or errGrown, after which
// there is another one; nil with Env.Once; that of ctx; or the pipeline's. After
// these, the membership is over.
func (g *group) live(ctx context.Context, gen *kafka.Generation) error {
	g.metrics.rebalances.Inc()
	g.ledger = g.ledger.renewed()
	reading, revoke := context.WithCancel(ctx)
	defer revoke()
	// The library begins the next generation when this function is over, and not
	// before.
	done, revoked := make(chan struct{}), make(chan struct{})
	gen.Start(func(over context.Context) {
		select {
		case <-over.Done():
			revoke()
			close(revoked)
			<-done
		case <-done:
		}
	})
	err := g.read(reading, gen)
	switch {
	case err == errGrown:
	case err != nil && ctx.Err() == nil && reading.Err() != nil:
		err = errRevoked
	default:
		g.leave()
		<-revoked
	}
	g.settle(gen)
	close(done)
	if g.leaving != nil {
		<-g.leaving
	}
	return err
}

// read reads what the generation assigns until ctx is done, and commits meanwhile.
func (g *group) read(ctx context.Context, gen *kafka.Generation) error {
	r := newReader(g.input, g.cluster, g.out)
	r.assigned, r.ledger = true, g.ledger
	for topic, assignments := range gen.Assignments {
		for _, a := range assignments {
			p := newPartition(topic, int32(a.ID))
			p.next, p.atEnd = max(a.Offset, unknown), g.cfg.startAtEnd()
			p.counts = g.ledger.counts[p.source]
			r.add(p)
		}
	}
	r.env.Log.Info("the group has assigned partitions", "group", g.cfg.Group, "partitions", len(r.partitions), "generation", gen.ID)
	committing, stop := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		every := time.NewTicker(commitEvery)
		defer every.Stop()
		for {
			select {
			case <-committing.Done():
				return
			case <-every.C:
				g.commit(gen)
			}
		}
	}()
	defer func() { <-stopped }()
	defer stop()
	return r.run(ctx)
}

// commit commits what the spool has, and says whether all that was emitted is
// committed.
func (g *group) commit(gen *kafka.Generation) (all bool) {
	due, settled := g.ledger.take()
	if len(due) == 0 {
		return settled
	}
	if err := gen.CommitOffsets(due); err != nil {
		g.ledger.giveBack(due)
		g.metrics.commit.Inc()
		g.env.Log.Warn("the group's offsets could not be committed: if this lasts, records come twice",
			"group", g.cfg.Group, "generation", gen.ID, "error", g.cluster.Explain(err))
		return false
	}
	return settled
}

// settle waits, for a limited time, until what was emitted is in the spool, and
// commits it.
func (g *group) settle(gen *kafka.Generation) {
	limit := time.NewTimer(settleLimit)
	defer limit.Stop()
	for !g.commit(gen) {
		select {
		case <-g.ledger.changed:
		case <-limit.C:
			if !g.commit(gen) {
				g.env.Log.Warn("what was emitted is not all committed: it is read again by the partition's next owner",
					"group", g.cfg.Group, "generation", gen.ID)
			}
			return
		}
	}
}
