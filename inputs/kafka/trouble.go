package kafka

import (
	"fmt"
	"time"
)

// sayEvery is how often trouble that lasts is worth a line.
const sayEvery = 10 * time.Second

// trouble is something that fails, and is tried again for ever. It is said now and
// then, and so is its end.
type trouble struct {
	failures int
	since    time.Time
	said     time.Time
	told     bool
}

// failed counts a failure, and says so if that is due.
func (t *trouble) failed(in *input, now time.Time, what string, err error) {
	in.metrics.errors.Inc()
	if t.failures == 0 {
		t.since = now
	}
	t.failures++
	if !t.said.IsZero() && now.Sub(t.said) < sayEvery {
		return
	}
	t.said, t.told = now, true
	in.env.Log.Warn(what, "error", err, "failures", t.failures, "for", now.Sub(t.since).Round(time.Millisecond))
}

// over ends the trouble, if there was some.
func (t *trouble) over(in *input, now time.Time, what string) {
	if t.failures == 0 {
		return
	}
	if t.told {
		in.env.Log.Info(what, "failures", t.failures, "for", now.Sub(t.since).Round(time.Millisecond))
	}
	t.failures, t.told = 0, false
}

// topic is what the reader knows of a topic as a whole.
type topic struct {
	trouble
	known   bool // it was read before
	met     bool // it was found in this run
	failing int  // how many of its partitions are
}

// failed makes p wait.
func (r *reader) failed(p *partition, err error) {
	t := r.topics[p.topic]
	if !p.failing {
		p.failing = true
		t.failing++
	}
	p.wait.failed(r.now)
	t.failed(r.input, r.now, "a partition can't be read, will be tried again", fmt.Errorf("topic %q, partition %d: %w", p.topic, p.number, err))
}

// recovered ends the trouble of p, if there was some.
func (r *reader) recovered(p *partition) {
	p.wait = backoff{}
	if !p.failing {
		return
	}
	p.failing = false
	t := r.topics[p.topic]
	if t.failing--; t.failing == 0 {
		t.over(r.input, r.now, "the topic can be read again")
	}
}
