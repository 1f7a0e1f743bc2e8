package kafka

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/inputs/inputstest"
	"github.com/spillway/spillway/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const theTopic = "lines"

// fake is a cluster in this process, with one topic.
type fake struct {
	*kfake.Cluster
	t    testing.TB
	addr string
	// answer, if set, may answer a fetch in the cluster's place.
	answer atomic.Pointer[func(*kmsg.FetchRequest) kmsg.Response]
}

func newFake(t testing.TB, partitions int32, options ...kfake.Opt) *fake {
	t.Helper()
	options = append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, theTopic)}, options...)
	c, err := kfake.NewCluster(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	f := &fake{Cluster: c, t: t, addr: c.ListenAddrs()[0]}
	c.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if answer := f.answer.Load(); answer != nil {
			if res := (*answer)(r.(*kmsg.FetchRequest)); res != nil {
				return res, nil, true
			}
		}
		return nil, nil, false
	})
	return f
}

// produce writes records, each to the partition it names.
func produce(t testing.TB, addr string, records []*kgo.Record, options ...kgo.Opt) {
	t.Helper()
	c := producer(t, addr, options...)
	defer c.Close()
	if err := c.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func producer(t testing.TB, addr string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.DefaultProduceTopic(theTopic), kgo.ProducerLinger(0)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func texts(partition int32, lines ...string) []*kgo.Record {
	records := make([]*kgo.Record, len(lines))
	for i, line := range lines {
		records[i] = &kgo.Record{Partition: partition, Value: []byte(line)}
	}
	return records
}

func (f *fake) write(partition int32, lines ...string) {
	f.t.Helper()
	produce(f.t, f.addr, texts(partition, lines...))
}

// config reads the topic of a cluster, and does not wait long.
func configOf(addr string, change ...func(*Config)) *Config {
	cfg := Default()
	cfg.Brokers, cfg.Topics = []string{addr}, []string{theTopic}
	cfg.RequestTimeout, cfg.ConnectTimeout = 5*time.Second, 2*time.Second
	for _, c := range change {
		c(cfg)
	}
	return cfg
}

func newInput(t testing.TB, cfg *Config, env inputs.Env) *input {
	t.Helper()
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	in, err := New(cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	in.(*input).lookEvery = 500 * time.Millisecond
	return in.(*input)
}

// read reads what there is, once.
func read(t *testing.T, cfg *Config, e inputs.Emitter) {
	t.Helper()
	env := inputstest.Env(t)
	env.Once = true
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := newInput(t, cfg, env).Run(ctx, e); err != nil {
		t.Fatal(err)
	}
}

// start runs an input until the returned function is called, which returns Run's
// error.
func start(t *testing.T, in inputs.Input, e inputs.Emitter) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx, e) }()
	return func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(10 * time.Second):
			t.Fatal("Run has not returned within ten seconds")
			return nil
		}
	}
}

// seen is what arrived of a record beside its fields.
type seen struct {
	at     int64
	key    string
	hasKey bool
	raw    []byte
	kind   record.Kind // of the message
}

// watch is an emitter that looks at what is emitted.
type watch struct {
	*inputstest.Emitter
	mu   sync.Mutex
	seen []seen
}

func newWatch() *watch { return &watch{Emitter: inputstest.NewEmitter()} }

func (w *watch) Emit(ctx context.Context, b *record.Batch) error {
	w.mu.Lock()
	for r := range b.Kept() {
		key, hasKey := r.Key()
		message, _ := r.Get(record.Message)
		w.seen = append(w.seen, seen{r.Time(), string(key), hasKey, slices.Clone(r.Raw()), message.Kind()})
	}
	w.mu.Unlock()
	return w.Emitter.Emit(ctx, b)
}

