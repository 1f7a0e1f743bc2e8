package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// look is what a look at the cluster has found, by topic.
type look struct {
	partitions map[string][]kafka.Partition
	errs       map[string]error
}

// look asks who leads which partition, in a goroutine of its own.
func (r *reader) look(ctx context.Context) {
	r.looking = true
	r.tasks.Go(func() {
		l := &look{partitions: map[string][]kafka.Partition{}, errs: map[string]error{}}
		r.cluster.Refresh()
		for _, topic := range r.cfg.Topics {
			found, _, err := r.cluster.Topic(ctx, topic)
			if err != nil {
				l.errs[topic] = err
				continue
			}
			l.partitions[topic] = found
		}
		select {
		case r.looks <- l:
		case <-ctx.Done():
		}
	})
}

// lookSoon looks again, since something is not as it was when last looked, but not
// more than once a second.
func (r *reader) lookSoon() {
	if at := r.lastLook.Add(time.Second); at.Before(r.nextLook) {
		r.nextLook = at
	}
}

// looked takes up what a look has found. The error is errGrown.
func (r *reader) looked(l *look) error {
	r.looking = false
	r.lastLook, r.nextLook = r.now, r.now.Add(r.lookEvery)
	failed := false
	for _, topic := range r.cfg.Topics {
		err := l.errs[topic]
		if err == nil {
			err = r.meet(topic, l.partitions[topic])
		}
		if t := r.topics[topic]; err != nil {
			failed = true
			t.failed(r.input, r.now, "a topic can't be read as a whole, will be tried again", err)
		} else if t.failing == 0 {
			t.over(r.input, r.now, "the topic can be read again")
		}
	}
	r.lead()
	r.metrics.partitions.Set(float64(len(r.partitions)))
	if !failed {
		r.lookWait = backoff{}
	} else {
		r.lookWait.failed(r.now)
		r.nextLook = r.lookWait.until
	}
	if r.ledger.grown(l) {
		return errGrown
	}
	return nil
}

// lead gives each leader its partitions.
func (r *reader) lead() {
	for _, n := range r.leaders {
		n.partitions = n.partitions[:0]
	}
	for _, p := range r.partitions {
		if p.leader < 0 {
			continue
		}
		n := r.leaders[p.leader]
		if n == nil {
			n = &leader{}
			r.leaders[p.leader] = n
		}
		n.partitions = append(n.partitions, p)
	}
	for id, n := range r.leaders {
		if len(n.partitions) == 0 && !n.busy {
			delete(r.leaders, id)
		}
	}
}

// meet takes up who leads a topic's partitions, and begins with those that are new.
// The error is about what can't be read for now.
func (r *reader) meet(topic string, found []kafka.Partition) error {
	var err error
	for _, f := range found {
		number := int32(f.ID)
		p := r.find[place{topic, number}]
		if p == nil {
			if r.assigned || !r.cfg.reads(number) {
				continue
			}
			p = newPartition(topic, number)
			p.atEnd = r.cfg.startAtEnd() && !r.topics[topic].known
			r.add(p)
		}
		if p.leader = int32(f.Leader.ID); f.Leader.Host == "" {
			p.leader = -1
			err = fmt.Errorf("topic %q: partition %d has no leader", topic, number)
		}
	}
	r.topics[topic].met, r.topics[topic].known = true, true // what is added later is new, and read from its beginning
	return errors.Join(err, r.cfg.missing(topic, len(found)))
}
