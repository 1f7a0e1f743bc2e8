package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/record"
)

// Daemon runs the pipelines of a document. A failure of one of them leaves the
// others alone.
type Daemon struct {
	env Env
	// reload admits one reload at a time.
	reload sync.Mutex

	mu      sync.Mutex
	doc     *Document
	running map[string]*running
	// started and stopping bound the time in which a reload may start something;
	// swapping says that one is about to.
	started, stopping, swapping bool
	// ended gets a token whenever a pipeline, or a reload, has ended.
	ended chan struct{}
}

type running struct {
	*Pipeline
	stop context.CancelCauseFunc
	done chan struct{}
}

// errReplaced stops a pipeline whose successor takes over its spool.
var errReplaced = errors.New("replaced by a new configuration")

// batchCost is about what a batch on its way costs: its arena and tables, and
// the frames made of it.
const batchCost = 3 * record.BatchBytes

// NewDaemon builds the pipelines of doc without starting them.
func NewDaemon(doc *Document, bootID string, once bool, log *slog.Logger) (*Daemon, error) {
	n := doc.Workers
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	d := &Daemon{
		env:     Env{DataDir: string(doc.DataDir), BootID: bootID, Log: log, Once: once, Workers: StartWorkers(n)},
		doc:     doc,
		running: map[string]*running{},
		ended:   make(chan struct{}, 1),
	}
	built, err := d.build(doc, slices.Collect(maps.Keys(doc.Pipelines)))
	if err != nil {
		d.env.Workers.Stop()
		return nil, err
	}
	for name, p := range built {
		d.running[name] = &running{Pipeline: p}
	}
	return d, nil
}

// credits is each pipeline's share of the buffer, in batches: enough to keep the
// workers busy, and no more.
func (d *Daemon) credits(doc *Document) int {
	share := int(doc.Buffer) / batchCost / max(1, len(doc.Pipelines))
	return max(2, min(share, 2*d.env.Workers.n+1))
}

func (d *Daemon) build(doc *Document, names []string) (map[string]*Pipeline, error) {
	slices.Sort(names)
	env := d.env
	env.Credits = d.credits(doc)
	built := map[string]*Pipeline{}
	var errs []error
	for _, name := range names {
		cfg := doc.Pipelines[name]
		p, err := build(name, &cfg, env)
		errs = append(errs, err)
		built[name] = p
	}
	return built, config.Join(errs...)
}

// build is [New] beside other pipelines, which must survive a panic in it.
func build(name string, cfg *Config, env Env) (p *Pipeline, err error) {
	defer contain(func(cause error) { err = cause }, "pipeline "+name)
	return New(name, cfg, env)
}

