package file

import (
	"context"
	"log/slog"
	"time"

	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/record"
)

const (
	// flushAfter is how long a batch may wait to be filled.
	flushAfter = time.Second
	// renewAfter is after what time the position of an idle file is committed
	// again: the spool forgets the sources that have not been seen for days.
	renewAfter = 6 * time.Hour
)

// reader knows all files and gives them their turns.
type reader struct {
	cfg     *Config
	once    bool
	log     *slog.Logger
	metrics metrics
	out     inputs.Emitter
	now     time.Time // when the reader last woke or began a batch
	// description is what records are told of their file, by fields.
	description description
	fields      []record.Field
	// split finds records of several lines; nil: each line is one.
	split        *splitter
	endedForSize []int              // records of the batch, for takeRecords
	waiting      map[*file]struct{} // files that hold a part of a record
	pause        *time.Timer        // runs while there are any

	found   *discovery
	watch   *watcher // nil: only scans
	files   map[inode]*file
	strays  map[*file]struct{} // files at none of the paths
	former  map[string]*file   // by the path that they were renamed from last
	copies  map[*file]struct{} // files that are compared with their originals
	opened  []*file
	head    [headBytes]byte     // for readHead
	turning *file               // has its turn, and so is not closed for another
	refused map[string]struct{} // paths that can't be opened, which was said
	saved   pool
	first   bool // nothing was ever committed: start_at holds
	// beginning is no file. Its position says that there was a first start,
	// even if there was nothing to read then.
	beginning *file
	scanned   uint64
	scan      scanClock

	ready     queue
	batch     *record.Batch // being filled; may be nil
	batchID   uint64
	inBatch   []*file       // the sources of batch
	full      *record.Batch // waits to be emitted
	flush     *time.Timer   // runs while batch holds something
	finishing bool          // everything there was has been read, with Env.Once
}

func newReader(cfg *Config, env inputs.Env, m metrics, out inputs.Emitter) *reader {
	description, _ := cfg.description() // which was checked
	r := &reader{
		cfg: cfg, once: env.Once, log: env.Log, metrics: m, out: out, now: time.Now(), description: description,
		files: map[inode]*file{}, strays: map[*file]struct{}{}, former: map[string]*file{}, copies: map[*file]struct{}{},
		refused: map[string]struct{}{}, flush: time.NewTimer(time.Hour),
		beginning: &file{source: "beginning", fd: -1},
	}
	r.flush.Stop()
	r.waiting, r.pause = map[*file]struct{}{}, time.NewTimer(time.Hour)
	r.pause.Stop()
	if machine, _ := cfg.Multiline.machine(); machine != nil { // which was checked
		r.split = &splitter{machine: machine, longest: int(cfg.MaxLine), maxLines: cfg.Multiline.MaxLines}
	}
	r.found = newDiscovery(cfg, r.log, r.count)
	committed := out.Resume()
	r.saved = newPool(committed, r.log, r.count)
	r.first = len(committed) == 0
	if cfg.Watch == "auto" && !r.once {
		r.watch = newWatcher(r.log, r.count)
	}
	r.scan.start(cfg.ScanInterval)
	return r
}

func (r *reader) count(reason string) { r.metrics.errors[reason].Inc() }

// close gives up what the reader holds; what was not emitted is read again.
func (r *reader) close() {
	if r.watch != nil {
		r.watch.close()
	}
	for len(r.opened) > 0 {
		r.shut(r.opened[0])
	}
	for _, b := range []*record.Batch{r.batch, r.full} {
		if b != nil {
			b.Release()
		}
	}
	r.flush.Stop()
	r.pause.Stop()
	r.scan.timer.Stop()
	r.metrics.files.Sub(float64(len(r.files)))
}

