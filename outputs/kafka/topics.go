package kafka

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/outputs"
)

// lookAgain is how often the topics are looked at for new partitions and leaders
// while nothing fails.
const lookAgain = 30 * time.Second

// topics are those that were sent to in this life, with the goroutines that send.
// Run's goroutine owns them, but for names.
type topics struct {
	byName  map[string]*topic
	names   atomic.Pointer[[]string]
	workers sync.WaitGroup
}

// topic is one of them, with its partitions by number.
type topic struct {
	name       string
	partitions []*partition
	// next is where the search for a partition that is idle goes on.
	next int
}

// found is what the cluster says of a topic.
type found struct {
	topic      string
	partitions []kafka.Partition
}

// wait ends the partitions' goroutines once they have done what they were given, or
// the Run's context is done.
func (ts *topics) wait() {
	for _, t := range ts.byName {
		for _, p := range t.partitions {
			p.queue.close()
		}
	}
	ts.workers.Wait()
}

// update takes over what the cluster says of a topic. Partitions only become more,
// unless the topic was made anew: those that are gone then fail, and say so.
func (s *sender) update(ctx context.Context, f found) *topic {
	t := s.topics.byName[f.topic]
	if t == nil {
		t = &topic{name: f.topic}
		s.topics.byName[f.topic] = t
		names := make([]string, 0, len(s.topics.byName))
		for name := range s.topics.byName {
			names = append(names, name)
		}
		s.topics.names.Store(&names)
	}
	for i, p := range f.partitions {
		if i == len(t.partitions) {
			t.partitions = append(t.partitions, s.startPartition(ctx, t.name, int32(i)))
		}
		t.partitions[i].leaderless.Store(p.Leader.Host == "")
	}
	for _, gone := range t.partitions[len(f.partitions):] {
		gone.leaderless.Store(true)
	}
	return t
}

func (s *sender) startPartition(ctx context.Context, topic string, number int32) *partition {
	p := &partition{
		sender: s, topic: topic, number: number, next: s.first, last: -1,
		log:       s.env.Log.With("topic", topic, "partition", number),
		queue:     newQueue(),
		retry:     outputs.NewRetry(s.env, s.meter),
		assembler: assembler{router: router{topic: s.splitter.topic, byKey: s.splitter.byKey}, eventTime: s.cfg.Timestamp == "event", transactional: s.cfg.TransactionalID != ""},
	}
	s.topics.workers.Go(func() {
		if err := p.run(ctx); err != nil {
			s.fail(err)
		}
	})
	return p
}

// home is the partition that sends a piece. A topic that was made anew may have fewer
// partitions: any of them will then do.
func (s *sender) home(p *piece) *partition { return s.homeOf(p.job, p.route, p.partition) }

func (s *sender) homeOf(j *job, route int, number int32) *partition {
	all := s.topics.byName[j.routes[route].topic].partitions
	return all[int(number)%len(all)]
}

// watch looks at the topics once in a while, since partitions are added, and when an
// attempt has failed, since leaders move. It is a goroutine of its own: a cluster that
// does not answer must not hold up those partitions that do.
func (s *sender) watch(ctx context.Context) (err error) {
	defer outputs.Contain(&err)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.stale:
			s.cluster.Refresh()
		case <-time.After(lookAgain):
		}
	names:
		for _, name := range *s.topics.names.Load() {
			partitions, _, err := s.cluster.Topic(ctx, name)
			switch {
			case errors.Is(err, kafka.UnknownTopicOrPartition): // it says nothing of the others
			case err != nil:
				break names
			default:
				s.tell(ctx, found{name, partitions})
			}
		}
	}
}

// tell gives Run's goroutine what was found. That one may wait for a frame, for long: so
// those attempts that fail meanwhile have the cluster looked at all the same.
func (s *sender) tell(ctx context.Context, f found) {
	for {
		select {
		case s.found <- f:
			return
		case <-s.stale:
			s.cluster.Refresh()
		case <-ctx.Done():
			return
		}
	}
}

// idlePartition is one of t's that has nothing to do, gets on, and has a leader; if there
// is no such, any will do. It is nil while all are busy.
func (t *topic) idlePartition() *partition {
	var leaderless *partition
	leading := false
	for i := range t.partitions {
		p := t.partitions[(t.next+i)%len(t.partitions)]
		switch {
		case p.leaderless.Load() || p.behind:
			if p.queue.idle() {
				leaderless = p
			}
		case !p.queue.idle():
			leading = true
		default:
			t.next = int(p.number) + 1
			return p
		}
	}
	if leading {
		return nil
	}
	return leaderless
}

// stickyPartition is where the records without key of a frame go that is taken apart,
// or all of it in a transaction: the next that is idle, or the next that gets on, or the next at all.
func (t *topic) stickyPartition() int32 {
	if p := t.idlePartition(); p != nil {
		return p.number
	}
	for range t.partitions {
		t.next++
		if p := t.partitions[t.next%len(t.partitions)]; !p.behind && !p.leaderless.Load() {
			break
		}
	}
	return int32(t.next % len(t.partitions))
}
