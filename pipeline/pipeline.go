package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway/spillway/codec"
	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/recordbatch"
	"github.com/spillway/spillway/spool/vfs"
)

// Env is what a pipeline gets from its process.
type Env struct {
	DataDir string
	// BootID tells this boot of the machine from others; empty if unknown.
	BootID  string
	Workers *Workers
	// Credits bounds the batches between the inputs and the appender.
	Credits int
	Log     *slog.Logger
	// Once makes the pipeline read what is there, deliver it, and end.
	Once bool
}

// Pipeline is one path from inputs through a spool to outputs.
type Pipeline struct {
	name      string
	cfg       *Config
	env       Env
	log       *slog.Logger
	metrics   *prometheus.Registry
	inputs    []namedInput
	outputs   []namedOutput
	perWorker [][]namedProcessor

	mu    sync.Mutex
	spool *spool.Spool // nil unless running
	// last is how the spool was when it was closed.
	last  spool.Status
	phase Phase
	err   error
}

type namedInput struct {
	inputs.Input
	id string
}

type namedOutput struct {
	outputs.Output
	id   string
	spec spool.Output
	enc  codec.Config
}

// Phase is where a pipeline is in its life.
type Phase string

// The phases. A failed pipeline keeps its spool for the next start.
const (
	Starting Phase = "starting"
	Running  Phase = "running"
	Draining Phase = "draining"
	Finished Phase = "finished"
	Failed   Phase = "failed"
)

// New builds every component of a pipeline. It touches nothing outside, so that a
// configuration can be built whole while another one still runs.
func New(name string, cfg *Config, env Env) (*Pipeline, error) {
	p := &Pipeline{
		name: name, cfg: cfg, env: env, phase: Starting,
		log:     env.Log.With("pipeline", name),
		metrics: prometheus.NewRegistry(),
	}
	var errs []error
	for i := range cfg.Inputs {
		c := &cfg.Inputs[i]
		in, err := c.Build(inputs.Env{
			Pipeline: name, ID: c.ID, Once: env.Once,
			Log: p.log.With("input", c.ID), Metrics: p.labelled("input", c.ID),
		})
		errs = append(errs, placed(c.Node, err))
		p.inputs = append(p.inputs, namedInput{in, c.ID})
	}
	for range env.Workers.n {
		chain, err := buildProcessors(cfg.Processors, processors.Env{Pipeline: name, Log: p.log, Metrics: p.labelled("component", "processors")})
		errs = append(errs, err)
		p.perWorker = append(p.perWorker, chain)
		if err != nil {
			break
		}
	}
	dead, err := p.deadLetters()
	if err != nil {
		return nil, config.Join(append(errs, err)...)
	}
	for _, c := range append(cfg.Outputs[:len(cfg.Outputs):len(cfg.Outputs)], dead) {
		errs = append(errs, p.addOutput(c))
	}
	if err := config.Join(errs...); err != nil {
		return nil, err
	}
	p.metrics.MustRegister(&collector{p})
	return p, nil
}

// placed says where in the configuration a component stands that could not be
// built.
func placed(n *config.Node, err error) error {
	if err == nil {
		return nil
	}
	return n.Errorf("%w", err)
}

func (p *Pipeline) labelled(kind, id string) prometheus.Registerer {
	return prometheus.WrapRegistererWith(prometheus.Labels{"pipeline": p.name, kind: id}, p.metrics)
}

func buildProcessors(cs []processors.Component, env processors.Env) ([]namedProcessor, error) {
	var chain []namedProcessor
	var errs []error
	for i := range cs {
		proc, err := cs[i].Build(env)
		errs = append(errs, placed(cs[i].Node, err))
		chain = append(chain, namedProcessor{proc, fmt.Sprintf("processor %d (%s)", i+1, cs[i].Type)})
	}
	return chain, config.Join(errs...)
}

