package kafka

import (
	"errors"
	"sync"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/record"
)

// errGrown says that a topic has other partitions than when the group shared them
// out.
var errGrown = errors.New("partitions were added")

// ledger is what a member of a group has emitted, in order, until it is in the
// spool and committed. The methods that [reader] calls do nothing without one.
type ledger struct {
	counts map[string]counts // by source, as emitted; across generations
	sizes  map[string]int    // partitions by topic; across generations

	mu      sync.Mutex
	queue   []*emission // not appended, or behind one that is not
	due     offsets     // appended, to be committed
	changed chan struct{}
}

// offsets are the next to read, by topic and partition.
type offsets map[string]map[int]int64

func (o offsets) set(topic string, number int, next int64) {
	if o[topic] == nil {
		o[topic] = map[int]int64{}
	}
	o[topic][number] = next
}

// emission is a batch on its way into the spool.
type emission struct {
	sources  []emitted
	appended bool
	refused  bool // the spool will never have it, and nothing behind it is due
}

type emitted struct {
	place
	source string
	next   int64
	counts
}

// renewed is a ledger for the next generation.
func (l *ledger) renewed() *ledger {
	return &ledger{counts: l.counts, sizes: l.sizes, due: offsets{}, changed: make(chan struct{}, 1)}
}

// enter enters a batch that is about to be emitted.
func (l *ledger) enter(b *record.Batch, of []*partition) *emission {
	if l == nil {
		return nil
	}
	e := &emission{}
	for _, p := range of {
		e.sources = append(e.sources, emitted{place{p.topic, p.number}, p.source, p.next, p.counts})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, e)
	b.Appended = func(err error) { l.appended(e, err) }
	return e
}

// emitted takes the last batch out again if Emit failed, and else counts it.
func (l *ledger) emitted(e *emission, err error) {
	if l == nil {
		return
	}
	if err == nil {
		for _, s := range e.sources {
			l.counts[s.source] = s.counts
		}
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = l.queue[:len(l.queue)-1]
}

// appended makes due what is in the spool with everything before it.
func (l *ledger) appended(e *emission, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.appended, e.refused = err == nil, err != nil
	for len(l.queue) > 0 && l.queue[0].appended {
		for _, s := range l.queue[0].sources {
			l.due.set(s.topic, int(s.number), s.next)
		}
		l.queue = l.queue[1:]
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// take returns what is to be committed, and whether everything that was emitted is
// in the spool, or never will be.
func (l *ledger) take() (due offsets, settled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	due, l.due = l.due, offsets{}
	return due, len(l.queue) == 0 || l.queue[0].refused
}

// giveBack makes due again what could not be committed, but for what has moved on.
func (l *ledger) giveBack(due offsets) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for topic, partitions := range due {
		for number, next := range partitions {
			if _, ok := l.due[topic][number]; !ok {
				l.due.set(topic, number, next)
			}
		}
	}
}

// grown says whether a topic has other partitions than at the last look.
func (l *ledger) grown(found *look) (grown bool) {
	if l == nil {
		return false
	}
	for topic, partitions := range found.partitions {
		was, known := l.sizes[topic]
		l.sizes[topic] = len(partitions)
		grown = grown || known && was != len(partitions)
	}
	for topic, err := range found.errs {
		if _, known := l.sizes[topic]; !known && errors.Is(err, kafka.UnknownTopicOrPartition) {
			l.sizes[topic] = 0
		}
	}
	return grown
}
