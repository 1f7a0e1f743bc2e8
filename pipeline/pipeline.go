package pipeline

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

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
	id    string
	spec  spool.Output
	enc   codec.Config
	shape outputs.Shape
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
		LastResort: c.ID == DeadLettersID, SyncAlways: p.cfg.Spool.Sync == "always",
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
	var shape outputs.Shape
	if s, ok := out.(outputs.Shaper); ok {
		shape = s.Shape()
	}
	spec := spool.Output{
		ID: c.ID, Lane: enc.Fingerprint() + shape.Fingerprint(),
		DropOldest: c.OnFull == "drop_oldest", StartOldest: c.StartFrom == "oldest",
	}
	if c.ID == DeadLettersID {
		spec.Lane = deadLane
	}
	p.outputs = append(p.outputs, namedOutput{out, c.ID, spec, enc, shape})
	return nil
}

// memorySegmentBytes bounds the segments of a spool in memory, which are freed only
// as a whole.
const memorySegmentBytes = 4 << 20

// openSpool opens the spool and makes the encoders for its lanes.
func (p *Pipeline) openSpool(in *intake) (*spool.Spool, *chains, error) {
	c := &p.cfg.Spool
	sync, err := spool.ParseSync(c.Sync)
	if err != nil {
		return nil, nil, err
	}
	dir := filepath.Join(p.env.DataDir, p.name)
	o := spool.Options{
		SegmentBytes: int64(c.SegmentBytes), MaxBytes: int64(c.MaxBytes), MaxAge: c.MaxAge, Sync: sync,
		DeadLane: deadLane, DeadLetter: refused(p.name),
		BootID: p.env.BootID, Log: p.log,
		AtTail: func(output string) {
			if output != DeadLettersID { // it waits nearly always, and for no record of an input
				in.senderAtTail()
			}
		},
		Panicked: func(what any) { in.kill(fmt.Errorf("spool: %w", outputs.Panicked(what))) },
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
			ch.lanes = append(ch.lanes, newLane(f, c, out.shape))
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

func (p *Pipeline) set(phase Phase, sp *spool.Spool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spool != nil && sp == nil {
		p.last = p.spool.Status()
	}
	p.phase, p.spool, p.err = phase, sp, err
}
