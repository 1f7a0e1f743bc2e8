package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/spillway/spillway/inputs/inputstest"
	"github.com/spillway/spillway/internal/kafkaconn"
	"github.com/spillway/spillway/record"
)

// slow is an emitter whose batches are in the spool some time after Emit.
type slow struct {
	*inputstest.Emitter
	delay time.Duration
	wait  sync.WaitGroup
	fail  error
}

func (s *slow) Emit(ctx context.Context, b *record.Batch) error {
	appended := b.Appended
	b.Appended = nil
	if err := s.Emitter.Emit(ctx, b); err != nil {
		return err
	}
	s.wait.Go(func() {
		time.Sleep(s.delay)
		appended(s.fail)
	})
	return nil
}

func grouped(addr string, change ...func(*Config)) *Config {
	return configOf(addr, append([]func(*Config){func(c *Config) { c.Group, c.SessionTimeout = "readers", 6*time.Second }}, change...)...)
}

// newGroupFake is a cluster that takes short sessions.
func newGroupFake(t *testing.T, partitions int32) *fake {
	return newFake(t, partitions, kfake.GroupMinSessionTimeout(time.Second),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
}

// committed waits until the group has committed the sum of offsets.
func (f *fake) committed(want int64) {
	f.t.Helper()
	sum := func() (n int64) {
		info := f.GroupInfo("readers")
		if info == nil {
			return -1
		}
		for _, o := range committedOffsets(f.t, f.addr) {
			n += o
		}
		return n
	}
	inputstest.AwaitFor(f.t.(*testing.T), func() bool { return sum() == want }, func() string {
		return fmt.Sprintf("%d committed, want %d", sum(), want)
	})
}

// committedOffsets are the group's, by partition of the topic.
func committedOffsets(t testing.TB, addr string) map[int]int64 {
	t.Helper()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	c := kafka.Client{Addr: kafka.TCP(addr), Transport: transport, Timeout: 5 * time.Second}
	partitions := make([]int, 16)
	for i := range partitions {
		partitions[i] = i
	}
	res, err := c.OffsetFetch(t.Context(), &kafka.OffsetFetchRequest{GroupID: "readers", Topics: map[string][]int{theTopic: partitions}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[int]int64{}
	for _, p := range res.Topics[theTopic] {
		if p.CommittedOffset >= 0 {
			got[p.Partition] = p.CommittedOffset
		}
	}
	return got
}

func TestAGroupGoesOnWhereItsOffsetsAre(t *testing.T) {
	f := newGroupFake(t, 2)
	f.write(0, "a", "b")
	f.write(1, "c")
	e := inputstest.NewEmitter()
	run := inputstest.Start(newInput(t, grouped(f.addr), inputstest.Env(t)), e)
	e.Await(t, 3)
	run.Stop(t)
	if got := committedOffsets(t, f.addr); !maps.Equal(got, map[int]int64{0: 2, 1: 1}) {
		t.Fatalf("committed %v", got)
	}
	f.write(1, "d")
	other := inputstest.NewEmitter() // whose spool knows nothing
	read(t, grouped(f.addr), other)
	wantTexts(t, other, "d")
	if got := committedOffsets(t, f.addr); got[1] != 2 {
		t.Errorf("committed %v at the end of a single run", got)
	}
}

func TestOffsetsAreCommittedWhileItRuns(t *testing.T) {
	t.Parallel()
	f := newGroupFake(t, 1)
	e := inputstest.NewEmitter()
	run := inputstest.Start(newInput(t, grouped(f.addr), inputstest.Env(t)), e)
	f.write(0, "a", "b")
	e.Await(t, 2)
	f.committed(2)
	run.Stop(t)
}

func TestNothingIsCommittedBeforeItIsInTheSpool(t *testing.T) {
	t.Parallel()
	f := newGroupFake(t, 1)
	f.write(0, "a", "b")
	for _, c := range []struct {
		delay time.Duration
		fail  error
		want  int64
	}{
		{0, errors.New("the spool refuses"), 0},
		{1500 * time.Millisecond, nil, 2}, // a stop waits for it
	} {
		e := &slow{Emitter: inputstest.NewEmitter(), delay: c.delay, fail: c.fail}
		stop := start(t, newInput(t, grouped(f.addr), inputstest.Env(t)), e)
		e.Await(t, 2)
		if got := committedOffsets(t, f.addr)[0]; got != 0 {
			t.Errorf("%d committed too early", got)
		}
		stop()
		e.wait.Wait()
		if got := committedOffsets(t, f.addr)[0]; got != c.want {
			t.Errorf("%d committed, want %d", got, c.want)
		}
	}
}

func TestAGroupNoticesPartitionsThatAreAdded(t *testing.T) {
	t.Parallel()
	f := newGroupFake(t, 1)
	e := inputstest.NewEmitter()
	run := inputstest.Start(newInput(t, grouped(f.addr), inputstest.Env(t)), e)
	f.write(0, "a")
	e.Await(t, 1)
	addPartitions(t, f.addr, 2)
	f.write(1, "b")
	e.Await(t, 2)
	run.Stop(t)
	e.Check(t)
}

func TestMembersShareThePartitions(t *testing.T) {
	t.Parallel()
	f := newGroupFake(t, 4)
	first, second := inputstest.NewEmitter(), inputstest.NewEmitter()
	cfg := func() *Config { return grouped(f.addr, func(c *Config) { c.SessionTimeout = 2 * time.Second }) }
	one := inputstest.Start(newInput(t, cfg(), inputstest.Env(t)), first)
	for i := range int32(4) {
		f.write(i, fmt.Sprint("a", i))
	}
	first.Await(t, 4)
	two := inputstest.Start(newInput(t, cfg(), inputstest.Env(t)), second)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := f.WaitGroupStable(ctx, "readers", 2); err != nil {
		t.Fatal(err)
	}
	for i := range int32(4) {
		f.write(i, fmt.Sprint("b", i))
	}
	inputstest.AwaitFor(t, func() bool { return first.Count()+second.Count() == 8 }, func() string {
		return fmt.Sprintf("%d and %d records", first.Count(), second.Count())
	})
	if second.Count() != 2 {
		t.Errorf("the second member has read %d records of its two partitions", second.Count())
	}
	two.Stop(t)
	for i := range int32(4) {
		f.write(i, fmt.Sprint("c", i))
	}
	inputstest.AwaitFor(t, func() bool { return first.Count()+second.Count() == 12 }, func() string {
		return fmt.Sprintf("%d and %d records after one has left", first.Count(), second.Count())
	})
	one.Stop(t)
	first.Check(t)
	second.Check(t)
}

func TestAMemberStopsWhileTheGroupIsAway(t *testing.T) {
	env, s := talking(t)
	run := inputstest.Start(newInput(t, grouped("127.0.0.1:1"), env), inputstest.NewEmitter())
	s.await(t, "the group can't be joined")
	s.await(t, "brokers: nobody listens")
	run.Stop(t)
}

// The other members may take as long as they like to join: a stop does not wait.
func TestAMemberStopsWhileItWaitsForTheOthers(t *testing.T) {
	f := newGroupFake(t, 1)
	asked, released := make(chan struct{}), make(chan struct{})
	f.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		f.SleepControl(func() {
			close(asked)
			<-released
		})
		return nil, nil, false
	})
	stop := start(t, newInput(t, grouped(f.addr), inputstest.Env(t)), inputstest.NewEmitter())
	<-asked
	began := time.Now()
	stop()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the stop took %v", took)
	}
	close(released)
}

