package kafka

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/spillway/spillway/internal/kafkaconn"
	"github.com/spillway/spillway/internal/testkit/brokers"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool/recordbatch"
)

// looked is a topic of its own, and a batch in doubt for it for longer than dedup_ttl.
type looked struct {
	*testing.T
	broker *brokers.KafkaBroker
	topic  string
	cfg    *Config
	log    *outputstest.Log
}

// TestABatchInDoubtIsLookedFor: a broker that has forgotten a producer takes its batch
// again. So what was in doubt for longer than it remembers is looked for first.
func TestABatchInDoubtIsLookedFor(t *testing.T) {
	for _, version := range []brokers.KafkaVersion{brokers.Kafka39, brokers.Kafka43} {
		t.Run(string(version), func(t *testing.T) {
			broker := brokers.Kafka(t, version, brokers.WithProperty("producer.id.expiration.ms", "500"),
				brokers.WithProperty("producer.id.expiration.check.interval.ms", "100"))
			t.Run("and", func(t *testing.T) {
				for _, c := range lookCases {
					t.Run(c.name, func(t *testing.T) { c.run(t, broker) })
				}
			})
			t.Run("while the broker is stalled", func(t *testing.T) { looksAfterAStall(t, broker) })
		})
	}
}

// lookCase is what happens to a partition around a batch in doubt.
type lookCase struct {
	name    string
	configs map[string]string // the topic's
	event   bool              // the records keep their own times
	arrived bool              // the batch did
	before  func(*looked)     // the batch
	after   func(*looked)
	// want is how often the partition then has the batch, and counted how often that
	// is uncertain.
	want, counted int
}

var lookCases = []lookCase{
	{name: "it arrived", arrived: true, before: others(0), after: others(0), want: 1},
	{name: "it arrived, and more than an answer holds is around", arrived: true, before: many, after: many, want: 1},
	{name: "it arrived, stamped by the broker", configs: map[string]string{"message.timestamp.type": "LogAppendTime"}, arrived: true, before: others(0), after: others(0), want: 1},
	{name: "it arrived with times of its records", event: true, arrived: true, before: others(0), after: others(0), want: 1},
	{name: "it arrived, and what was before is gone", arrived: true, before: others(0), after: cut(2), want: 1},
	{name: "it arrived, and is gone", arrived: true, before: others(0), after: cut(4), want: 1, counted: 1},
	{name: "it never arrived, and nothing did", want: 1},
	{name: "it never arrived", before: others(0), after: others(0), want: 1},
	{name: "it never arrived, and more than an answer holds did", after: many, want: 1},
	{name: "it never arrived, and what was long before is still there", before: others(2 * time.Hour), after: both(others(0), cut(1)), want: 1},
	{name: "it never arrived, and is not told from what is gone", before: others(0), after: cut(1), want: 1, counted: 1},
	{name: "it never arrived, but times say nothing", before: others(2 * time.Hour), after: both(others(2*time.Hour), others(0), others(2*time.Hour), cut(1)), want: 1, counted: 1},
}

// others are two batches of somebody else's, of so long ago.
func others(ago time.Duration) func(*looked) {
	return func(l *looked) {
		for range 2 {
			l.produce(&kgo.Record{Value: []byte("another's"), Timestamp: time.Now().Add(-ago)})
		}
	}
}

// many are three times of what an answer holds.
func many(l *looked) {
	for i := range 12 {
		l.produce(&kgo.Record{Value: []byte(strings.Repeat(fmt.Sprint(i), lookBytes/4))})
	}
}

// cut deletes what is before an offset.
func cut(offset int64) func(*looked) {
	return func(l *looked) {
		l.Helper()
		req := kmsg.NewPtrDeleteRecordsRequest()
		topic, p := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
		topic.Topic, p.Offset = l.topic, offset
		topic.Partitions = append(topic.Partitions, p)
		req.Topics = append(req.Topics, topic)
		res, err := req.RequestWith(l.Context(), l.client())
		if err == nil {
			err = kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
		}
		if err != nil {
			l.Fatal(err)
		}
	}
}

func both(steps ...func(*looked)) func(*looked) {
	return func(l *looked) {
		for _, step := range steps {
			step(l)
		}
	}
}

func (l *looked) client() *kgo.Client {
	l.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(l.broker.Addr()), kgo.DefaultProduceTopic(l.topic), kgo.ProducerLinger(0),
		kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(c.Close)
	return c
}

