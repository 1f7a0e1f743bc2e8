package kafka

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/spillway/spillway/internal/kafkaconn"
	"github.com/spillway/spillway/internal/testkit/brokers"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/recordbatch"
)

// rejecting is a cursor that looks when a record is rejected.
type rejecting struct {
	outputs.Frames
	look func() error
}

func (r rejecting) Reject(*spool.Frame, int32, error) error { return r.look() }

// TestARejectedRecordIsNotedOnlyOnceItIsSafe: a note that said it before would have a
// crash in between lose the record.
func TestARejectedRecordIsNotedOnlyOnceItIsSafe(t *testing.T) {
	j := exampleJob()
	full := errors.New("no dead letters today")
	s := &sender{in: rejecting{look: func() error {
		if j.isRejected(7) {
			t.Error("noted before it is with the dead letters")
		}
		return full
	}}}
	if err := s.rejectOnce(j, 7, kerr.InvalidRecord); !errors.Is(err, full) || j.isRejected(7) {
		t.Errorf("%v, noted: %t", err, j.isRejected(7))
	}
	s.in = rejecting{look: func() error { return nil }}
	if err := s.rejectOnce(j, 7, kerr.InvalidRecord); err != nil || !j.isRejected(7) {
		t.Errorf("%v, noted: %t", err, j.isRejected(7))
	}
}

// id is the cluster's.
func (f *fake) id(t *testing.T) string {
	t.Helper()
	c, err := kafkaconn.New(&settings(f.addr).Config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	id, err := c.ID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// leaveInDoubt appends a frame for each partition, and notes that an earlier life has
// sent it there, under one producer and the same sequence.
func leaveInDoubt(t *testing.T, cfg *Config, f *fake, log *outputstest.Log, partitions int32) (values []string) {
	t.Helper()
	for n := range partitions {
		values = append(values, fmt.Sprint("in doubt ", n))
		log.Append(values[n])
	}
	cursor := log.Open()
	for n := range partitions {
		frame, err := cursor.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		j := &job{frame: frame, routes: []route{{topic: lines}}}
		j.pieces = []*piece{{job: j, partition: n, batches: []batch{{
			end: 1, state: sent, id: identity{producer: 4711}, since: time.Now().UnixMilli(),
		}}}}
		if err := cursor.Stage(frame, appendNote(nil, cfg.bind(f.id(t)), j)); err != nil {
			t.Fatal(err)
		}
	}
	return values
}

// TestPartitionsThatAreGoneDropNothing: what was in doubt for them goes to those that the
// topic still has. Under the old identity the broker would take one for the other.
func TestPartitionsThatAreGoneDropNothing(t *testing.T) {
	f := newFake(t, 2)
	cfg := settings(f.addr)
	log := outputstest.NewLog(t, recordbatch.Snappy)
	want := leaveInDoubt(t, cfg, f, log, 6)
	r := start(t, cfg, log)
	acked(t, log)
	got := f.values(t)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := r.count("spillway_delivery_uncertain_total", brokerLost); n != 4 {
		t.Errorf("counted %v times, want 4", n)
	}
}

// TestStopsWithMorePiecesThanFit: the pieces of a topic that had many partitions go to the
// one that it has now, which takes none. Nobody may wait there for ever.
func TestStopsWithMorePiecesThanFit(t *testing.T) {
	f := newFake(t, 1)
	f.refusePartition(0, kerr.NotEnoughReplicas)
	cfg := settings(f.addr)
	cfg.PartitionBy = "key"
	log := outputstest.NewLog(t, recordbatch.Snappy)
	messages := numbered(0, 1000, 1000)
	appendMessages(t, log, messages...)
	cursor := log.Open()
	frame, err := cursor.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j, _, err := (&splitter{router: router{topic: lines, byKey: true}}).split(frame,
		func(string) (route, error) { return route{topic: lines, partitions: 100}, nil })
	if err != nil || len(j.pieces) < 90 {
		t.Fatalf("%d pieces: %v", len(j.pieces), err)
	}
	if err := cursor.Stage(frame, appendNote(nil, cfg.bind(f.id(t)), j)); err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int32
	f.answers(func(r kmsg.Request) kmsg.Response {
		requests.Add(1)
		return refuse(r, kerr.NotEnoughReplicas)
	})
	r := start(t, cfg, log)
	until(t, "something was sent", func() bool { return requests.Load() > 0 })
	stopped := make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(5 * time.Second):
		t.Fatal("still runs 5 s after it was told to stop")
	}
	f.refusePartition(-1, nil)
	start(t, cfg, log)
	acked(t, log)
	if n := len(f.values(t)); n != len(messages) {
		t.Errorf("%d values, want %d", n, len(messages))
	}
}

// TestNoClockDecidesWhatIsADuplicate: an offset that does not grow, with a time beside it,
// is a duplicate or a fresh batch of a topic that was made anew, where brokers stamp what
// they append. It is sent again, whatever their clock says, and just once.
func TestNoClockDecidesWhatIsADuplicate(t *testing.T) {
	for name, skew := range map[string]time.Duration{"behind": -5 * time.Second, "even": 0, "ahead": 5 * time.Second} {
		p := &partition{
			sender: &sender{cfg: Default(), metrics: newMetrics(outputs.NewMeter(outputstest.Env(t)))},
			log:    slog.New(slog.DiscardHandler), last: 1_000_000,
		}
		p.assembler.stamp = time.Now().UnixMilli()
		at := time.UnixMilli(p.assembler.stamp).Add(skew)
		var again []int64
		for offset := range int64(100) {
			if !p.accept(&batch{end: 1}, &answer{BaseOffset: offset, LogAppendTime: at}, 1, false, false) {
				again = append(again, offset)
			}
		}
		if !slices.Equal(again, []int64{0}) {
			t.Errorf("%s: sent again at offsets %v, want at 0 alone", name, again)
		}
	}
}

// settles starts an output on a log with batches in doubt: these values are to be there, and
// so many batches to count as perhaps doubled.
func (f *fake) settles(t *testing.T, cfg *Config, log *outputstest.Log, want []string, doubled float64) {
	t.Helper()
	r := start(t, cfg, log)
	acked(t, log)
	if got := f.values(t); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := r.count("spillway_delivery_uncertain_total", maybeDoubled); n != doubled {
		t.Errorf("counted %v times, want %v", n, doubled)
	}
}

// TestWhatAnotherConfigurationLeftInDoubtIsCounted: it can't be sent as the same batch,
// so it may come twice.
func TestWhatAnotherConfigurationLeftInDoubtIsCounted(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"by key":        func(c *Config) { c.PartitionBy = "key" },
		"transactions":  func(c *Config) { c.TransactionalID = "test" },
		"another topic": func(c *Config) { c.Topic = "{{topic}}" },
		"acks":          func(c *Config) { c.Acks = "leader" },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, 1)
			before, cfg := settings(f.addr), settings(f.addr)
			change(before)
			log := outputstest.NewLog(t, recordbatch.Snappy)
			want := leaveInDoubt(t, before, f, log, 1)
			f.settles(t, cfg, log, want, 1)
		})
	}
}