func TestAFailedPipelineEndsAMember(t *testing.T) {
	f := newGroupFake(t, 1)
	f.write(0, "a")
	e := inputstest.NewEmitter()
	failed := errors.New("failed")
	e.Refuse(failed)
	if err := inputstest.Start(newInput(t, grouped(f.addr), inputstest.Env(t)), e).Wait(t); !errors.Is(err, failed) {
		t.Fatal(err)
	}
}

func TestTheLedgerCommitsOnlyAnUnbrokenPrefix(t *testing.T) {
	p := newPartition("t", 1)
	l := (&ledger{counts: map[string]counts{}}).renewed()
	enter := func(next int64) (*record.Batch, *emission) {
		p.next = next
		b := record.NewBatch()
		return b, l.enter(b, []*partition{p})
	}
	take := func(want int64, settled bool) {
		t.Helper()
		due, got := l.take()
		if due["t"][1] != want || got != settled {
			t.Errorf("due %v, settled %v; want %d, %v", due, got, want, settled)
		}
	}
	a, _ := enter(1)
	b, _ := enter(2)
	take(0, false)
	b.Appended(nil)
	take(0, false)
	a.Appended(nil)
	due, _ := l.take()
	l.giveBack(due)
	take(2, true)
	l.due.set("t", 1, 3)
	l.giveBack(due)
	take(3, true)
	c, e := enter(4)
	c.Appended(context.Canceled) // as Emit does when it fails
	l.emitted(e, context.Canceled)
	take(0, true)
	d, _ := enter(5)
	f, _ := enter(6)
	d.Appended(errors.New("refused"))
	f.Appended(nil)
	take(0, true)
}

func TestAPasswordIsShownOnEveryConnection(t *testing.T) {
	f := newFake(t, 1, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "reader", "secret"))
	login := kgo.SASL(scram.Auth{User: "reader", Pass: "secret"}.AsSha256Mechanism())
	produce(t, f.addr, texts(0, "a"), login)
	for _, group := range []string{"", "readers"} {
		cfg := grouped(f.addr, func(c *Config) { c.Group = group })
		cfg.SASL = kafkaconn.SASL{Mechanism: "scram-sha-256", Username: "reader", Password: "secret"}
		e := inputstest.NewEmitter()
		read(t, cfg, e)
		wantTexts(t, e, "a")
		cfg.SASL.Password = "wrong"
		env, s := talking(t)
		run := inputstest.Start(newInput(t, cfg, env), inputstest.NewEmitter())
		s.await(t, "sasl") // this cluster just hangs up
		run.Stop(t)
	}
}