func (l *looked) produce(r *kgo.Record) {
	l.Helper()
	if err := l.client().ProduceSync(l.Context(), r).FirstErr(); err != nil {
		l.Fatal(err)
	}
}

func (c *lookCase) run(t *testing.T, broker *brokers.KafkaBroker) {
	l := newLooked(t, broker, c.configs)
	t.Parallel()
	if c.event {
		l.cfg.Timestamp = "event"
	}
	if c.before != nil {
		c.before(l)
	}
	l.leaveInDoubt(c.arrived)
	if c.after != nil {
		c.after(l)
	}
	time.Sleep(1500 * time.Millisecond)
	r := start(t, l.cfg, l.log)
	acked(t, l.log)
	l.log.Append("next") // whose identity must not be that of the batch
	acked(t, l.log)
	l.check(c.want, "next")
	if n := r.count("spillway_delivery_uncertain_total", maybeDoubled); int(n) != c.counted {
		t.Errorf("counted %v times, want %d", n, c.counted)
	}
}

func newLooked(t *testing.T, broker *brokers.KafkaBroker, configs map[string]string) *looked {
	topic := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return '-'
	}, t.Name())
	l := &looked{T: t, broker: broker, topic: topic, log: outputstest.NewLog(t, recordbatch.Snappy)}
	broker.CreateTopic(l.topic, 1, configs)
	l.cfg = settings(broker.Addr())
	l.cfg.Topic, l.cfg.DedupTTL, l.cfg.RequestTimeout = l.topic, time.Second, time.Second
	return l
}

// leaveInDoubt appends a frame, notes that it was sent, and sends it if it is to arrive:
// an earlier life that was killed before it had an answer.
func (l *looked) leaveInDoubt(arrives bool) {
	l.Helper()
	cluster, err := kafkaconn.New(&l.cfg.Config)
	if err != nil {
		l.Fatal(err)
	}
	defer cluster.Close()
	id, err := cluster.ID(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	l.log.Append("in doubt", "as well")
	cursor := l.log.Open()
	frame, err := cursor.Next(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	s := &sender{cfg: l.cfg, cluster: cluster}
	var b batch
	until(l.T, "there is an identity", func() bool { b.id, err = s.newIdentity(l.Context()); return err == nil })
	b.end, b.state, b.since = frame.Count, sent, time.Now().UnixMilli()
	j := &job{frame: frame, routes: []route{{topic: l.topic}}}
	j.pieces = []*piece{{job: j, batches: []batch{b}}}
	if err := cursor.Stage(frame, appendNote(nil, l.cfg.bind(id), j)); err != nil {
		l.Fatal(err)
	}
	if !arrives {
		return
	}
	a := assembler{eventTime: l.cfg.Timestamp == "event"}
	if _, err := a.assemble(j.pieces[0], 0, time.Now().UnixMilli()); err != nil {
		l.Fatal(err)
	}
	res, err := cluster.RawProduce(l.Context(), &kafka.RawProduceRequest{
		Topic: l.topic, RequiredAcks: kafka.RequireAll, RawRecords: protocol.RawRecordSet{Reader: strings.NewReader(string(a.request))},
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		l.Fatal(err)
	}
}

// check wants the batch in doubt so often among what is readable, if it is at all, and
// each of more once.
func (l *looked) check(want int, more ...string) {
	l.Helper()
	got := map[string]int{}
	for _, r := range brokers.KafkaRecords(l.T, l.broker.Addr(), l.topic)[0] {
		got[string(r.Value)]++
	}
	if got["in doubt"] != want || got["as well"] != want {
		l.Errorf("the batch is there %d and %d times, want %d", got["in doubt"], got["as well"], want)
	}
	for _, v := range more {
		if got[v] != 1 {
			l.Errorf("%q is there %d times", v, got[v])
		}
	}
}

// looksAfterAStall has a batch in doubt in one life: its requests are with a broker that
// does not answer, and may take them when it goes on.
func looksAfterAStall(t *testing.T, broker *brokers.KafkaBroker) {
	l := newLooked(t, broker, nil)
	r := start(t, l.cfg, l.log)
	l.log.Append("first")
	acked(t, l.log)
	broker.Stall()
	l.log.Append("in doubt", "as well")
	time.Sleep(5 * time.Second)
	broker.Resume()
	acked(t, l.log)
	l.log.Append("next")
	acked(t, l.log)
	l.check(1, "first", "next")
	for _, why := range []string{maybeDoubled, brokerLost, duplicateAnswer} {
		if n := r.count("spillway_delivery_uncertain_total", why); n != 0 {
			t.Errorf("%s is counted %v times", why, n)
		}
	}
}

// TestALookEndsWithItsContext: also while the broker does not answer it.
func TestALookEndsWithItsContext(t *testing.T) {
	f := newFake(t, 1)
	cfg := settings(f.addr)
	cfg.DedupTTL = time.Nanosecond
	log := outputstest.NewLog(t, recordbatch.Snappy)
	leaveInDoubt(t, cfg, f, log, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := make(chan struct{}, 100)
	f.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		f.KeepControl()
		asked <- struct{}{}
		f.SleepControl(func() { <-ctx.Done() })
		return nil, nil, false
	})
	r := start(t, cfg, log)
	<-asked
	stopped := make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(5 * time.Second):
		t.Fatal("still runs 5 s after it was told to stop")
	}
}

// TestWhoMayNotReadSendsAllTheSame: a user of the output needs to write only.
func TestWhoMayNotReadSendsAllTheSame(t *testing.T) {
	f := newFake(t, 1)
	cfg := settings(f.addr)
	cfg.DedupTTL = time.Nanosecond
	log := outputstest.NewLog(t, recordbatch.Snappy)
	want := leaveInDoubt(t, cfg, f, log, 1)
	f.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if r.(*kmsg.ListOffsetsRequest).Version != 4 { // somebody else's
			f.KeepControl()
			return nil, nil, false
		}
		res := r.ResponseKind().(*kmsg.ListOffsetsResponse)
		topic, p := kmsg.NewListOffsetsResponseTopic(), kmsg.NewListOffsetsResponseTopicPartition()
		topic.Topic, p.ErrorCode = lines, kerr.TopicAuthorizationFailed.Code
		topic.Partitions = append(topic.Partitions, p)
		res.Topics = append(res.Topics, topic)
		return res, nil, true
	})
	f.settles(t, cfg, log, want, 1)
}