// TestWhatWasInDoubtBeforeTransactionsIsCounted: no cursor speaks of it.
func TestWhatWasInDoubtBeforeTransactionsIsCounted(t *testing.T) {
	f := newFake(t, 1)
	log := outputstest.NewLog(t, recordbatch.Snappy)
	want := leaveInDoubt(t, settings(f.addr), f, log, 1)
	f.settles(t, transactional(f.addr), log, want, 1)
}

// TestABatchInDoubtThatIsThenRefused: a broker whose answer was lost may have taken it.
// What is left of it must not go out under the same identity, and is counted.
func TestABatchInDoubtThatIsThenRefused(t *testing.T) {
	f := newFake(t, 1)
	log := outputstest.NewLog(t, recordbatch.Snappy)
	log.Append("one", "two")
	requests := 0
	f.answers(func(r kmsg.Request) kmsg.Response {
		switch requests++; requests {
		case 1:
			return refuse(r, kerr.RequestTimedOut)
		case 2, 3:
			return refuse(r, kerr.MessageTooLarge)
		}
		return nil
	})
	r := start(t, settings(f.addr), log)
	acked(t, log)
	if got := f.values(t); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("%q", got)
	}
	if n := r.count("spillway_delivery_uncertain_total", maybeDoubled); n != 1 {
		t.Errorf("counted %v times, want once", n)
	}
	records := brokers.KafkaRecords(t, f.addr, lines)[0]
	if records[0].ProducerEpoch != 1 {
		t.Errorf("epoch %d, want 1", records[0].ProducerEpoch)
	}
}

// TestATopicThatIsGoneStrandsOnlyWhatItHasNotHad: what it has had is not with the dead
// letters, too.
func TestATopicThatIsGoneStrandsOnlyWhatItHasNotHad(t *testing.T) {
	f := newFake(t, 1)
	cfg := settings(f.addr)
	cfg.Topic = "{{topic}}"
	log := outputstest.NewLog(t, recordbatch.Snappy)
	appendMessages(t, log, message{topic: "gone", value: "had"}, message{topic: "gone", value: "waits"}, message{topic: lines, value: "here"})
	cursor := log.Open()
	frame, err := cursor.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j := &job{frame: frame, routes: []route{{topic: "gone", partitions: 1}, {topic: lines, partitions: 1}}}
	j.pieces = []*piece{
		{job: j, batches: []batch{{end: 1, state: done}, {first: 1, end: 3, state: sent}}},
		{job: j, route: 1, batches: []batch{{end: 3}}},
	}
	if err := cursor.Stage(frame, appendNote(nil, cfg.bind(f.id(t)), j)); err != nil {
		t.Fatal(err)
	}
	r := start(t, cfg, log)
	acked(t, log)
	if got := f.values(t); !slices.Equal(got, []string{"here"}) {
		t.Errorf("%q", got)
	}
	if n := r.count("spillway_delivery_uncertain_total", maybeDoubled); n != 1 {
		t.Errorf("what it may have had is counted %v times, want once", n)
	}
	if dead := log.Rejected(); len(dead) != 1 || dead[0].Offset != 1 {
		t.Errorf("dead letters %v, want the record at 1 alone", dead)
	}
}

// TestABufferIsSharedOnceItIsAnswered: an idle partition holds none, and one that a
// connection may still read goes to nobody.
func TestABufferIsSharedOnceItIsAnswered(t *testing.T) {
	for name, end := range map[string]func(*assembler){"answered": (*assembler).answered, "abandoned": (*assembler).abandon} {
		a := &assembler{request: []byte("x")}
		if end(a); a.request != nil {
			t.Errorf("%s: still held", name)
		}
	}
}
