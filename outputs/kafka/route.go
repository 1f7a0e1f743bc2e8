package kafka

import (
	"fmt"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/recordbatch"
)

// topicHeader is the header in which a lane keeps the topic that a record's fields
// name. It is not sent.
const topicHeader = "spillway.topic"

// router says which records go where.
type router struct {
	// topic is the one there is, or empty where a header names each record's.
	topic string
	byKey bool
	// numbers are 0, 1, 2 …, as the balancer wants its partitions.
	numbers  []int
	balancer kafka.Murmur2Balancer
	headers  []recordbatch.RecordHeader
}

// splits says that the records of a frame may go to several partitions.
func (r *router) splits() bool { return r.byKey || r.topic == "" }

// topicOf is the topic of a record; empty if the record has none.
func (r *router) topicOf(rec *recordbatch.Record) string {
	if r.topic != "" {
		return r.topic
	}
	r.headers = rec.Headers(r.headers[:0])
	for _, h := range r.headers {
		if string(h.Key) == topicHeader {
			return string(h.Value)
		}
	}
	return ""
}

// partitionOf is the partition of a record on a route, as Java's client would choose
// it by the key.
func (r *router) partitionOf(rec *recordbatch.Record, on *route) int32 {
	if !r.byKey || rec.Key == nil {
		return on.sticky
	}
	for len(r.numbers) < int(on.partitions) {
		r.numbers = append(r.numbers, len(r.numbers))
	}
	return int32(r.balancer.Balance(kafka.Message{Key: rec.Key}, r.numbers[:on.partitions]...))
}

// takes says whether a record of p's frame is one of p's.
func (r *router) takes(p *piece, rec *recordbatch.Record) bool {
	on := &p.job.routes[p.route]
	return on.partitions == 0 || r.topicOf(rec) == on.topic && r.partitionOf(rec, on) == p.partition
}

// bin collects the records of one piece while a frame is taken apart.
type bin struct {
	piece   *piece
	builder *recordbatch.Builder
}

// splitter takes frames apart. Run's goroutine owns it.
type splitter struct {
	router
	records recordbatch.Reader
	copier  copier
	bins    []bin
	spare   []*recordbatch.Builder
	codec   recordbatch.Codec
}

// refusedRecord is one that no topic will have, and why.
type refusedRecord struct {
	index int32
	cause error
}

// split makes the pieces of a frame. resolve finds the route for a topic, or says why
// there is none; it is asked once for each.
func (s *splitter) split(f *spool.Frame, resolve func(topic string) (route, error)) (*job, []refusedRecord, error) {
	if err := f.Records(&s.records); err != nil {
		return nil, nil, err
	}
	if c := s.records.Header().Codec(); c != s.codec {
		s.codec, s.spare = c, nil
	}
	j := &job{frame: f, base: f.Base}
	s.bins = s.bins[:0]
	var refused []refusedRecord
	none := map[string]error{}
	for s.records.Next() {
		rec := s.records.Record()
		topic := s.topicOf(&rec)
		at, err := j.routeTo(topic, none, resolve)
		if err != nil {
			refused = append(refused, refusedRecord{rec.OffsetDelta, err})
			j.reject(rec.OffsetDelta)
			continue
		}
		b, err := s.bin(j, at, s.partitionOf(&rec, &j.routes[at]))
		if err != nil {
			return nil, nil, err
		}
		s.copier.copy(b, &rec)
	}
	if err := s.records.Err(); err != nil {
		return nil, nil, err
	}
	for _, b := range s.bins {
		var err error
		if b.piece.data, err = b.builder.Finish(nil); err != nil {
			return nil, nil, err
		}
		s.spare = append(s.spare, b.builder)
	}
	j.left = len(j.pieces)
	return j, refused, nil
}

// routeTo is the index of the job's route to a topic.
func (j *job) routeTo(topic string, none map[string]error, resolve func(string) (route, error)) (int, error) {
	for i := range j.routes {
		if j.routes[i].topic == topic {
			return i, nil
		}
	}
	if err := none[topic]; err != nil {
		return 0, err
	}
	r, err := resolve(topic)
	if err != nil {
		none[topic] = err
		return 0, err
	}
	j.routes = append(j.routes, r)
	return len(j.routes) - 1, nil
}

// bin is the builder of the piece for a partition.
func (s *splitter) bin(j *job, at int, partition int32) (*recordbatch.Builder, error) {
	for i := range s.bins {
		if p := s.bins[i].piece; p.route == at && p.partition == partition {
			return s.bins[i].builder, nil
		}
	}
	var b *recordbatch.Builder
	if n := len(s.spare); n > 0 {
		b, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		var err error
		if b, err = recordbatch.NewBuilder(s.codec); err != nil {
			return nil, err
		}
	}
	b.Reset(0, s.records.Header().BaseTimestamp)
	p := &piece{job: j, route: at, partition: partition, batches: []batch{{end: j.frame.Count}}}
	j.pieces = append(j.pieces, p)
	s.bins = append(s.bins, bin{p, b})
	return b, nil
}

// copier copies records from one batch to another.
type copier struct{ headers []recordbatch.RecordHeader }

// copy adds rec to b, without what was for the sender only.
func (c *copier) copy(b *recordbatch.Builder, rec *recordbatch.Record) {
	c.headers = rec.Headers(c.headers[:0])
	kept := c.headers[:0]
	for _, h := range c.headers {
		if string(h.Key) != topicHeader {
			kept = append(kept, h)
		}
	}
	b.CloseAt(append(b.Open(), rec.Value...), rec.Key, rec.Timestamp, kept...)
}

// errNoTopic is the cause for a record whose fields name no topic.
func (c *Config) errNoTopic() error {
	return fmt.Errorf("topic %q: the record lacks a field of it", c.Topic)
}