// always is ready to be received from.
var always = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// run reads until ctx is done or, once, until everything has been handed to full.
func (r *reader) run(ctx context.Context, full chan<- *record.Batch) error {
	var pings <-chan struct{}
	if r.watch != nil {
		pings = r.watch.ping
	}
	r.look()
	for {
		var work, demand <-chan struct{}
		var emit chan<- *record.Batch
		switch {
		case r.full != nil:
			emit = full
		case r.ready.len() > 0:
			work = always
		case r.once:
			if r.finish() {
				return nil
			}
			continue
		case len(r.inBatch) > 0:
			demand = r.out.Demand()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case emit <- r.full:
			r.full = nil
		case <-work:
			r.turn(r.ready.pop())
			continue // the time is that of the batch
		case <-demand:
			r.handOff()
		case <-r.flush.C:
			r.flushBatch()
		case <-r.pause.C:
			r.now = time.Now()
			r.pauses()
		case <-pings:
			r.takeHints()
		case <-r.scan.timer.C:
			r.look()
		}
		r.now = time.Now()
	}
}

// finish is called, once, when there is nothing more to read: it reads the last
// lines that have no line end, emits, and then says that all is done.
func (r *reader) finish() (done bool) {
	switch {
	case !r.finishing:
		r.finishing = true
		for _, f := range r.files {
			if !f.isCopy && f.size > f.offset {
				f.ended = true
				r.enqueue(f)
			}
		}
	case len(r.inBatch) > 0:
		r.handOff()
	default:
		return true
	}
	return false
}

func (r *reader) takeHints() {
	scan := r.watch.hints(func(path string) {
		if e := r.found.byPath[path]; e != nil && e.file != nil {
			r.enqueue(e.file)
		}
	})
	if scan {
		r.scan.soon()
	}
}

func (r *reader) enqueue(f *file) {
	if !f.queued {
		r.ready.push(f)
	}
}

// filling returns the batch that is being filled.
func (r *reader) filling() *record.Batch {
	if r.batch == nil {
		r.batch = r.out.Batch()
		r.batchID++
		r.now = time.Now()
	}
	return r.batch
}

// note makes f a source of the batch that is being filled: its position goes
// with the batch, as it is when the batch is full.
func (r *reader) note(f *file) *record.Batch {
	b := r.filling()
	if f.batch != r.batchID {
		if len(r.inBatch) == 0 {
			r.flush.Reset(flushAfter)
		}
		f.batch, f.index = r.batchID, b.Source(f.source)
		f.noted = r.now
		r.inBatch = append(r.inBatch, f)
	}
	return b
}

// handOff completes the batch; there must be no other one waiting.
func (r *reader) handOff() {
	for _, f := range r.inBatch {
		f.position(r.batch.Position(f.index), r.now)
	}
	clear(r.inBatch)
	r.inBatch = r.inBatch[:0]
	r.full, r.batch = r.batch, nil
	r.flush.Stop()
}

// flushBatch hands a batch off that has waited long enough, if it can.
func (r *reader) flushBatch() {
	switch {
	case len(r.inBatch) == 0:
	case r.full != nil:
		r.flush.Reset(flushAfter)
	default:
		r.handOff()
	}
}

// scanClock says when to scan.
type scanClock struct {
	interval time.Duration
	timer    *time.Timer
	next     time.Time
	ended    time.Time
	took     time.Duration
}

// A scan at the interval takes at most one part in scanShare of the time, and
// one that a hint has asked for at most one in hintShare: 2% and 5%.
const (
	scanShare = 50
	hintShare = 20
	hintPause = 5 * time.Millisecond
)

func (c *scanClock) start(interval time.Duration) {
	c.interval = interval
	c.timer = time.NewTimer(time.Hour)
}

// done plans the next scan after one that took so long, without the time that it
// needed to open new files: that is not needed again.
func (c *scanClock) done(took time.Duration) {
	c.ended, c.took = time.Now(), took
	c.at(c.ended.Add(max(c.interval, scanShare*c.took)))
}

// soon brings the next scan forward.
func (c *scanClock) soon() {
	if t := c.ended.Add(max(hintPause, hintShare*c.took)); t.Before(c.next) {
		c.at(t)
	}
}

func (c *scanClock) at(t time.Time) {
	c.next = t
	c.timer.Reset(time.Until(t))
}
