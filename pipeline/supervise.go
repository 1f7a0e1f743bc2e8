package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/spool"
)

// Run runs the pipeline until ctx is done and what was read is delivered, or the
// drain timeout is over, or its inputs have finished for good and everything is
// delivered. It starts the outputs first and stops the inputs first. The error
// is that of the component that failed; the spool then keeps what it has.
func (p *Pipeline) Run(ctx context.Context) (err error) {
	defer func() {
		phase := Finished
		if err != nil {
			phase = Failed
			p.log.Error("pipeline failed; what is spooled stays in the spool", "error", err)
		}
		p.set(phase, nil, err)
	}()
	defer outputs.Contain(&err)
	return p.run(ctx)
}

func (p *Pipeline) run(ctx context.Context) error {
	in := newIntake(p.env.Credits, p.env.Workers, p.cfg.Linger)
	life, kill := context.WithCancelCause(context.WithoutCancel(ctx))
	defer kill(nil)
	in.life, in.kill = life, kill
	sp, cs, err := p.openSpool(in)
	if err != nil {
		return err
	}
	in.chain = cs
	p.set(Running, sp, nil)

	senders := p.startSenders(life, kill, sp)
	appendCtx, stopAppend := context.WithCancel(life)
	defer stopAppend()
	appended := begin(func() { p.append(appendCtx, kill, sp, in) })
	intakeCtx, stopIntake := context.WithCancel(life)
	defer stopIntake()
	readers := p.startInputs(intakeCtx, kill, sp, in)
	read := begin(func() {
		for _, ended := range readers {
			<-ended
		}
	})
	offered := begin(func() { in.offerDemand(intakeCtx) })

	select {
	case <-read:
	case <-ctx.Done():
	case <-life.Done():
	}
	p.set(Draining, sp, nil)
	stopIntake()
	behind := late(readers, func(i int) string { return "input " + p.inputs[i].id })
	<-offered
	in.turn <- struct{}{} // for good: an input that is left behind emits nothing more
	close(in.pending)
	p.drain(ctx, life, sp, appended)
	stopAppend()
	<-appended
	err = context.Cause(life)
	kill(nil)
	return errors.Join(err, p.close(sp, senders, behind))
}

// begin runs f in a goroutine. The channel is closed when it has ended.
func begin(f func()) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	return ended
}

// startSenders starts the outputs, and returns for each what begin returns.
func (p *Pipeline) startSenders(life context.Context, kill context.CancelCauseFunc, sp *spool.Spool) []<-chan struct{} {
	var ended []<-chan struct{}
	for i := range p.outputs {
		ended = append(ended, begin(func() { p.send(life, kill, sp, &p.outputs[i]) }))
	}
	return ended
}

// startInputs starts the inputs, and returns for each what begin returns.
func (p *Pipeline) startInputs(ctx context.Context, kill context.CancelCauseFunc, sp *spool.Spool, in *intake) []<-chan struct{} {
	for i := range p.inputs {
		in.emitters = append(in.emitters, newEmitter(in, p.inputs[i].id, sp.Resume))
	}
	var ended []<-chan struct{}
	for i := range p.inputs {
		ended = append(ended, begin(func() { p.read(ctx, kill, &p.inputs[i], in.emitters[i]) }))
	}
	return ended
}

// drain waits until everything that was read is in the spool and delivered, but
// no longer than the drain timeout once ctx is done.
func (p *Pipeline) drain(ctx, life context.Context, sp *spool.Spool, appended <-chan struct{}) {
	life, stop := context.WithCancel(life)
	defer stop()
	defer context.AfterFunc(ctx, func() {
		t := time.NewTimer(p.cfg.DrainTimeout)
		defer t.Stop()
		select {
		case <-t.C:
			stop()
		case <-life.Done():
		}
	})()
	select {
	case <-appended:
	case <-life.Done():
		return
	}
	if context.Cause(ctx) == errReplaced {
		return
	}
	if sp.Delivered(life) != nil && ctx.Err() != nil {
		p.log.Info("stopping before everything is delivered; the rest stays in the spool", "drain_timeout", p.cfg.DrainTimeout)
	}
}

// stopPatience is how long inputs and outputs that were told to end may take: a slow disk may
// hold the last acknowledgements up.
const stopPatience = 10 * time.Second

// close ends what outputs wait for in the spool, room for a dead letter say, waits
// for them, and closes the spool. An output that goes on all the same is left behind,
// as inputs are; names are those of these.
func (p *Pipeline) close(sp *spool.Spool, senders []<-chan struct{}, names []string) error {
	sp.Stop()
	names = append(names, late(senders, func(i int) string { return "output " + p.outputs[i].id })...)
	p.set(Draining, nil, nil)
	err := sp.Close()
	if len(names) > 0 {
		err = errors.Join(err, fmt.Errorf("told to end, but still there: %s", strings.Join(names, ", ")))
	}
	return err
}

// late waits for what was told to end, and names what has not in time.
func late(all []<-chan struct{}, name func(int) string) (names []string) {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	for i, ended := range all {
		select {
		case <-ended:
			continue
		case <-ctx.Done():
		}
		select {
		case <-ended:
		default:
			names = append(names, name(i))
		}
	}
	return names
}

func (p *Pipeline) read(ctx context.Context, kill context.CancelCauseFunc, in *namedInput, e *emitter) {
	defer contain(kill, e.who)
	if err := in.Run(ctx, e); err != nil && ctx.Err() == nil {
		kill(fmt.Errorf("%s: %w", e.who, err))
	}
}

func (p *Pipeline) append(ctx context.Context, kill context.CancelCauseFunc, sp *spool.Spool, in *intake) {
	a := &appender{pending: in.pending, spool: sp, recycle: in.recycle, idle: in.senderAtTail}
	err := func() (err error) {
		defer outputs.Contain(&err)
		return a.run(ctx)
	}()
	if err != nil {
		if ctx.Err() == nil {
			kill(err)
		}
		a.abandon(err)
	}
}

// contain turns a panic of the calling goroutine into a failure of the pipeline.
func contain(kill context.CancelCauseFunc, who string) {
	if r := recover(); r != nil {
		kill(fmt.Errorf("%s: %w", who, outputs.Panicked(r)))
	}
}