// deadLetters is the output for dead letters: the configured one, or a file.
func (p *Pipeline) deadLetters() (outputs.Component, error) {
	c := p.cfg.DeadLetters
	if c.Type == "" {
		path := filepath.Join(p.env.DataDir, p.name, "dead_letters.jsonl")
		n, err := config.Parse("dead letters", fmt.Appendf(nil, "file: {path: %q}", path), nil)
		if err != nil {
			return c, err
		}
		if err := c.UnmarshalConfig(n); err != nil {
			return c, err
		}
	}
	c.ID = DeadLettersID
	return c, nil
}

func (p *Pipeline) addOutput(c outputs.Component) error {
	out, err := c.Build(outputs.Env{
		Pipeline: p.name, ID: c.ID, Log: p.log.With("output", c.ID), Metrics: p.labelled("output", c.ID),
		SyncAlways: p.cfg.Spool.Sync == "always",
	})
	switch {
	case err == nil:
	case c.ID == DeadLettersID && p.cfg.DeadLetters.Type == "":
		return fmt.Errorf("data_dir: dead letters: %w: choose a folder this user can write to", err)
	default:
		return placed(c.Node, err)
	}
	enc := p.cfg.Encode
	if c.Encode.Given {
		enc = c.Encode.Config
	}
	spec := spool.Output{
		ID: c.ID, Lane: enc.Fingerprint(),
		DropOldest: c.OnFull == "drop_oldest", StartOldest: c.StartFrom == "oldest",
	}
	if c.ID == DeadLettersID {
		spec.Lane = deadLane
	}
	p.outputs = append(p.outputs, namedOutput{out, c.ID, spec, enc})
	return nil
}

// memorySegmentBytes bounds the segments of a spool in memory, which are freed only
// as a whole.
const memorySegmentBytes = 4 << 20

// openSpool opens the spool and makes the encoders for its lanes.
func (p *Pipeline) openSpool(atTail func(string)) (*spool.Spool, *chains, error) {
	c := &p.cfg.Spool
	sync, err := spool.ParseSync(c.Sync)
	if err != nil {
		return nil, nil, err
	}
	dir := filepath.Join(p.env.DataDir, p.name)
	o := spool.Options{
		SegmentBytes: int64(c.SegmentBytes), MaxBytes: int64(c.MaxBytes), MaxAge: c.MaxAge, Sync: sync,
		DeadLane: deadLane, DeadLetter: refused(p.name),
		BootID: p.env.BootID, AtTail: atTail, Log: p.log,
	}
	for i := range p.outputs {
		o.Outputs = append(o.Outputs, p.outputs[i].spec)
	}
	fs := vfs.OS()
	if c.Type == "memory" {
		o.Checkpoints = fs
		fs = vfs.Memory()
		o.Sync = spool.Sync{Mode: spool.SyncNever}
		o.SegmentBytes = min(o.SegmentBytes, memorySegmentBytes)
	}
	sp, err := spool.Open(fs, dir, o)
	if err != nil {
		return nil, nil, err
	}
	cs, err := p.chains(sp)
	if err != nil {
		return nil, nil, errors.Join(err, sp.Close())
	}
	return sp, cs, nil
}

func (p *Pipeline) chains(sp *spool.Spool) (*chains, error) {
	compression, err := recordbatch.ParseCodec(p.cfg.Spool.Compression)
	if err != nil {
		return nil, err
	}
	cs := &chains{perWorker: make([]chain, len(p.perWorker))}
	for i := range cs.perWorker {
		ch := &cs.perWorker[i]
		ch.processors = p.perWorker[i]
		seen := map[int16]bool{}
		for j := range p.outputs {
			out := &p.outputs[j]
			f, err := newFramer(sp, out.spec.Lane, compression)
			if err != nil {
				return nil, err
			}
			if out.id == DeadLettersID {
				ch.dead = &deadLetterLane{framer: f, pipeline: p.name}
				continue
			}
			if seen[f.lane] {
				continue
			}
			seen[f.lane] = true
			c, err := codec.New(out.enc)
			if err != nil {
				return nil, err
			}
			ch.lanes = append(ch.lanes, &lane{framer: f, codec: c})
		}
	}
	return cs, nil
}