// Run runs all pipelines until ctx is done and they have drained, or until all
// have ended. The error joins those of the pipelines that failed. It is called
// once.
func (d *Daemon) Run(ctx context.Context) error {
	d.mu.Lock()
	d.started = true
	for _, r := range d.running {
		d.start(r)
	}
	d.mu.Unlock()
	done := ctx.Done()
	for d.alive() {
		select {
		case <-d.ended:
		case <-done:
			d.stopAll()
			done = nil
		}
	}
	d.reload.Lock()
	defer d.reload.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.env.Workers.Stop()
	var errs []error
	for name, r := range d.running {
		if err := r.Status().Err; err != nil {
			errs = append(errs, fmt.Errorf("pipeline %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// start starts r. The caller holds the lock.
func (d *Daemon) start(r *running) {
	ctx, stop := context.WithCancelCause(context.Background())
	r.stop, r.done = stop, make(chan struct{})
	go func() {
		defer func() {
			stop(nil)
			close(r.done)
			d.tell()
		}()
		_ = r.Run(ctx)
	}()
}

// tell makes Run look whether anything is still alive.
func (d *Daemon) tell() {
	select {
	case d.ended <- struct{}{}:
	default:
	}
}

// alive says whether a pipeline runs or is about to; when none does, none starts
// any more.
func (d *Daemon) alive() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.swapping {
		return true
	}
	for _, r := range d.running {
		select {
		case <-r.done:
		default:
			return true
		}
	}
	d.stopping = true
	return false
}

func (d *Daemon) stopAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopping = true
	for _, r := range d.running {
		r.stop(nil)
	}
}

// Changes says what a reload did, by pipeline name.
type Changes struct{ Started, Replaced, Removed, Unchanged []string }

// Reload swaps in doc. It is built whole first: on an error nothing has changed.
// Pipelines that are the same in both do not notice, unless they have failed:
// then they start again. A replaced pipeline appends what it has read, and its
// successor goes on at its checkpoint with its backlog.
func (d *Daemon) Reload(doc *Document) (Changes, error) {
	d.reload.Lock()
	defer d.reload.Unlock()
	c, names, err := d.compare(doc)
	if err != nil {
		return c, err
	}
	built, err := d.build(doc, names)
	if err != nil {
		return Changes{}, err
	}
	return c, d.swap(c, built, doc)
}

// compare tells what a reload would do, and which pipelines it has to build.
func (d *Daemon) compare(doc *Document) (c Changes, names []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.started {
		return c, nil, errors.New("the process is still starting")
	}
	if doc.DataDir != d.doc.DataDir || doc.Admin != d.doc.Admin || doc.Workers != d.doc.Workers || doc.Buffer != d.doc.Buffer {
		return c, nil, errors.New("data_dir, admin, workers and buffer_bytes cannot change while running: restart instead")
	}
	for name, cfg := range doc.Pipelines {
		r, known := d.running[name]
		switch {
		case !known:
			c.Started = append(c.Started, name)
		case r.Status().Phase != Failed && bytes.Equal(r.cfg.node.Canonical(), cfg.node.Canonical()):
			c.Unchanged = append(c.Unchanged, name)
			continue
		default:
			c.Replaced = append(c.Replaced, name)
		}
		names = append(names, name)
	}
	for name := range d.running {
		if _, stays := doc.Pipelines[name]; !stays {
			c.Removed = append(c.Removed, name)
		}
	}
	for _, list := range [][]string{c.Started, c.Replaced, c.Removed, c.Unchanged} {
		slices.Sort(list)
	}
	return c, names, nil
}

// swap stops what goes and starts what comes.
func (d *Daemon) swap(c Changes, built map[string]*Pipeline, doc *Document) error {
	gone := d.stop(c)
	for _, r := range gone {
		<-r.done
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.tell()
	d.swapping = false
	if d.stopping {
		return errors.New("the process is stopping")
	}
	for _, name := range c.Removed {
		delete(d.running, name)
	}
	for name, p := range built {
		r := &running{Pipeline: p}
		d.start(r)
		d.running[name] = r
	}
	d.doc = doc
	return nil
}

// stop asks the pipelines that go to end, and returns them.
func (d *Daemon) stop(c Changes) []*running {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.swapping = true
	var gone []*running
	for _, name := range c.Replaced {
		d.running[name].stop(errReplaced)
		gone = append(gone, d.running[name])
	}
	for _, name := range c.Removed {
		d.running[name].stop(nil)
		gone = append(gone, d.running[name])
	}
	return gone
}

// Pipelines are the pipelines, sorted by name.
func (d *Daemon) Pipelines() []*Pipeline {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ps []*Pipeline
	for _, name := range slices.Sorted(maps.Keys(d.running)) {
		ps = append(ps, d.running[name].Pipeline)
	}
	return ps
}

// Validate builds every component of doc and throws it away.
func Validate(doc *Document, log *slog.Logger) error {
	_, err := buildAll(doc, log)
	return err
}

// buildAll builds every pipeline of doc, to be looked at and not to be run.
func buildAll(doc *Document, log *slog.Logger) (map[string]*Pipeline, error) {
	return (&Daemon{env: Env{DataDir: string(doc.DataDir), Log: log, Workers: &Workers{n: 1}}}).
		build(doc, slices.Collect(maps.Keys(doc.Pipelines)))
}
