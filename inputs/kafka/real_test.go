package kafka

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/spillway/spillway/inputs/inputstest"
	"github.com/spillway/spillway/internal/testkit/brokers"
)

// Each version of Kafka is asked for everything that depends on the broker.
func TestOnRealBrokers(t *testing.T) {
	t.Parallel()
	for _, version := range []brokers.KafkaVersion{brokers.Kafka39, brokers.Kafka43} {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			k := brokers.Kafka(t, version, brokers.WithProperty("group.min.session.timeout.ms", "1000"))
			t.Run("AKillLosesAndDoublesNothing", func(t *testing.T) { survivesKills(t, k) })
			t.Run("TransactionsAreReadWhenTheyAreCommitted", func(t *testing.T) { readsTransactions(t, k) })
			t.Run("RebalancesLoseNothing", func(t *testing.T) { survivesRebalances(t, k) })
			t.Run("ARestartOfTheBrokerIsWaitedOut", func(t *testing.T) { survivesRestart(t, k) })
		})
	}
}

// stream writes numbered lines to the partitions in turn, in the background.
func stream(t *testing.T, addr string, partitions, first, last int, pause time.Duration) (done func()) {
	t.Helper()
	c := producer(t, addr)
	var wait sync.WaitGroup
	wait.Go(func() {
		defer c.Close()
		for i := first; i <= last; i++ {
			r := &kgo.Record{Partition: int32(i % partitions), Value: []byte(fmt.Sprintf("line %06d", i))}
			c.Produce(t.Context(), r, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
			if i%1000 == 0 {
				time.Sleep(pause)
			}
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return wait.Wait
}

// survivesKills ends the input again and again with batches that the spool did not
// get, as a kill does, while records are written.
func survivesKills(t *testing.T, k *brokers.KafkaBroker) {
	const n = 50_000
	k.CreateTopic(theTopic, 4, nil)
	written := stream(t, k.Addr(), 4, 1, n, 20*time.Millisecond)
	e := inputstest.NewEmitter()
	for round := range 6 {
		e.Hold()
		before := e.Emitted()
		run := inputstest.Start(newInput(t, configOf(k.Addr()), inputstest.Env(t)), e)
		inputstest.AwaitFor(t, func() bool { return e.Emitted() >= before+2 }, func() string { return "fewer than two batches" })
		e.Commit(round % 3)
		run.Stop(t)
		e.Crash()
	}
	written()
	run := inputstest.Start(newInput(t, configOf(k.Addr()), inputstest.Env(t)), e)
	e.Await(t, n)
	run.Stop(t)
	e.Check(t)
	wantEach(t, e, inputstest.Numbered(1, n))
	k.DeleteTopic(theTopic)
}

func readsTransactions(t *testing.T, k *brokers.KafkaBroker) {
	k.CreateTopic(theTopic, 1, nil)
	for i, how := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
		c := producer(t, k.Addr(), kgo.TransactionalID(fmt.Sprint("tx", i)))
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(t.Context(), texts(0, fmt.Sprint("a", i), fmt.Sprint("b", i))...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		produce(t, k.Addr(), texts(0, fmt.Sprint("beside ", i)))
		if err := c.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	e := inputstest.NewEmitter()
	run := inputstest.Start(newInput(t, configOf(k.Addr()), inputstest.Env(t)), e)
	e.Await(t, 8) // the broker writes markers some time after it has answered
	inputstest.AwaitFor(t, func() bool { return e.Resume()[0].Offset == 16 }, func() string { return "the position is not behind the last marker" })
	run.Stop(t)
	wantTexts(t, e, "a0", "b0", "beside 0", "beside 1", "a2", "b2", "beside 2", "beside 3")
	k.DeleteTopic(theTopic)
}

// survivesRebalances lets a second member come and go while records are written.
func survivesRebalances(t *testing.T, k *brokers.KafkaBroker) {
	const n = 50_000
	k.CreateTopic(theTopic, 4, nil)
	cfg := func() *Config {
		return grouped(k.Addr(), func(c *Config) { c.SessionTimeout = 1500 * time.Millisecond })
	}
	const delay = 50 * time.Millisecond // that revocations must wait for
	first, second := &slow{Emitter: inputstest.NewEmitter(), delay: delay}, &slow{Emitter: inputstest.NewEmitter(), delay: delay}
	env, s := talking(t)
	one := start(t, newInput(t, cfg(), env), first)
	written := stream(t, k.Addr(), 4, 1, n, 60*time.Millisecond)
	count := func() int { return first.Count() + second.Count() }
	for range 3 {
		before := second.Emitted()
		two := start(t, newInput(t, cfg(), env), second)
		inputstest.AwaitFor(t, func() bool { return second.Emitted() >= before+2 || count() >= n }, func() string {
			return "the second member gets nothing:\n" + s.String()
		})
		two()
	}
	written()
	inputstest.AwaitFor(t, func() bool { return count() >= n }, func() string { return fmt.Sprintf("%d records of %d\n%s", count(), n, s) })
	one()
	first.wait.Wait()
	second.wait.Wait()
	first.Check(t)
	second.Check(t)
	times, last := map[string]int{}, map[string]int64{}
	for _, e := range []*slow{first, second} {
		clear(last)
		for _, l := range e.Lines() {
			times[l.Text]++
			if at, ok := last[l.Source]; ok && l.Offset <= at {
				t.Fatalf("%s: offset %d comes after %d", l.Source, l.Offset, at)
			}
			last[l.Source] = l.Offset
		}
	}
	doubled := 0
	for _, line := range inputstest.Numbered(1, n) {
		switch times[line] {
		case 0:
			t.Fatalf("%q is lost", line)
		case 1:
		default:
			doubled++
		}
	}
	// The members stop in an orderly way, and their spools take everything in time.
	if doubled > 0 || second.Count() == 0 {
		t.Errorf("%d doubled; the second member has read %d\n%s", doubled, second.Count(), s)
	}
	k.DeleteTopic(theTopic)
}

func survivesRestart(t *testing.T, k *brokers.KafkaBroker) {
	k.CreateTopic(theTopic, 2, nil)
	k.CreateTopic("others", 3, nil) // whose partitions take turns with those
	e := inputstest.NewEmitter()
	env, s := talking(t)
	run := inputstest.Start(newInput(t, configOf(k.Addr(), func(c *Config) { c.Topics = []string{"others", theTopic} }), env), e)
	time.Sleep(1500 * time.Millisecond) // a few fetches that find nothing
	produce(t, k.Addr(), texts(0, inputstest.Numbered(1, 10)...))
	e.Await(t, 10)
	if text := s.String(); strings.Contains(text, "a broker does not answer as it should") {
		t.Errorf("a request was refused:\n%s", text)
	}
	k.Kill()
	s.await(t, "a broker does not answer as it should")
	k.Restart()
	produce(t, k.Addr(), texts(1, inputstest.Numbered(11, 20)...))
	e.Await(t, 20)
	run.Stop(t)
	e.Check(t)
	wantEach(t, e, inputstest.Numbered(1, 20))
}
