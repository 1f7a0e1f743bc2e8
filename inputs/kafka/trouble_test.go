package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/inputs/inputstest"
	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
)

// said collects what the input says.
type said struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) await(t *testing.T, text string) {
	t.Helper()
	inputstest.AwaitFor(t, func() bool { return strings.Contains(s.String(), text) }, func() string {
		return "no word of " + text + " in:\n" + s.String()
	})
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func talking(t *testing.T) (inputs.Env, *said) {
	env, s := inputstest.Env(t), &said{}
	env.Log = slog.New(slog.NewTextHandler(s, nil))
	return env, s
}

// lostRecords is what the input says is lost.
func lostRecords(t *testing.T, env inputs.Env) float64 {
	t.Helper()
	m, err := newMetrics(env.Metrics)
	if err != nil {
		t.Fatal(err)
	}
	var got dto.Metric
	if err := m.lost.Write(&got); err != nil {
		t.Fatal(err)
	}
	return got.GetCounter().GetValue()
}

func TestRecordsThatAreDeletedUnreadAreSaidAndCounted(t *testing.T) {
	for at, want := range map[string][]string{"beginning": {"line 000001", "line 000007", "line 000008", "new"}, "end": {"line 000001", "new"}} {
		t.Run(at, func(t *testing.T) {
			f := newFake(t, 1)
			f.write(0, "line 000001")
			e := inputstest.NewEmitter()
			read(t, configOf(f.addr), e)
			f.write(0, inputstest.Numbered(2, 8)...)
			if err := f.DeleteRecords(theTopic, 0, 6); err != nil {
				t.Fatal(err)
			}
			env, s := talking(t)
			run := inputstest.Start(newInput(t, configOf(f.addr, func(c *Config) { c.StartAt = at }), env), e)
			s.await(t, "records were deleted from the topic before they could be read")
			if at == "end" {
				inputstest.AwaitFor(t, func() bool { return e.Resume()[0].Offset == 8 }, func() string { return "the position is not at the end" })
			}
			f.write(0, "new")
			e.Await(t, len(want))
			run.Stop(t)
			wantTexts(t, e, want...)
			if lost, most := lostRecords(t, env), 7.; at == "end" && lost != most || at == "beginning" && lost != 5 {
				t.Errorf("%v lost", lost)
			}
		})
	}
}

func TestATopicThatIsCreatedAnewIsReadFromItsBeginning(t *testing.T) {
	f := newFake(t, 1)
	f.write(0, "a", "b", "c")
	e := inputstest.NewEmitter()
	read(t, configOf(f.addr), e)
	if err := f.DeleteTopic(theTopic); err != nil {
		t.Fatal(err)
	}
	if err := f.CreateTopic(theTopic, 1, nil); err != nil {
		t.Fatal(err)
	}
	f.write(0, "d")
	env, s := talking(t)
	run := inputstest.Start(newInput(t, configOf(f.addr), env), e)
	s.await(t, "the topic is shorter than what was read of it")
	e.Await(t, 4)
	run.Stop(t)
	wantTexts(t, e, "a", "b", "c", "d")
}

func TestAnUnknownTopicIsSaidAndReadOnceItIsThere(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	env, s := talking(t)
	e := inputstest.NewEmitter()
	run := inputstest.Start(newInput(t, configOf(f.addr, func(c *Config) { c.Topics = []string{"later", theTopic} }), env), e)
	s.await(t, `topic \"later\" is not on the cluster`)
	f.write(0, "of the other") // which does not wait
	e.Await(t, 1)
	if err := f.CreateTopic("later", 1, nil); err != nil {
		t.Fatal(err)
	}
	records := texts(0, "of the later one")
	records[0].Topic = "later"
	produce(t, f.addr, records)
	e.Await(t, 2)
	run.Stop(t)
	s.await(t, "the topic can be read again")
}

func TestAPartitionThatIsNotThereIsSaid(t *testing.T) {
	f := newFake(t, 2)
	f.write(1, "a")
	env, s := talking(t)
	for number, want := range map[int]string{1: "", 7: "no number 7"} {
		in := newInput(t, configOf(f.addr, func(c *Config) { c.Partitions = []int{number} }), env)
		if err := in.Check(t.Context()); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("partition %d: %v", number, err)
		}
	}
	e := inputstest.NewEmitter()
	run := inputstest.Start(newInput(t, configOf(f.addr, func(c *Config) { c.Partitions = []int{1, 7} }), env), e)
	s.await(t, "has 2 partitions, and no number 7")
	e.Await(t, 1)
	run.Stop(t)
}