// TestWhatOnlyTheLeaderHasIsWaitedFor: no reader sees yet what its replicas do not have,
// and the batch may be among it.
func TestWhatOnlyTheLeaderHasIsWaitedFor(t *testing.T) {
	f := newFake(t, 1)
	cfg := settings(f.addr)
	cfg.DedupTTL = time.Nanosecond
	log := outputstest.NewLog(t, recordbatch.Snappy)
	want := leaveInDoubt(t, cfg, f, log, 1)
	var asked atomic.Int32
	f.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
		f.KeepControl()
		if r.(*kmsg.ListOffsetsRequest).ReplicaID != -2 || asked.Add(1) > 2 {
			return nil, nil, false
		}
		res := r.ResponseKind().(*kmsg.ListOffsetsResponse)
		topic, p := kmsg.NewListOffsetsResponseTopic(), kmsg.NewListOffsetsResponseTopicPartition()
		topic.Topic, p.Offset = lines, 1
		topic.Partitions = append(topic.Partitions, p)
		res.Topics = append(res.Topics, topic)
		return res, nil, true
	})
	f.answers(func(kmsg.Request) kmsg.Response {
		if n := asked.Load(); n < 3 {
			t.Errorf("sent again after %d looks at the end", n)
		}
		return nil
	})
	f.settles(t, cfg, log, want, 0)
}

// TestABatchThatIsNotThereGoesOutInAnotherEpoch: a request of before that comes late is
// then refused.
func TestABatchThatIsNotThereGoesOutInAnotherEpoch(t *testing.T) {
	f := newFake(t, 1)
	cfg := settings(f.addr)
	cfg.DedupTTL = 50 * time.Millisecond
	log := outputstest.NewLog(t, recordbatch.Snappy)
	r := start(t, cfg, log)
	log.Append("one")
	acked(t, log)
	f.once(func(r kmsg.Request) kmsg.Response {
		time.Sleep(2 * cfg.DedupTTL)
		return refuse(r, kerr.RequestTimedOut)
	})
	log.Append("two")
	log.Append("three")
	acked(t, log)
	var got []string
	for _, r := range brokers.KafkaRecords(t, f.addr, lines)[0] {
		got = append(got, fmt.Sprint(string(r.Value), " ", r.ProducerEpoch))
	}
	if !slices.Equal(got, []string{"one 0", "two 1", "three 1"}) {
		t.Errorf("%q", got)
	}
	if n := r.count("spillway_delivery_uncertain_total", maybeDoubled); n != 0 {
		t.Errorf("counted %v times", n)
	}
}