func wantTexts(t *testing.T, e *inputstest.Emitter, want ...string) {
	t.Helper()
	e.Check(t)
	if got := e.Texts(); !slices.Equal(got, want) {
		if len(got)+len(want) < 40 {
			t.Fatalf("%q, want %q", got, want)
		}
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	inputstest.Suite(t, func(t *testing.T) inputstest.Subject {
		f := newFake(t, 1)
		return inputstest.Subject{
			New:   func(t *testing.T, env inputs.Env) inputs.Input { return newInput(t, configOf(f.addr), env) },
			Write: func(t *testing.T, lines ...string) { f.write(0, lines...) },
		}
	})
}

func TestKeysHeadersAndTimesArrive(t *testing.T) {
	f := newFake(t, 3)
	at := time.UnixMilli(1_700_000_000_123)
	produce(t, f.addr, []*kgo.Record{
		{Partition: 2, Value: []byte(`{"a":1}`), Key: []byte("k"), Timestamp: at, Headers: []kgo.RecordHeader{
			{Key: "trace", Value: []byte("first")}, {Key: "none"}, {Key: "trace", Value: []byte("last")},
		}},
		{Partition: 2, Value: []byte{}, Key: []byte{}, Timestamp: at.Add(time.Second)},
		{Partition: 2, Key: []byte("deleted"), Timestamp: at},
	})
	w := newWatch()
	read(t, configOf(f.addr, func(c *Config) { c.Fields = []string{"topic", "partition", "offset", "key", "headers"} }), w)
	wantTexts(t, w.Emitter, `{"a":1}`, "", "")
	want := []seen{
		{at.UnixNano(), "k", true, []byte(`{"a":1}`), record.String},
		{at.Add(time.Second).UnixNano(), "", true, []byte{}, record.String},
		{at.UnixNano(), "deleted", true, nil, record.Null},
	}
	if !slices.EqualFunc(w.seen, want, func(a, b seen) bool {
		return a.at == b.at && a.key == b.key && a.hasKey == b.hasKey && string(a.raw) == string(b.raw) && a.kind == b.kind
	}) {
		t.Errorf("%+v, want %+v", w.seen, want)
	}
	fields := map[string]string{
		"messaging.destination.name": theTopic, "messaging.destination.partition.id": "2", "messaging.kafka.message.offset": "0",
		"messaging.kafka.message.key": "k", "messaging.header.trace": "last", "messaging.header.none": "",
	}
	if got := w.Lines()[0]; !maps.Equal(got.Fields, fields) || got.Source != theTopic+"/2" || got.Offset != 0 {
		t.Errorf("%+v, want the fields %v", got, fields)
	}
	if got := w.Lines()[2].Offset; got != 2 {
		t.Errorf("offset %d, want 2", got)
	}
}

func TestOnlyHeadersAreFieldsUnlessWished(t *testing.T) {
	f := newFake(t, 1)
	produce(t, f.addr, []*kgo.Record{{Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("x")}}}})
	e := inputstest.NewEmitter()
	read(t, configOf(f.addr), e)
	if got := e.Lines()[0].Fields; !maps.Equal(got, map[string]string{"messaging.header.h": "x"}) {
		t.Error(got)
	}
}

func TestManyHeadersAreAllThere(t *testing.T) {
	f := newFake(t, 1)
	var headers []kgo.RecordHeader
	for _, line := range inputstest.Numbered(1, 3*maxNames) {
		headers = append(headers, kgo.RecordHeader{Key: line, Value: []byte(line)})
	}
	produce(t, f.addr, []*kgo.Record{{Value: []byte("v"), Headers: headers}, {Value: []byte("w"), Headers: headers[2*maxNames:]}})
	e := inputstest.NewEmitter()
	read(t, configOf(f.addr), e)
	for i, n := range []int{3 * maxNames, maxNames} {
		got := e.Lines()[i].Fields
		if len(got) != n || got["messaging.header.line 000700"] != "line 000700" {
			t.Errorf("record %d: %d headers of %d", i, len(got), n)
		}
	}
}

func TestEveryCompressionIsRead(t *testing.T) {
	f := newFake(t, 1)
	var want []string
	for i, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		lines := inputstest.Numbered(1000*i, 1000*i+999)
		want = append(want, lines...)
		produce(t, f.addr, texts(0, lines...), kgo.ProducerBatchCompression(codec))
	}
	e := inputstest.NewEmitter()
	read(t, configOf(f.addr), e)
	wantTexts(t, e, want...)
}