func TestLeadersMayMove(t *testing.T) {
	t.Parallel()
	f := newFake(t, 4, kfake.NumBrokers(3))
	e := inputstest.NewEmitter()
	run := inputstest.Start(newInput(t, configOf(f.addr), inputstest.Env(t)), e)
	n := 0
	for round := range 4 {
		for i := range int32(4) {
			if err := f.MoveTopicPartition(theTopic, i, (i+int32(round))%3); err != nil {
				t.Fatal(err)
			}
			f.write(i, inputstest.Numbered(n, n+99)...)
			n += 100
		}
		e.Await(t, n)
	}
	run.Stop(t)
	e.Check(t)
	wantEach(t, e, inputstest.Numbered(0, n-1))
}

// wantEach wants each text once, in order within its partition.
func wantEach(t *testing.T, e *inputstest.Emitter, want []string) {
	t.Helper()
	times, last := map[string]int{}, map[string]string{}
	for _, l := range e.Lines() {
		times[l.Text]++
		if l.Text <= last[l.Source] {
			t.Errorf("%s: %q comes after %q", l.Source, l.Text, last[l.Source])
		}
		last[l.Source] = l.Text
	}
	for _, line := range want {
		if times[line] != 1 {
			t.Fatalf("%q is there %d times", line, times[line])
		}
	}
}

func TestAFailingPartitionDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	f := newFake(t, 2)
	var broken atomic.Bool
	broken.Store(true)
	answer := func(r *kmsg.FetchRequest) kmsg.Response {
		if !broken.Load() {
			return nil
		}
		for i, topic := range r.Topics {
			for _, p := range topic.Partitions {
				if p.Partition == 0 { // alone, or with the other
					return errorFor(r, i)
				}
			}
		}
		return nil
	}
	f.answer.Store(&answer)
	f.write(0, "a")
	f.write(1, "b")
	env, s := talking(t)
	e := inputstest.NewEmitter()
	run := inputstest.Start(newInput(t, configOf(f.addr), env), e)
	s.await(t, "a partition can't be read")
	e.Await(t, 1)
	wantTexts(t, e, "b")
	broken.Store(false)
	e.Await(t, 2)
	s.await(t, "the topic can be read again")
	run.Stop(t)
}

// errorFor answers a fetch with an error for partition 0, and nothing for others.
func errorFor(r *kmsg.FetchRequest, _ int) kmsg.Response {
	res := r.ResponseKind().(*kmsg.FetchResponse)
	for _, topic := range r.Topics {
		t := kmsg.NewFetchResponseTopic()
		t.Topic = topic.Topic
		for _, p := range topic.Partitions {
			if p.Partition == 0 {
				out := kmsg.NewFetchResponseTopicPartition()
				out.ErrorCode = kerr.KafkaStorageError.Code
				t.Partitions = append(t.Partitions, out)
			}
		}
		res.Topics = append(res.Topics, t)
	}
	return res
}

// answerWith makes the cluster answer fetches of partition 0 with a record set.
func (f *fake) answerWith(records func(offset int64) []byte) {
	answer := func(r *kmsg.FetchRequest) kmsg.Response {
		res := r.ResponseKind().(*kmsg.FetchResponse)
		t := kmsg.NewFetchResponseTopic()
		t.Topic = r.Topics[0].Topic
		out := kmsg.NewFetchResponseTopicPartition()
		out.RecordBatches = records(r.Topics[0].Partitions[0].FetchOffset)
		t.Partitions = append(t.Partitions, out)
		res.Topics = append(res.Topics, t)
		return res
	}
	f.answer.Store(&answer)
}

// batchOf is a record batch at an offset.
func batchOf(t testing.TB, base int64, values ...string) []byte {
	t.Helper()
	b, err := recordbatch.NewBuilder(recordbatch.None)
	if err != nil {
		t.Fatal(err)
	}
	b.Reset(0, 1_700_000_000_000)
	for _, v := range values {
		b.Close(append(b.Open(), v...), nil)
	}
	batch, err := b.Finish(nil)
	if err != nil {
		t.Fatal(err)
	}
	recordbatch.SetBaseOffset(batch, base)
	return batch
}

// widen makes a batch take so many offsets, as compaction leaves it.
func widen(batch []byte, offsets int) []byte {
	binary.BigEndian.PutUint32(batch[23:], uint32(offsets-1))
	binary.BigEndian.PutUint32(batch[17:], crc32.Checksum(batch[21:], crc32.MakeTable(crc32.Castagnoli)))
	return batch
}

