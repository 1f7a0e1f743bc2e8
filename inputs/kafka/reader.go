package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/internal/kafkaconn"
	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
)

const (
	// flushAfter is how long a batch may wait to be filled.
	flushAfter = time.Second
	// renewAfter is after what time all positions are committed again: the spool
	// forgets the sources that have not been seen for days.
	renewAfter = 6 * time.Hour
	// lookEvery is how often to look for new partitions.
	lookEvery = time.Minute
)

// reader reads partitions. It is one goroutine; those of rounds and looks hand it
// what they have learned.
type reader struct {
	*input
	cluster *kafkaconn.Cluster
	out     inputs.Emitter
	now     time.Time // when the reader last woke

	partitions []*partition
	find       map[place]*partition
	assigned   bool // the partitions are given by a group, and no others read
	leaders    map[int32]*leader
	topics     map[string]*topic

	looking  bool
	lookWait backoff
	lastLook time.Time
	nextLook time.Time
	renew    time.Time
	wake     *time.Timer

	rounds chan *round
	looks  chan *look
	tasks  sync.WaitGroup // the goroutines that send to these

	batches recordbatch.Reader
	taker   taker
	batch   *record.Batch // being filled; may be nil
	batchID uint64
	inBatch []*partition // the sources of batch
	flush   *time.Timer  // runs while batch holds something
	ledger  *ledger      // of a group's generation; else nil
}

// place is a partition's, in the cluster.
type place struct {
	topic  string
	number int32
}

// leader is a broker that leads partitions that are read.
type leader struct {
	trouble
	partitions []*partition
	from       int // the partition that is first in the next round
	busy       bool
	answer     []byte // memory for the next one
}

func newReader(in *input, c *kafkaconn.Cluster, out inputs.Emitter) *reader {
	r := &reader{
		input: in, cluster: c, out: out, now: time.Now(),
		find: map[place]*partition{}, leaders: map[int32]*leader{}, topics: map[string]*topic{},
		wake: time.NewTimer(time.Hour), flush: time.NewTimer(time.Hour),
		rounds: make(chan *round), looks: make(chan *look),
		taker: newTaker(in.cfg.Fields),
	}
	r.flush.Stop()
	r.renew = r.now.Add(renewAfter)
	for _, name := range in.cfg.Topics {
		r.topics[name] = &topic{}
	}
	return r
}

// add makes p one of the partitions to read.
func (r *reader) add(p *partition) {
	r.partitions = append(r.partitions, p)
	r.find[place{p.topic, p.number}] = p
}

// run reads until ctx is done or, once, until everything that was there has been
// emitted.
func (r *reader) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer r.close()
	defer r.tasks.Wait()
	defer cancel()
	for {
		if r.finished() {
			return r.emit(ctx)
		}
		r.dispatch(ctx)
		var demand <-chan struct{}
		if len(r.inBatch) > 0 {
			demand = r.out.Demand()
		}
		var err error
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case round := <-r.rounds:
			r.now = time.Now()
			err = r.answered(ctx, round)
		case l := <-r.looks:
			r.now = time.Now()
			err = r.looked(l)
		case <-demand:
			err = r.emit(ctx)
		case <-r.flush.C:
			err = r.emit(ctx)
		case <-r.wake.C:
		}
		if err != nil {
			return err
		}
		r.now = time.Now()
	}
}

// close gives up what the reader holds; what was not emitted is read again.
func (r *reader) close() {
	if r.batch != nil {
		r.batch.Release()
	}
	r.flush.Stop()
	r.wake.Stop()
}

// finished says, with Env.Once, that there is nothing more to read.
func (r *reader) finished() bool {
	if !r.env.Once || r.looking {
		return false
	}
	for _, t := range r.topics {
		if !r.assigned && !t.met {
			return false
		}
	}
	for _, p := range r.partitions {
		if !p.finished() {
			return false
		}
	}
	return true
}

// dispatch begins what is due and sets the time at which to look again.
func (r *reader) dispatch(ctx context.Context) {
	if !r.looking && !r.now.Before(r.nextLook) {
		r.look(ctx)
	}
	if !r.now.Before(r.renew) {
		r.renew = r.now.Add(renewAfter)
		for _, p := range r.partitions {
			if p.next != unknown {
				r.note(p)
			}
		}
	}
	next := r.renew
	if !r.looking && r.nextLook.Before(next) {
		next = r.nextLook
	}
	for id, l := range r.leaders {
		if l.busy {
			continue
		}
		if asks, lookup, due := r.due(l); len(asks) > 0 {
			r.begin(ctx, id, l, asks, lookup)
		} else if !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	r.wake.Reset(max(next.Sub(r.now), 0))
}

// due returns what there is to ask a leader now: offsets first, if one is missing.
// If there is nothing, it returns when there will be something.
func (r *reader) due(l *leader) (asks []ask, lookup bool, at time.Time) {
	var missing []ask
	for i := range l.partitions {
		p := l.partitions[(l.from+i)%len(l.partitions)]
		needs := p.next == unknown || p.check || r.env.Once && p.end == unknown
		switch {
		case p.busy || !needs && r.env.Once && p.finished():
		case p.wait.until.After(r.now):
			if at.IsZero() || p.wait.until.Before(at) {
				at = p.wait.until
			}
		case needs:
			missing = append(missing, ask{p, unknown})
		default:
			asks = append(asks, ask{p, p.next})
		}
	}
	if len(missing) > 0 {
		return missing, true, at
	}
	return asks, false, at
}

// begin starts a round. The leaders share what may be held.
func (r *reader) begin(ctx context.Context, id int32, l *leader, asks []ask, lookup bool) {
	q := &round{
		broker: id, lookup: lookup, asks: asks, isolation: r.cfg.isolation(), answer: l.answer,
		maxBytes: int32(int(r.cfg.FetchMaxBytes) / len(r.leaders)),
	}
	l.busy, l.answer = true, nil
	l.from = (l.from + 1) % len(l.partitions)
	for _, a := range asks {
		a.busy = true
	}
	r.tasks.Go(func() {
		q.run(ctx, r.cluster)
		select {
		case r.rounds <- q:
		case <-ctx.Done():
		}
	})
}

// note makes p a source of the batch that is being filled: its position goes with
// the batch, as it is when the batch is emitted.
func (r *reader) note(p *partition) *record.Batch {
	if r.batch == nil {
		r.batch = r.out.Batch()
		r.batchID++
		r.taker.begin(r.batch)
	}
	if p.batch != r.batchID {
		if len(r.inBatch) == 0 {
			r.flush.Reset(flushAfter)
		}
		p.batch, p.index = r.batchID, r.batch.Source(p.source)
		r.taker.name(r.batch, p)
		r.inBatch = append(r.inBatch, p)
	}
	return r.batch
}

// emit gives away the batch, if there is something in it.
func (r *reader) emit(ctx context.Context) error {
	r.flush.Stop()
	if len(r.inBatch) == 0 {
		return nil
	}
	b := r.batch
	now := time.Now()
	for _, p := range r.inBatch {
		p.position(b.Position(p.index), now)
	}
	e := r.ledger.enter(b, r.inBatch)
	clear(r.inBatch)
	r.inBatch, r.batch = r.inBatch[:0], nil
	err := r.out.Emit(ctx, b)
	r.ledger.emitted(e, err)
	return err
}