func newFramer(sp *spool.Spool, fingerprint string, c recordbatch.Codec) (framer, error) {
	number, err := sp.Lane(fingerprint)
	if err != nil {
		return framer{}, err
	}
	b, err := recordbatch.NewBuilder(c)
	return framer{lane: number, builder: b}, err
}

// Run runs the pipeline until ctx is done and what was read is delivered, or the
// drain timeout is over, or its inputs have finished for good and everything is
// delivered. It starts the outputs first and stops the inputs first. The error
// is that of the component that failed; the spool then keeps what it has.
func (p *Pipeline) Run(ctx context.Context) error {
	err := p.run(ctx)
	phase := Finished
	if err != nil {
		phase = Failed
		p.log.Error("pipeline failed; what is spooled stays in the spool", "error", err)
	}
	p.set(phase, nil, err)
	return err
}

func (p *Pipeline) run(ctx context.Context) error {
	in := newIntake(p.env.Credits, p.env.Workers, p.cfg.Linger)
	sp, cs, err := p.openSpool(func(string) { in.senderAtTail() })
	if err != nil {
		return err
	}
	in.chain = cs
	p.set(Running, sp, nil)

	life, kill := context.WithCancelCause(context.WithoutCancel(ctx))
	defer kill(nil)
	in.failed, in.cause = life.Done(), func() error { return context.Cause(life) }

	var senders, intakes sync.WaitGroup
	for i := range p.outputs {
		senders.Go(func() { p.send(life, kill, sp, &p.outputs[i]) })
	}
	appended := make(chan struct{})
	appendCtx, stopAppend := context.WithCancel(life)
	defer stopAppend()
	go func() {
		defer close(appended)
		p.append(appendCtx, kill, sp, in)
	}()
	intakeCtx, stopIntake := context.WithCancel(life)
	defer stopIntake()
	for i := range p.inputs {
		e := &emitter{in: in, prefix: p.inputs[i].id + "/", keys: map[string]string{}, demand: make(chan struct{}, 1), resume: sp.Resume}
		in.emitters = append(in.emitters, e)
	}
	senders.Go(func() { in.offerDemand(intakeCtx) })
	for i := range p.inputs {
		intakes.Go(func() { p.read(intakeCtx, kill, &p.inputs[i], in.emitters[i]) })
	}
	read := make(chan struct{})
	go func() { intakes.Wait(); close(read) }()

	select {
	case <-read:
	case <-ctx.Done():
	case <-life.Done():
	}
	p.set(Draining, sp, nil)
	stopIntake()
	<-read
	close(in.pending)
	p.drain(ctx, life, sp, appended)
	stopAppend()
	<-appended
	err = context.Cause(life)
	kill(nil)
	senders.Wait()
	p.set(Draining, nil, nil)
	return errors.Join(err, sp.Close())
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

func (p *Pipeline) read(ctx context.Context, kill context.CancelCauseFunc, in *namedInput, e *emitter) {
	defer contain(kill, "input "+in.id)
	if err := in.Run(ctx, e); err != nil && ctx.Err() == nil {
		kill(fmt.Errorf("input %s: %w", in.id, err))
	}
}

func (p *Pipeline) append(ctx context.Context, kill context.CancelCauseFunc, sp *spool.Spool, in *intake) {
	a := &appender{pending: in.pending, spool: sp, recycle: in.recycle, idle: in.senderAtTail}
	err := func() (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = panicked(r)
			}
		}()
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
		kill(fmt.Errorf("%s: %w", who, panicked(r)))
	}
}

func panicked(r any) error { return fmt.Errorf("panic: %v\n%s", r, debug.Stack()) }

func (p *Pipeline) set(phase Phase, sp *spool.Spool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spool != nil && sp == nil {
		p.last = p.spool.Status()
	}
	p.phase, p.spool, p.err = phase, sp, err
}