func TestTransactionsAreReadWhenTheyAreCommitted(t *testing.T) {
	f := newFake(t, 1)
	transact := func(how kgo.TransactionEndTry, lines ...string) {
		t.Helper()
		c := producer(t, f.addr, kgo.TransactionalID("tx-"+lines[0]))
		defer c.Close()
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(t.Context(), texts(0, lines...)...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		f.write(0, "beside "+lines[0]) // of no transaction
		if err := c.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
	}
	transact(kgo.TryCommit, "a", "b")
	transact(kgo.TryAbort, "c", "d")
	transact(kgo.TryCommit, "e")
	e := inputstest.NewEmitter()
	read(t, configOf(f.addr), e)
	wantTexts(t, e, "a", "b", "beside a", "beside c", "e", "beside e")
	end := f.PartitionInfo(theTopic, 0).HighWatermark
	if p := e.Resume(); len(p) != 1 || p[0].Offset != end {
		t.Errorf("positions %+v, want the end, %d, behind the last marker", p, end)
	}
	all := inputstest.NewEmitter()
	read(t, configOf(f.addr, func(c *Config) { c.Isolation = "read_uncommitted" }), all)
	wantTexts(t, all, "a", "b", "beside a", "c", "d", "beside c", "e", "beside e")
}

func TestAnOpenTransactionIsWaitedFor(t *testing.T) {
	f := newFake(t, 1)
	c := producer(t, f.addr, kgo.TransactionalID("tx"))
	defer c.Close()
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	f.write(0, "before")
	if err := c.ProduceSync(t.Context(), texts(0, "within")...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	f.write(0, "behind")
	e := inputstest.NewEmitter()
	run := inputstest.Start(newInput(t, configOf(f.addr), inputstest.Env(t)), e)
	e.Await(t, 1)
	time.Sleep(50 * time.Millisecond)
	wantTexts(t, e, "before")
	if err := c.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	e.Await(t, 3)
	run.Stop(t)
	wantTexts(t, e, "before", "within", "behind")
}

func TestStartAtEndHoldsForTheFirstStartOnly(t *testing.T) {
	f := newFake(t, 1)
	f.write(0, "old")
	e := inputstest.NewEmitter()
	cfg := configOf(f.addr, func(c *Config) { c.StartAt = "end" })
	run := inputstest.Start(newInput(t, cfg, inputstest.Env(t)), e)
	inputstest.AwaitFor(t, func() bool { return len(e.Resume()) == 1 }, func() string { return "no position" })
	run.Stop(t)
	f.write(0, "between")
	run = inputstest.Start(newInput(t, cfg, inputstest.Env(t)), e)
	e.Await(t, 1)
	f.write(0, "new")
	e.Await(t, 2)
	run.Stop(t)
	wantTexts(t, e, "between", "new")
}

func TestPartitionsThatAreAddedAreReadFromTheirBeginning(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	e := inputstest.NewEmitter()
	cfg := configOf(f.addr, func(c *Config) { c.StartAt = "end" })
	run := inputstest.Start(newInput(t, cfg, inputstest.Env(t)), e)
	inputstest.AwaitFor(t, func() bool { return len(e.Resume()) == 1 }, func() string { return "no position" })
	addPartitions(t, f.addr, 3)
	f.write(2, "in the new one")
	e.Await(t, 1)
	run.Stop(t)
	wantTexts(t, e, "in the new one")
}

// addPartitions makes a topic have more partitions.
func addPartitions(t *testing.T, addr string, total int32) {
	t.Helper()
	c := producer(t, addr)
	defer c.Close()
	req := kmsg.NewPtrCreatePartitionsRequest()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = theTopic, total
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 5000
	res, err := req.RequestWith(t.Context(), c)
	if err != nil || res.Topics[0].ErrorCode != 0 {
		t.Fatal(err, res)
	}
}

func TestOnlyThePartitionsThatAreNamedAreRead(t *testing.T) {
	f := newFake(t, 3)
	for i := range int32(3) {
		f.write(i, strings.Repeat("x", int(i)+1))
	}
	e := inputstest.NewEmitter()
	read(t, configOf(f.addr, func(c *Config) { c.Partitions = []int{1} }), e)
	wantTexts(t, e, "xx")
}
