package pipeline

import (
	"fmt"
	"sync"

	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool"
)

// Workers is the pool that processes and encodes the batches of every pipeline
// of the process.
type Workers struct {
	jobs chan *job
	n    int
	wg   sync.WaitGroup
}

// StartWorkers starts n workers. Stop them when the last pipeline has stopped.
func StartWorkers(n int) *Workers {
	w := &Workers{jobs: make(chan *job, n), n: n}
	for i := range n {
		w.wg.Go(func() {
			for j := range w.jobs {
				j.err = j.chain.work(i, j)
				j.done <- struct{}{}
			}
		})
	}
	return w
}

// Stop ends the workers and waits for them.
func (w *Workers) Stop() {
	close(w.jobs)
	w.wg.Wait()
}

// chains are a pipeline's processors and encoders, one set for each worker, so
// that none of them needs a lock.
type chains struct {
	perWorker []chain
}

type chain struct {
	processors []namedProcessor
	lanes      []*lane
	dead       *deadLetterLane
}

type namedProcessor struct {
	processors.Processor
	name string
}

// encoded is what a worker makes of a batch.
type encoded struct {
	frames  []*spool.Frame
	account spool.Account
}

func (e *encoded) release() {
	for _, f := range e.frames {
		f.Release()
	}
	e.frames = e.frames[:0]
}

// work runs the processors of one worker on j's batch and encodes the result. A
// panic in it is an error of this pipeline and of no other.
func (c *chains) work(worker int, j *job) (err error) {
	stage := "encoder"
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %w", stage, outputs.Panicked(p))
		}
	}()
	ch, b := &c.perWorker[worker], j.batch
	j.result.frames = j.result.frames[:0]
	j.result.account = spool.Account{}
	read := b.Len()
	for i := range ch.processors {
		stage = ch.processors[i].name
		if err := ch.processors[i].Process(b); err != nil {
			return fmt.Errorf("%s: %w", stage, err)
		}
	}
	stage = "encoder"
	if err := ch.encode(b, &j.result); err != nil {
		return err
	}
	a := &j.result.account
	a.Read = int64(read)
	a.Generated = int64(b.Len() - read)
	return nil
}

// encodeLanes encodes b in every lane. A record that one of them cannot encode is in
// none, so that what the account says of it holds for every output: where a later lane
// finds one that earlier lanes have taken, all begin again without it.
func (ch *chain) encodeLanes(b *record.Batch, out *encoded) error {
	for again := true; again; {
		again = false
		out.release()
		for i, l := range ch.lanes {
			taken := 0
			if i > 0 {
				taken = kept(b)
			}
			if err := l.encode(b, out); err != nil {
				return err
			}
			again = again || i > 0 && kept(b) < taken
		}
	}
	return nil
}

func kept(b *record.Batch) (n int) {
	for i := range b.Len() {
		if b.Record(i).Fate() == record.Kept {
			n++
		}
	}
	return n
}

func (ch *chain) encode(b *record.Batch, out *encoded) error {
	if err := ch.encodeLanes(b, out); err != nil {
		return err
	}
	if err := ch.dead.encode(b, out); err != nil {
		return err
	}
	for i := range b.Len() {
		switch why := b.Record(i).Fate(); why {
		case record.Kept, record.Rejected:
			out.account.Appended++
		case record.Filtered:
			out.account.Filtered++
		default:
			out.account.Dropped[why]++
		}
	}
	return nil
}
