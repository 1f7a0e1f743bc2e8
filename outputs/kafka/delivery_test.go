package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/spillway/spillway/internal/testkit/brokers"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool/recordbatch"
)

// run is one start of an output.
type run struct {
	t       *testing.T
	metrics *prometheus.Registry
	stop    func()
}

// start runs an output on a log until stop.
func start(t *testing.T, cfg *Config, log *outputstest.Log) *run {
	t.Helper()
	env := outputstest.Env(t)
	env.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	r := &run{t: t, metrics: env.Metrics.(*prometheus.Registry)}
	out, err := New(cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	in := log.Open()
	go func() { ended <- out.Run(ctx, in) }()
	stopped := false
	r.stop = func() {
		cancel()
		if !stopped {
			stopped = true
			if err := <-ended; err != context.Canceled && err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(r.stop)
	return r
}

// count is a counter's value, by a label's value if there is one.
func (r *run) count(name, label string) float64 {
	r.t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == label })) {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func acked(t *testing.T, log *outputstest.Log) {
	t.Helper()
	until(t, "all is acknowledged", func() bool { return log.Frontier() == log.End() })
}

// message is a record with a key and a topic of its own.
type message struct{ key, topic, value string }

// appendMessages adds one frame.
func appendMessages(t *testing.T, log *outputstest.Log, messages ...message) {
	t.Helper()
	b, err := recordbatch.NewBuilder(recordbatch.Snappy)
	if err != nil {
		t.Fatal(err)
	}
	b.Reset(0, 0)
	for _, m := range messages {
		var key []byte
		if m.key != "" {
			key = []byte(m.key)
		}
		var headers []recordbatch.RecordHeader
		if m.topic != "" {
			headers = append(headers, recordbatch.RecordHeader{Key: []byte(topicHeader), Value: []byte(m.topic)})
		}
		headers = append(headers, recordbatch.RecordHeader{Key: []byte("kept"), Value: []byte("yes")})
		b.Close(append(b.Open(), m.value...), key, headers...)
	}
	data, err := b.Finish(nil)
	if err != nil {
		t.Fatal(err)
	}
	log.AppendFrame(data, int32(len(messages)))
}

// numbered are messages with keys, each with a number that grows per key.
func numbered(from, n, keys int) []message {
	var all []message
	for i := from; i < from+n; i++ {
		all = append(all, message{key: fmt.Sprintf("key-%d", i%keys), value: fmt.Sprintf("key-%d %d", i%keys, i)})
	}
	return all
}

// checkByKey checks that every message is there once, where Java's client would have
// sent it, in order.
func checkByKey(t *testing.T, addr, topic string, want []message, partitions int) {
	t.Helper()
	numbers := make([]int, partitions)
	for i := range numbers {
		numbers[i] = i
	}
	got := map[string][]string{}
	total := 0
	for number, records := range brokers.KafkaRecords(t, addr, topic) {
		for _, r := range records {
			if p := (kafka.Murmur2Balancer{}).Balance(kafka.Message{Key: r.Key}, numbers...); p != int(number) {
				t.Errorf("key %q is in partition %d, want %d", r.Key, number, p)
			}
			if len(r.Headers) != 1 || r.Headers[0].Key != "kept" {
				t.Errorf("headers %v", r.Headers)
			}
			got[string(r.Key)] = append(got[string(r.Key)], string(r.Value))
			total++
		}
	}
	by := map[string][]string{}
	for _, m := range want {
		by[m.key] = append(by[m.key], m.value)
	}
	for key, values := range by {
		if !slices.Equal(got[key], values) {
			t.Errorf("%s: %d values, want %d, or another order", key, len(got[key]), len(values))
		}
	}
	if total != len(want) {
		t.Errorf("%d records, want %d", total, len(want))
	}
}

func TestKeysGoWhereJavaWouldSendThem(t *testing.T) {
	f := newFake(t, 5)
	cfg := settings(f.addr)
	cfg.PartitionBy = "key"
	log := outputstest.NewLog(t, recordbatch.Snappy)
	want := numbered(0, 5000, 97)
	for i := 0; i < len(want); i += 500 {
		appendMessages(t, log, want[i:i+500]...)
	}
	start(t, cfg, log)
	acked(t, log)
	checkByKey(t, f.addr, lines, want, 5)
}

// TestKilledAmongKeysGoesOn: a frame whose pieces are partly delivered is completed,
// and nothing of it comes twice.
func TestKilledAmongKeysGoesOn(t *testing.T) {
	f := newFake(t, 4)
	cfg := settings(f.addr)
	cfg.PartitionBy = "key"
	log := outputstest.NewLog(t, recordbatch.Snappy)
	var want []message
	for range 8 {
		r := start(t, cfg, log)
		before := log.Frontier()
		for range 40 {
			more := numbered(len(want), 50, 13)
			want = append(want, more...)
			appendMessages(t, log, more...)
		}
		until(t, "some is acknowledged", func() bool { return log.Frontier() > before })
		log.Open()
		r.stop()
	}
	start(t, cfg, log)
	acked(t, log)
	checkByKey(t, f.addr, lines, want, 4)
}

func TestPartitionThatFailsDoesNotHoldUpTheOthers(t *testing.T) {
	f := newFake(t, 3)
	f.refusePartition(0, kerr.NotLeaderForPartition)
	log := outputstest.NewLog(t, recordbatch.Snappy)
	for i := range 50 {
		log.Append(fmt.Sprint("value ", i))
	}
	start(t, settings(f.addr), log)
	until(t, "all but what is stuck has arrived", func() bool { return len(f.values(t)) == 49 })
	f.refusePartition(-1, nil)
	acked(t, log)
	if n := len(f.values(t)); n != 50 {
		t.Errorf("%d values, want 50", n)
	}
}

func TestWhatIsTooLargeIsHalved(t *testing.T) {
	f := newFake(t, 1, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "20000"}))
	log := outputstest.NewLog(t, recordbatch.None)
	var values []string
	for i := range 300 {
		values = append(values, fmt.Sprintf("%03d %s", i, strings.Repeat("x", 500)))
	}
	values[150] = strings.Repeat("y", 30000)
	log.Append(values...)
	start(t, settings(f.addr), log)
	acked(t, log)
	want := slices.Delete(slices.Clone(values), 150, 151)
	if got := f.values(t); !slices.Equal(got, want) {
		t.Errorf("%d values, want %d in order", len(got), len(want))
	}
	if rejected := log.Rejected(); len(rejected) != 1 || rejected[0].Offset != 150 {
		t.Errorf("rejected: %v, want the record at 150 alone", rejected)
	}
}

