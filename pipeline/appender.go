package pipeline

import (
	"context"

	"github.com/spillway/spillway/spool"
)

// appender puts the batches into the spool in the order in which they were
// emitted. It ends when pending is closed and empty, or with an error.
type appender struct {
	pending <-chan *job
	spool   *spool.Spool
	recycle func(*job)
	// idle is told of an append that brought no record, so that senders who
	// wait are not forgotten.
	idle func()
	held []*job
}

// maxHeld bounds how many batches without a record share one mark.
const maxHeld = 16

func (a *appender) run(ctx context.Context) error {
	var group spool.Group
	for j := range a.pending {
		<-j.done
		group = spool.Group{Frames: group.Frames[:0], Positions: group.Positions[:0]}
		if err := a.collect(&group, j); err != nil {
			return err
		}
		if err := a.append(ctx, &group); err != nil {
			return err
		}
	}
	return nil
}

// collect makes a group of j and, as long as no batch has a record left, of the
// batches behind it that are ready: their positions can share one mark.
func (a *appender) collect(g *spool.Group, j *job) error {
	for {
		a.held = append(a.held, j)
		if j.err != nil {
			return j.err
		}
		g.Frames = append(g.Frames, j.result.frames...)
		j.result.frames = j.result.frames[:0]
		g.Positions = append(g.Positions, j.batch.Positions()...)
		g.Account.Add(&j.result.account)
		if len(g.Frames) > 0 || len(a.held) == maxHeld {
			return nil
		}
		var ok bool
		select {
		case j, ok = <-a.pending:
			if !ok {
				return nil
			}
			<-j.done
		default:
			return nil
		}
	}
}

func (a *appender) append(ctx context.Context, g *spool.Group) error {
	for _, j := range a.held {
		if answer := j.batch.Appended; answer != nil {
			g.Durable = both(g.Durable, answer)
		}
	}
	bare := len(g.Frames) == 0
	err := a.spool.Append(ctx, g)
	a.release()
	if bare && err == nil {
		a.idle()
	}
	return err
}

func (a *appender) release() {
	for _, j := range a.held {
		j.batch.Release()
		a.recycle(j)
	}
	a.held = a.held[:0]
}

// abandon answers and releases everything that can no longer be appended.
func (a *appender) abandon(cause error) {
	for j := range a.pending {
		<-j.done
		a.held = append(a.held, j)
	}
	for _, j := range a.held {
		if j.batch.Appended != nil {
			j.batch.Appended(cause)
		}
		j.result.release()
	}
	a.release()
}

func both(a, b func(error)) func(error) {
	if a == nil {
		return b
	}
	return func(err error) {
		a(err)
		b(err)
	}
}
