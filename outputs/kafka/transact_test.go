package kafka

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/spillway/spillway/internal/testkit/brokers"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool/recordbatch"
)

func transactional(addr string) *Config {
	cfg := settings(addr)
	cfg.TransactionalID, cfg.CommitInterval = "test", 5*time.Millisecond
	return cfg
}

// TestAnAbortedTransactionIsSentAgain: one of a transaction's batches is fenced in the
// middle. Nothing of it is seen, and all of it comes once in another one.
func TestAnAbortedTransactionIsSentAgain(t *testing.T) {
	f := newFake(t, 3)
	log := outputstest.NewLog(t, recordbatch.Snappy)
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprintf("%02d", i))
		log.Append(want[i])
	}
	requests := 0
	f.answers(func(r kmsg.Request) kmsg.Response {
		if requests++; requests == 10 || requests == 45 {
			return refuse(r, kerr.InvalidProducerEpoch)
		}
		return nil
	})
	start(t, transactional(f.addr), log)
	acked(t, log)
	got := f.values(t)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if requests < 32 {
		t.Errorf("%d requests: nothing was sent twice, so nothing was aborted", requests)
	}
}

// TestARivalDoesNotStopThePipeline: another process with our transactional id gets in
// between while we take a new epoch.
func TestARivalDoesNotStopThePipeline(t *testing.T) {
	f := newFake(t, 1)
	log := outputstest.NewLog(t, recordbatch.Snappy)
	start(t, transactional(f.addr), log)
	log.Append("one")
	acked(t, log)
	f.ControlKey(int16(kmsg.InitProducerID), func(r kmsg.Request) (kmsg.Response, error, bool) {
		res := r.ResponseKind().(*kmsg.InitProducerIDResponse)
		res.ErrorCode = kerr.ProducerFenced.Code
		return res, nil, true
	})
	f.once(func(r kmsg.Request) kmsg.Response { return refuse(r, kerr.InvalidProducerEpoch) })
	log.Append("two")
	acked(t, log)
	if got := f.values(t); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("%q", got)
	}
}

// TestTransactionsByKeyAndTopic: frames that are taken apart are in transactions, too.
func TestTransactionsByKeyAndTopic(t *testing.T) {
	f := newFake(t, 4)
	cfg := transactional(f.addr)
	cfg.PartitionBy = "key"
	log := outputstest.NewLog(t, recordbatch.Snappy)
	want := numbered(0, 2000, 31)
	for i := 0; i < len(want); i += 100 {
		appendMessages(t, log, want[i:i+100]...)
	}
	start(t, cfg, log)
	acked(t, log)
	checkByKey(t, f.addr, lines, want, 4)

	cfg = transactional(f.addr)
	cfg.TransactionalID, cfg.Topic, cfg.CursorTopic = "topics", "{{topic}}", lines
	log = outputstest.NewLog(t, recordbatch.Snappy)
	before := len(f.values(t))
	appendMessages(t, log, message{topic: lines, value: "one"}, message{value: "no topic"})
	appendMessages(t, log, message{value: "no topic"})
	start(t, cfg, log)
	acked(t, log)
	if n := len(f.values(t)); n != before+1 || len(log.Rejected()) != 2 {
		t.Errorf("%d new values and %d dead letters, want 1 and 2", n-before, len(log.Rejected()))
	}
}

// TestAnUnstableCursorIsAskedForAgain: the coordinator has not taken up how the last
// transaction has ended. The offset before it would have what it held come twice.
func TestAnUnstableCursorIsAskedForAgain(t *testing.T) {
	f := newFake(t, 1)
	log := outputstest.NewLog(t, recordbatch.Snappy)
	log.Append("once")
	cursor := log.Open()
	frame, err := cursor.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg := transactional(f.addr)
	if err := cursor.Stage(frame, appendNote(nil, cfg.bind(f.id(t)), &job{})); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	f.ControlKey(int16(kmsg.OffsetFetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		f.KeepControl()
		fetch := r.(*kmsg.OffsetFetchRequest)
		if !fetch.RequireStable {
			t.Error("asked for an offset that need not be stable")
		}
		res := fetch.ResponseKind().(*kmsg.OffsetFetchResponse)
		topic := kmsg.NewOffsetFetchResponseTopic()
		p := kmsg.NewOffsetFetchResponseTopicPartition()
		topic.Topic, p.Offset = fetch.Topics[0].Topic, -1
		if asked.Add(1) < 3 {
			p.ErrorCode = kerr.UnstableOffsetCommit.Code
		} else {
			mark := markOf(frame.Checksum())
			p.Offset, p.Metadata = frame.End(), &mark
		}
		topic.Partitions = append(topic.Partitions, p)
		res.Topics = append(res.Topics, topic)
		return res, nil, true
	})
	r := start(t, cfg, log)
	acked(t, log)
	if got := f.values(t); len(got) > 0 {
		t.Errorf("%q is sent, which the cursor says is there", got)
	}
	if n := r.count("spillway_delivery_uncertain_total", maybeDoubled); n != 0 || asked.Load() != 3 {
		t.Errorf("counted %v times, asked %d times", n, asked.Load())
	}
}

// TestACursorOfAnotherSpoolIsNotBelieved: the group's offset is past what is in doubt,
// but was never staged here. The frames are sent, and counted.
func TestACursorOfAnotherSpoolIsNotBelieved(t *testing.T) {
	f := newFake(t, 1)
	other := outputstest.NewLog(t, recordbatch.Snappy)
	for range 20 {
		other.Append("theirs")
	}
	r := start(t, transactional(f.addr), other)
	acked(t, other)
	r.stop()

	ours := outputstest.NewLog(t, recordbatch.Snappy)
	ours.Append("ours")
	cursor := ours.Open()
	frame, err := cursor.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := cursor.Stage(frame, appendNote(nil, transactional(f.addr).bind(f.id(t)), &job{})); err != nil {
		t.Fatal(err)
	}
	r = start(t, transactional(f.addr), ours)
	acked(t, ours)
	records := brokers.KafkaRecords(t, f.addr, lines)[0]
	if last := string(records[len(records)-1].Value); last != "ours" || len(records) != 21 {
		t.Errorf("%d records, the last is %q", len(records), last)
	}
	if n := r.count("spillway_delivery_uncertain_total", maybeDoubled); n != 1 {
		t.Errorf("counted %v times, want once", n)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		"topic: logs":                                    "",
		"topic: logs/x":                                  "topic",
		"topic: 'logs-{{a}}'":                            "",
		"topic: 'logs-{{a'":                              "topic",
		"topic: logs\nkey: '{{'":                         "key",
		"topic: logs\nheaders: {a: '{{'}":                "headers",
		"topic: logs\ncursor_topic: x":                   "transactional_id",
		"topic: logs\ntransactional_id: a":               "",
		"topic: logs\ntransactional_id: a\nacks: leader": "acks",
		"topic: 'l-{{a}}'\ntransactional_id: a":          "cursor_topic",
		"topic: logs\nheaders: {spillway.topic: a}":      "uses itself",
		"topic: logs\nsasl: {mechanism: plain}":          "username",
		"topic: logs\nsasl: {username: me}":              "mechanism",
	} {
		if got := decode(t, "brokers: ['a:9092']\n"+text); !says(got, want) {
			t.Errorf("%s: %v, want %q", text, got, want)
		}
	}
	if err := decode(t, "brokers: [a]\ntopic: b"); !says(err, "brokers") {
		t.Error(err)
	}
}