// TestForgottenProducersTakeANewEpoch: a broker that has lost what it knew of us gets
// the batch in a new epoch, and that is counted.
func TestForgottenProducersTakeANewEpoch(t *testing.T) {
	for _, c := range []struct {
		why    *kerr.Error
		reason string
	}{
		{kerr.OutOfOrderSequenceNumber, brokerLost},
		{kerr.UnknownProducerID, brokerLost},
		{kerr.InvalidProducerEpoch, duplicateAnswer},
	} {
		t.Run(c.why.Message, func(t *testing.T) {
			f := newFake(t, 1)
			log := outputstest.NewLog(t, recordbatch.Snappy)
			r := start(t, settings(f.addr), log)
			log.Append("one")
			acked(t, log)
			f.once(func(req kmsg.Request) kmsg.Response { return refuse(req, c.why) })
			log.Append("two")
			log.Append("three")
			acked(t, log)
			if got := f.values(t); !slices.Equal(got, []string{"one", "two", "three"}) {
				t.Errorf("%q", got)
			}
			if n := r.count("spillway_delivery_uncertain_total", c.reason); n != 1 {
				t.Errorf("%s counted %v times, want once", c.reason, n)
			}
		})
	}
}

func TestTopicsFromFields(t *testing.T) {
	f := newFake(t, 2, kfake.SeedTopics(3, "logs-a", "logs-b", "logs-c"))
	cfg := settings(f.addr)
	cfg.Topic, cfg.MaxTopics = "logs-{{service}}", 2
	log := outputstest.NewLog(t, recordbatch.Snappy)
	appendMessages(t, log,
		message{topic: "logs-a", value: "a1"}, message{topic: "logs-b", value: "b1"}, message{topic: "logs-a", value: "a2"},
		message{topic: "logs-none", value: "no such topic"}, message{topic: "logs-c", value: "one too many"},
		message{topic: "logs-ä", value: "no name"}, message{value: "no field"})
	r := start(t, cfg, log)
	acked(t, log)
	for topic, want := range map[string][]string{"logs-a": {"a1", "a2"}, "logs-b": {"b1"}, "logs-c": nil} {
		var got []string
		for _, records := range brokers.KafkaRecords(t, f.addr, topic) {
			for _, r := range records {
				got = append(got, string(r.Value))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", topic, got, want)
		}
	}
	var causes []string
	for _, r := range log.Rejected() {
		causes = append(causes, fmt.Sprint(r.Offset, " ", r.Cause))
	}
	for i, want := range []string{"logs-none", "max_topics", "is not among", "lacks a field"} {
		if i >= len(causes) || !strings.Contains(causes[i], want) {
			t.Errorf("dead letters %q, want %q at %d", causes, want, i)
		}
	}
	if n := r.count("spillway_output_sent_frames_total", ""); n != 1 {
		t.Errorf("%v frames sent", n)
	}
}

// TestACopiedIdentityIsNoticed: something else has sent under our identity, so that
// the broker takes our next batch for a duplicate. It must arrive all the same.
func TestACopiedIdentityIsNoticed(t *testing.T) {
	f := newFake(t, 1)
	log := outputstest.NewLog(t, recordbatch.Snappy)
	r := start(t, settings(f.addr), log)
	log.Append("one")
	acked(t, log)
	f.once(func(req kmsg.Request) kmsg.Response {
		// What a broker says of a duplicate: where it has the first, and since when.
		res := refuse(req, &kerr.Error{}).(*kmsg.ProduceResponse)
		res.Topics[0].Partitions[0].BaseOffset = 0
		res.Topics[0].Partitions[0].LogAppendTime = time.Now().UnixMilli() - 1000
		return res
	})
	log.Append("two")
	acked(t, log)
	if got := f.values(t); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("%q", got)
	}
	if n := r.count("spillway_delivery_uncertain_total", duplicateAnswer); n != 1 {
		t.Errorf("counted %v times, want once", n)
	}
}
