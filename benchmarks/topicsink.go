package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// topicPartitions is how many partitions a run's topic has.
	topicPartitions = 4
	// endsPace is how often a topic's ends are asked for while throughput is measured.
	endsPace = 10 * time.Millisecond
	// topicPatience bounds a question to the broker, and the reading of a whole topic.
	topicPatience = 2 * time.Minute
)

// A topicSink accounts for the records of a topic that is made for the run. While throughput is measured it only asks
// where the partitions end, and reads everything once the tool has ended: reading would cost the broker and the machine
// what the tool is to have. Where the lines are to be seen as they come, it reads all the while.
type topicSink struct {
	client *kgo.Client
	topic  string
	tally  *tally
	// next is the offset to read next, by partition.
	next [topicPartitions]int64
}

// topicSinkMain does for a topic what sinkMain does for a socket.
func topicSinkMain(broker string, t *tally, a announcer, released <-chan struct{}) (err error) {
	s := &topicSink{topic: "bench-" + strconv.FormatInt(time.Now().UnixNano(), 36), tally: t}
	s.client, err = kgo.NewClient(kgo.SeedBrokers(broker), kgo.MetadataMinAge(100*time.Millisecond), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(time.Second), kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }))
	if err != nil {
		return err
	}
	defer s.client.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := s.create(ctx); err != nil {
		return err
	}
	if err := a.events.Encode(sinkEvent{Event: "listening", Address: broker, Topic: s.topic}); err != nil {
		return err
	}
	measure := s.watch
	if t.latency {
		measure = s.follow
	}
	report, err := measure(ctx, a, released)
	if err != nil {
		return err
	}
	return errors.Join(a.events.Encode(sinkEvent{Event: "report", Report: &report}), s.delete(ctx))
}

// follow reads records as they come.
func (s *topicSink) follow(ctx context.Context, a announcer, released <-chan struct{}) (sinkReport, error) {
	s.consume()
	following, stop := context.WithCancel(ctx)
	var reader sync.WaitGroup
	reader.Go(func() {
		for following.Err() == nil {
			s.read(following)
		}
	})
	a.announce(s.tally.first, s.tally.completed, s.tally.silentSince, released)
	<-released
	stop()
	reader.Wait()
	err := s.readToEnds(ctx)
	return s.tally.result(), err
}

// watch takes the time of the first and of the last record from the partitions' ends, and reads the records afterwards.
func (s *topicSink) watch(ctx context.Context, a announcer, released <-chan struct{}) (sinkReport, error) {
	e := &topicEnds{sink: s, first: make(chan struct{}), completed: make(chan struct{})}
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	var err error
	watcher.Go(func() { err = e.watch(watching) })
	a.announce(e.first, e.completed, e.silentSince, released)
	<-released
	stop()
	watcher.Wait()
	// A tool that ends by itself may do so before the watcher has looked again.
	if err := errors.Join(err, e.look(ctx)); err != nil {
		return sinkReport{}, err
	}
	s.consume()
	if err := s.readToEnds(ctx); err != nil {
		return sinkReport{}, err
	}
	r := s.tally.result()
	r.FirstNanos, r.LastNanos = e.firstNanos, e.lastNanos
	return r, nil
}

// consume begins to fetch.
func (s *topicSink) consume() {
	from := make(map[int32]kgo.Offset)
	for p := range int32(topicPartitions) {
		from[p] = kgo.NewOffset().At(0)
	}
	s.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{s.topic: from})
}

// read accounts for what one fetch brings. What fails is tried again by the client.
func (s *topicSink) read(ctx context.Context) {
	s.client.PollFetches(ctx).EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		s.next[p.Partition] = p.Records[len(p.Records)-1].Offset + 1
		s.tally.addRecords(p.Records, time.Now())
	})
}

// readToEnds reads up to where the partitions end now.
func (s *topicSink) readToEnds(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, topicPatience)
	defer cancel()
	ends, err := s.ends(ctx)
	if err != nil {
		return err
	}
	for p := range topicPartitions {
		for s.next[p] < ends[p] {
			if s.read(ctx); ctx.Err() != nil {
				return fmt.Errorf("read %s: partition %d ends at %d and was read to %d: %w", s.topic, p, ends[p], s.next[p], ctx.Err())
			}
		}
	}
	return nil
}

// topicEnds is the clock of a measured run.
type topicEnds struct {
	sink             *topicSink
	first, completed chan struct{}

	mu                    sync.Mutex
	records               int64
	firstNanos, lastNanos int64 // when the first record was there, and when the latest was
}

// watch looks until every line has come, and may have come twice.
func (e *topicEnds) watch(ctx context.Context) error {
	tick := time.NewTicker(endsPace)
	defer tick.Stop()
	for {
		if err := e.look(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case <-e.completed:
			return nil
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (e *topicEnds) look(ctx context.Context) error {
	ends, err := e.sink.ends(ctx)
	if err != nil {
		return err
	}
	now := time.Now().UnixNano()
	var records int64
	for _, end := range ends {
		records += end
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	total := e.sink.tally.total
	if e.records >= total || records == e.records {
		return nil
	}
	if e.records == 0 {
		e.firstNanos = now
		close(e.first)
	}
	e.records, e.lastNanos = records, now
	if records >= total {
		close(e.completed)
	}
	return nil
}

func (e *topicEnds) silentSince() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lastNanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, e.lastNanos)
}

// ends are the partitions' ends, as a reader of committed records sees them.
func (s *topicSink) ends(ctx context.Context) (ends [topicPartitions]int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, topicPatience)
	defer cancel()
	list := kmsg.NewPtrListOffsetsRequest()
	list.IsolationLevel = 1
	of := kmsg.NewListOffsetsRequestTopic()
	of.Topic = s.topic
	for p := range int32(topicPartitions) {
		latest := kmsg.NewListOffsetsRequestTopicPartition()
		latest.Partition, latest.Timestamp = p, -1
		of.Partitions = append(of.Partitions, latest)
	}
	list.Topics = append(list.Topics, of)
	answer, err := list.RequestWith(ctx, s.client)
	if err != nil {
		return ends, err
	}
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return ends, fmt.Errorf("the end of %s-%d: %w", s.topic, p.Partition, err)
			}
			ends[p.Partition] = p.Offset
		}
	}
	return ends, nil
}

// create makes the topic and returns when its partitions answer.
func (s *topicSink) create(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, topicPatience)
	defer cancel()
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = s.topic, topicPartitions, 1
	create.Topics = append(create.Topics, topic)
	answer, err := create.RequestWith(ctx, s.client)
	if err != nil {
		return err
	}
	for _, t := range answer.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("create topic %s: %w", s.topic, err)
		}
	}
	for {
		_, err := s.ends(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *topicSink) delete(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, topicPatience)
	defer cancel()
	remove := kmsg.NewPtrDeleteTopicsRequest()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &s.topic
	remove.Topics, remove.TopicNames = append(remove.Topics, topic), []string{s.topic}
	_, err := remove.RequestWith(ctx, s.client)
	return err
}
