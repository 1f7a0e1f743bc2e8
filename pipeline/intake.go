package pipeline

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/spillway/spillway/record"
)

// job carries one batch from Emit to the appender.
type job struct {
	batch  *record.Batch
	chain  *chains
	result encoded
	err    error
	// done gets a token when a worker has finished with the job.
	done chan struct{}
}

// intake gives batches their order. The order is that of the channel pending:
// the appender takes jobs from it and waits for each one's worker, so that
// workers may finish in any order. What may be out of order is bounded by the
// channel's capacity, and since every job in it has also been handed to a
// worker, which never waits for anything else, the appender's wait ends.
type intake struct {
	// turn is held while a job enters both channels, so that taking a place
	// in the order and starting the work are one step.
	turn    chan struct{}
	pending chan *job
	free    chan *job
	workers *Workers
	chain   *chains
	// life ends when the pipeline can take no more; kill ends it.
	life context.Context
	kill context.CancelCauseFunc

	linger   time.Duration
	lastEmit atomic.Int64
	atTail   chan struct{}
	emitters []*emitter
}

func newIntake(credits int, w *Workers, linger time.Duration) *intake {
	return &intake{
		turn:    make(chan struct{}, 1),
		pending: make(chan *job, credits),
		free:    make(chan *job, credits+2),
		workers: w,
		linger:  linger,
		atTail:  make(chan struct{}, 1),
	}
}

func (in *intake) job(b *record.Batch) *job {
	select {
	case j := <-in.free:
		j.batch = b
		return j
	default:
		return &job{batch: b, chain: in.chain, done: make(chan struct{}, 1)}
	}
}

// recycle takes back a job that the appender is done with.
func (in *intake) recycle(j *job) {
	j.batch, j.err = nil, nil
	select {
	case in.free <- j:
	default:
	}
}

// senderAtTail notes that a sender has nothing left to send.
func (in *intake) senderAtTail() {
	select {
	case in.atTail <- struct{}{}:
	default:
	}
}

// offerDemand passes the senders' wish for data on to the inputs, but not
// sooner than the linger time after the last batch.
func (in *intake) offerDemand(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		select {
		case <-ctx.Done():
			return
		case <-in.atTail:
		}
		if wait := in.linger - time.Since(time.Unix(0, in.lastEmit.Load())); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		}
		for _, e := range in.emitters {
			select {
			case e.demand <- struct{}{}:
			default:
			}
		}
	}
}

// emitter is the way of one input into the pipeline.
type emitter struct {
	in  *intake
	who string
	// prefix sets the sources of this input apart from those of the others.
	prefix string
	// keys maps a source's key to the prefixed one. Whoever holds the turn
	// owns it.
	keys   map[string]string
	demand chan struct{}
	resume func(prefix string) []record.Position
}

func newEmitter(in *intake, id string, resume func(prefix string) []record.Position) *emitter {
	return &emitter{
		in: in, who: "input " + id, prefix: id + "/", keys: map[string]string{},
		demand: make(chan struct{}, 1), resume: resume,
	}
}

// maxKeys bounds the memory of qualified keys; they are made anew when needed.
const maxKeys = 4096

func (e *emitter) qualify(b *record.Batch) {
	ps := b.Positions()
	for i := range ps {
		key, ok := e.keys[ps[i].Source]
		if !ok {
			if len(e.keys) >= maxKeys {
				clear(e.keys)
			}
			key = e.prefix + ps[i].Source
			e.keys[ps[i].Source] = key
		}
		ps[i].Source = key
	}
}

func (e *emitter) Batch() *record.Batch { return record.NewBatch() }

func (e *emitter) Demand() <-chan struct{} { return e.demand }

// Resume strips the input's id from the keys of its sources.
func (e *emitter) Resume() []record.Position {
	ps := e.resume(e.prefix)
	for i := range ps {
		ps[i].Source = ps[i].Source[len(e.prefix):]
	}
	return ps
}

func (e *emitter) Emit(ctx context.Context, b *record.Batch) error {
	if b.Empty() {
		b.Release()
		return nil
	}
	if answer := b.Appended; answer != nil {
		b.Appended = func(err error) {
			// It is called where the spool is written.
			defer contain(e.in.kill, e.who)
			answer(err)
		}
	}
	j := e.in.job(b)
	if err := e.in.enter(ctx, e, j); err != nil {
		if b.Appended != nil {
			b.Appended(err)
		}
		b.Release()
		e.in.recycle(j)
		return err
	}
	return nil
}

// enter gives j its place in the order and hands it to a worker.
func (in *intake) enter(ctx context.Context, e *emitter, j *job) error {
	select {
	case in.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-in.life.Done():
		return context.Cause(in.life)
	}
	defer func() { <-in.turn }()
	e.qualify(j.batch)
	select {
	case in.pending <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-in.life.Done():
		return context.Cause(in.life)
	}
	in.lastEmit.Store(time.Now().UnixNano())
	in.workers.jobs <- j
	return nil
}