func TestCompactedTopicsMoveThePositionToo(t *testing.T) {
	f := newFake(t, 1)
	set := append(widen(batchOf(t, 0, "a", "b"), 10), batchOf(t, 15, "c")...)
	f.answerWith(func(offset int64) []byte {
		if offset > 15 {
			time.Sleep(10 * time.Millisecond)
			return nil
		}
		return set
	})
	e := inputstest.NewEmitter()
	run := inputstest.Start(newInput(t, configOf(f.addr), inputstest.Env(t)), e)
	e.Await(t, 3)
	inputstest.AwaitFor(t, func() bool { return e.Resume()[0].Offset == 16 }, func() string { return "the position is not behind the gap" })
	run.Stop(t)
	wantTexts(t, e, "a", "b", "c")
	if got := e.Lines()[2].Offset; got != 15 {
		t.Errorf("offset %d, want 15", got)
	}
}

func TestADamagedBatchHoldsItsPartition(t *testing.T) {
	f := newFake(t, 1)
	good := batchOf(t, 0, "a")
	bad := batchOf(t, 1, "b")
	whole := append([]byte{}, bad...)
	bad[len(bad)-1] ^= 1
	var heal atomic.Bool
	f.answerWith(func(offset int64) []byte {
		switch {
		case offset > 1:
			time.Sleep(10 * time.Millisecond)
			return nil
		case heal.Load():
			return append(append([]byte{}, good...), whole...)
		}
		return append(append([]byte{}, good...), bad...)
	})
	env, s := talking(t)
	e := inputstest.NewEmitter()
	run := inputstest.Start(newInput(t, configOf(f.addr), env), e)
	e.Await(t, 1)
	s.await(t, "offset 1: recordbatch: corrupt: checksum")
	heal.Store(true)
	e.Await(t, 2)
	run.Stop(t)
	wantTexts(t, e, "a", "b")
}

func TestTheBrokersTimeIsTakenWhereTheTopicSaysSo(t *testing.T) {
	f := newFake(t, 1)
	batch := batchOf(t, 0, "a")
	binary.BigEndian.PutUint16(batch[21:], 8)
	binary.BigEndian.PutUint64(batch[35:], 1_800_000_000_000)
	f.answerWith(func(offset int64) []byte {
		if offset > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		return widen(batch, 1)
	})
	w := newWatch()
	stop := start(t, newInput(t, configOf(f.addr), inputstest.Env(t)), w)
	w.Await(t, 1)
	stop()
	if got := w.seen[0].at; got != 1_800_000_000_000e6 {
		t.Errorf("time %d", got)
	}
}

func TestRequestsStayWithinTheirShare(t *testing.T) {
	f := newFake(t, 4, kfake.NumBrokers(2))
	var most atomic.Int32
	answer := func(r *kmsg.FetchRequest) kmsg.Response {
		if r.MaxBytes > most.Load() {
			most.Store(r.MaxBytes)
		}
		return nil
	}
	f.answer.Store(&answer)
	for i := range int32(4) {
		if err := f.MoveTopicPartition(theTopic, i, i%2); err != nil {
			t.Fatal(err)
		}
		f.write(i, inputstest.Numbered(int(i)*1000, int(i)*1000+999)...)
	}
	e := inputstest.NewEmitter()
	read(t, configOf(f.addr, func(c *Config) { c.FetchMaxBytes = 64 << 10 }), e)
	wantEach(t, e, inputstest.Numbered(0, 3999))
	if got := most.Load(); got != 32<<10 {
		t.Errorf("a broker was asked for %d bytes, want half of 64 KiB", got)
	}
}

func TestNobodyListeningIsSaid(t *testing.T) {
	env, s := talking(t)
	e := inputstest.NewEmitter()
	run := inputstest.Start(newInput(t, configOf("127.0.0.1:1"), env), e)
	s.await(t, "brokers: nobody listens at 127.0.0.1:1")
	run.Stop(t)
}

func TestPositionsOutliveAClusterThatIsAway(t *testing.T) {
	env := inputstest.Env(t)
	e := inputstest.NewEmitter()
	in := newInput(t, configOf("127.0.0.1:1"), env)
	in.metrics, _ = newMetrics(prometheus.NewRegistry())
	r := newReader(in, nil, e)
	defer r.close()
	for _, source := range []string{theTopic + "/3", "other/1", "nonsense", theTopic + "/-1", theTopic + "/x"} {
		r.resume(&record.Position{Source: source, Offset: 7, Records: 5})
	}
	if len(r.partitions) != 1 || r.partitions[0].next != 7 {
		t.Fatalf("%d partitions", len(r.partitions))
	}
	r.looking = true
	r.now = r.renew
	r.dispatch(t.Context())
	if len(r.inBatch) != 1 {
		t.Error("its position is not renewed")
	}
}
