package kafka

import (
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/spillway/spillway/internal/testkit/brokers"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/outputs/outputstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const lines = "lines"

// fake is a cluster in this process, with one topic.
type fake struct {
	*kfake.Cluster
	addr string
	// answer, if set, may answer a produce request in the cluster's place.
	answer atomic.Pointer[func(kmsg.Request) kmsg.Response]
}

func newFake(t testing.TB, partitions int32, options ...kfake.Opt) *fake {
	t.Helper()
	options = append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, lines),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": "8388608"})}, options...)
	c, err := kfake.NewCluster(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	f := &fake{Cluster: c, addr: c.ListenAddrs()[0]}
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if answer := f.answer.Load(); answer != nil {
			if res := (*answer)(r); res != nil {
				return res, nil, true
			}
		}
		return nil, nil, false
	})
	return f
}

// answers makes answer look at each produce request first; nil lets it pass.
func (f *fake) answers(answer func(kmsg.Request) kmsg.Response) { f.answer.Store(&answer) }

// once lets answer have the next request.
func (f *fake) once(answer func(kmsg.Request) kmsg.Response) {
	var used atomic.Bool
	f.answers(func(r kmsg.Request) kmsg.Response {
		if used.Swap(true) {
			return nil
		}
		return answer(r)
	})
}

// refusePartition refuses requests for one partition, or no more for -1.
func (f *fake) refusePartition(number int32, why *kerr.Error) { f.refusePartitions(why, number) }

func (f *fake) refusePartitions(why *kerr.Error, numbers ...int32) {
	f.answers(func(r kmsg.Request) kmsg.Response {
		if !slices.Contains(numbers, r.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Partition) {
			return nil
		}
		return refuse(r, why)
	})
}

// refuse answers a produce request with an error for each of its partitions.
func refuse(r kmsg.Request, why *kerr.Error) kmsg.Response {
	produce := r.(*kmsg.ProduceRequest)
	res := produce.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range produce.Topics {
		answer := kmsg.NewProduceResponseTopic()
		answer.Topic = t.Topic
		for _, p := range t.Partitions {
			of := kmsg.NewProduceResponseTopicPartition()
			of.Partition, of.ErrorCode, of.BaseOffset = p.Partition, why.Code, -1
			answer.Partitions = append(answer.Partitions, of)
		}
		res.Topics = append(res.Topics, answer)
	}
	return res
}

// values are those in the topic, partition by partition.
func (f *fake) values(t testing.TB) []string {
	t.Helper()
	records := brokers.KafkaRecords(t, f.addr, lines)
	var all []string
	for _, p := range slices.Sorted(maps.Keys(records)) {
		for _, r := range records[p] {
			all = append(all, string(r.Value))
		}
	}
	return all
}

func settings(addr string) *Config {
	cfg := Default()
	cfg.Brokers, cfg.Topic = []string{addr}, lines
	return cfg
}

func build(t testing.TB, cfg *Config) outputs.Output {
	t.Helper()
	out, err := New(cfg, outputstest.Env(t))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestContract(t *testing.T) {
	for _, mode := range []string{"idempotent", "transactional"} {
		t.Run(mode, func(t *testing.T) {
			outputstest.Contract(t, func(t *testing.T) outputstest.Target { return target(t, mode == "transactional") })
		})
	}
}

func target(t *testing.T, transactional bool) outputstest.Target {
	f := newFake(t, 1)
	cfg := settings(f.addr)
	if transactional {
		cfg.TransactionalID, cfg.CommitInterval = "test", 5*time.Millisecond
	}
	return outputstest.Target{
		Output: func() outputs.Output { return build(t, cfg) },
		Values: func() []string { return f.values(t) },
		Fail: func() func() {
			f.refusePartition(0, kerr.NotLeaderForPartition)
			return func() { f.refusePartition(-1, nil) }
		},
		Refuse: func(value string) {
			f.answers(func(r kmsg.Request) kmsg.Response {
				if !slices.Contains(produced(t, r), value) {
					return nil
				}
				return refuse(r, kerr.InvalidRecord)
			})
		},
		ExactlyOnce: true,
	}
}