// headed is a header that stands in a log, and no records.
func headed(base int64, count int32, id identity, at int64) []byte {
	b, err := recordbatch.NewBuilder(recordbatch.None)
	if err != nil {
		panic(err)
	}
	b.Reset(0, at)
	for range count {
		b.Close(append(b.Open(), 'x'), nil)
	}
	data, err := b.Finish(nil)
	if err != nil {
		panic(err)
	}
	patch := recordbatch.Patch{ProducerID: id.producer, Epoch: id.epoch, Sequence: id.sequence, BaseTimestamp: at, MaxTimestamp: at}
	patch.Apply(data, slices.Clone(data))
	recordbatch.SetBaseOffset(data, base)
	return data
}

// TestWhatHeadersProve: each log is read from offset 9, one before the span, up to 20.
func TestWhatHeadersProve(t *testing.T) {
	ours, theirs := identity{7, 3, 100}, identity{8, 0, 0}
	const since = 1000
	all := func(batches ...[]byte) []byte { return slices.Concat(batches...) }
	for name, tt := range map[string]struct {
		first int64
		log   []byte
		found bool
		sure  bool
		next  int64
	}{
		"not there":                     {5, all(headed(9, 1, theirs, 1), headed(10, 10, theirs, since)), false, true, 20},
		"there":                         {5, all(headed(9, 1, theirs, 1), headed(10, 2, theirs, since), headed(12, 4, ours, since), headed(16, 4, theirs, since)), true, true, 12},
		"one of before comes along":     {5, all(headed(5, 4, theirs, 1), headed(9, 11, theirs, since)), false, true, 20},
		"across the beginning":          {5, all(headed(8, 12, theirs, since)), false, true, 20},
		"nothing of before":             {10, all(headed(10, 10, theirs, since)), false, false, 20},
		"a hole before it":              {5, all(headed(10, 10, theirs, since)), false, false, 20},
		"a hole in it":                  {5, all(headed(9, 1, theirs, 1), headed(12, 8, theirs, since)), false, false, 20},
		"a hole, from the beginning":    {0, all(headed(9, 1, theirs, 1), headed(12, 8, theirs, since)), false, false, 20},
		"old times in it":               {5, all(headed(9, 1, theirs, 1), headed(10, 10, theirs, 1)), false, false, 20},
		"old times, from the beginning": {0, all(headed(9, 1, theirs, 1), headed(10, 10, theirs, 1)), false, true, 20},
		"another epoch":                 {5, all(headed(9, 11, identity{7, 2, 100}, since)), false, true, 20},
		"another sequence":              {5, all(headed(9, 11, identity{7, 3, 101}, since)), false, true, 20},
		"another producer":              {5, all(headed(9, 11, identity{6, 3, 100}, since)), false, true, 20},
		"another count":                 {5, all(headed(9, 11, ours, since)), false, true, 20},
		"cut off behind the header":     {5, all(headed(9, 1, theirs, 1), headed(10, 10, theirs, since)[:recordbatch.HeaderLen]), false, true, 20},
		"cut off in the header":         {5, all(headed(9, 1, theirs, 1), headed(10, 10, theirs, since)[:recordbatch.HeaderLen-1]), false, true, 10},
	} {
		l := &look{id: ours, count: 4, since: since, first: tt.first, from: 10, next: max(9, tt.first)}
		found, err := l.take(tt.log)
		if err != nil || found != tt.found || l.sure() != tt.sure || l.next != tt.next {
			t.Errorf("%s: found %t, sure %t, next %d, %v", name, found, l.sure(), l.next, err)
		}
	}
	l := &look{id: ours, count: 4, from: 10, next: 9}
	if _, err := l.take(make([]byte, 100)); !final(err) {
		t.Errorf("what is no batch: %v", err)
	}
}

// TestABatchThatWasFoundUsesUpItsSequence: the next one must not be taken for it.
func TestABatchThatWasFoundUsesUpItsSequence(t *testing.T) {
	p := &partition{next: identity{1, 2, math.MaxInt32}, last: 4}
	p.advance(&batch{id: p.next}, 10, 3)
	if (p.next != identity{1, 2, 2}) || p.last != 12 {
		t.Errorf("%+v, last %d", p.next, p.last)
	}
}
