package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/testkit"
	"github.com/spillway/spillway/internal/testkit/brokers"
)

// wantDropped is how many batches must have been sent twice and dropped by the broker.
const wantDropped = 5

const kafkaConfig = `data_dir: ./data
admin: {listen: ""}
pipelines:
  kill:
    inputs:
      - file: {paths: ["./logs/*.log*"]}
    encode: {codec: raw}
    spool: {segment_bytes: 64KiB, max_bytes: 16MiB, sync: %%s}
    outputs:
      - kafka: {brokers: [%s], topic: lines, request_timeout: 5s%s}
`

// kafkaPhases are what the first kills go through: most come when the broker has
// answered and nobody knows, so that the batch is sent again.
var kafkaPhases = []string{"kafka.answered", "kafka.answered", "kafka.staged", randomTime, "kafka.answered", "kafka.answered",
	"kafka.staged", "kafka.answered", "kafka.answered", randomTime}

// TestKafkaExactlyOnce ships growing files to four partitions of a real
// broker and kills the process again and again; among that the broker is killed,
// stalled and restarted. In the end every line is there once, in each partition in
// the order of its source.
//
// SPILLWAY_SOAK_KILLS sets how many kills, SPILLWAY_SEED which.
func TestKafkaExactlyOnce(t *testing.T) {
	begin := time.Now()
	broker := brokers.Kafka(t, brokers.Kafka39)
	k := newKafkaKilling(t, broker, "", kafkaPhases)
	d := k.run(testkit.Number(t, "SPILLWAY_SOAK_KILLS", 10))
	t.Logf("%d kills by phase: %v; broker: %v", k.kills, k.phases, k.trouble)
	t.Logf("%v; in doubt after %d kills, %d batches sent twice and dropped by the broker", d, k.inDoubt, k.dropped)
	if !d.Exact() {
		t.Errorf("not every line arrived once and in order: %v", d)
	}
	if 3*k.inDoubt < k.kills {
		t.Errorf("only after %d of %d kills was something in doubt: nothing was tried", k.inDoubt, k.kills)
	}
	if k.dropped < wantDropped {
		t.Errorf("the broker dropped %d duplicates: nothing was tried", k.dropped)
	}
	k.audit("kafka")
	testkit.KeepEvidence(t, "kafka-kill", k.seed, begin, map[string]any{
		"kills": k.kills, "phases": k.phases, "broker": k.trouble, "kills_with_a_batch_in_doubt": k.inDoubt, "duplicates_dropped": k.dropped,
		"lines": d.Lines, "lost": d.Lost, "doubled": d.Doubled, "out_of_order": d.OutOfOrder,
	})
}

// TestKafkaHarnessNoticesMissingSequences sends without sequences: the same check
// must then find doubled lines, or it proves nothing.
func TestKafkaHarnessNoticesMissingSequences(t *testing.T) {
	k := newKafkaKilling(t, brokers.Kafka(t, brokers.Kafka43), "", kafkaPhases)
	k.Env = []string{"SPILLWAY_DISABLE=sequences"}
	if d := k.run(3); d.Doubled == 0 || d.Lost > 0 {
		t.Fatalf("without sequences nothing was doubled, or something lost: %v", d)
	}
}

// TestKafkaTransactionsAreExactlyOnce is the same with transactions, and kills when all
// is sent and not committed, and when all is committed and nobody knows.
func TestKafkaTransactionsAreExactlyOnce(t *testing.T) {
	k := newKafkaKilling(t, brokers.Kafka(t, brokers.Kafka43), ", transactional_id: kill, commit_interval: 20ms",
		[]string{"kafka.prepared", "kafka.committed", randomTime, "kafka.committed", "kafka.prepared", "kafka.answered"})
	d := k.run(testkit.Number(t, "SPILLWAY_SOAK_KILLS", 10) / 2)
	t.Logf("%d kills by phase: %v; broker: %v; %v", k.kills, k.phases, k.trouble, d)
	if !d.Exact() {
		t.Errorf("not every line arrived once and in order: %v", d)
	}
	if k.committed == 0 || k.aborted == 0 {
		t.Errorf("%d transactions in doubt were committed, %d were not: nothing was tried", k.committed, k.aborted)
	}
	k.audit("kafka")
}

// kafkaKilling is a run of the harness against a broker.
type kafkaKilling struct {
	*killing
	broker *brokers.KafkaBroker
	// plan are the points of the kills, in turn.
	plan []string
	// kills counts those of the process.
	kills int
	// trouble counts what was done to the broker.
	trouble map[string]int
	// inDoubt counts the processes that began with batches in doubt, dropped
	// the batches of which the broker said that it had them.
	inDoubt, dropped int
	// committed and aborted count the transactions that were in doubt.
	committed, aborted int
}

// tried says that what comes twice, or is in doubt, has come often enough to prove
// something.
func (k *kafkaKilling) tried() bool {
	return k.dropped >= wantDropped || k.committed > 1 && k.aborted > 1
}

func newKafkaKilling(t *testing.T, broker *brokers.KafkaBroker, settings string, plan []string) *kafkaKilling {
	broker.CreateTopic("lines", 4, nil)
	k := &kafkaKilling{killing: newKilling(t), broker: broker, plan: plan, trouble: map[string]int{}}
	for _, s := range k.sources {
		// Order is kept within a file, and the broker is away for longer than one
		// of them would take.
		s.FileLines = 1 << 30
	}
	k.config = fmt.Sprintf(kafkaConfig, broker.Addr(), settings)
	return k
}

func (k *kafkaKilling) run(kills int) *testkit.Delivery {
	k.among(func() {
		// How many batches come twice is a matter of luck: without enough of
		// them nothing was tried.
		for i := 0; i < kills || i < 3*kills && !k.tried(); i++ {
			k.note(k.kill(k.plan[i%len(k.plan)]))
			switch i % 10 {
			case 2:
				k.trouble["killed"]++
				k.broker.Kill()
				k.note(k.kill(randomTime)) // nobody answers
				k.broker.Restart()
			case 5:
				k.trouble["stalled"]++
				k.broker.Stall()
				k.note(k.kill(randomTime))
				k.broker.Resume()
			case 8:
				k.trouble["restarted"]++
				k.broker.Stop()
				k.broker.Restart()
			}
		}
	})
	return k.check()
}

// note counts a kill, and what the log of the process says.
func (k *kafkaKilling) note(log string) {
	k.kills++
	if strings.Contains(log, "frames are in doubt") {
		k.inDoubt++
	}
	for line := range strings.Lines(log) {
		if strings.Contains(line, "a batch that was in doubt is settled") && strings.Contains(line, `"dropped_as_duplicate":true`) {
			k.dropped++
		}
		if strings.Contains(line, "a transaction that was in doubt is settled") {
			if strings.Contains(line, `"committed":true`) {
				k.committed++
			} else {
				k.aborted++
			}
		}
	}
}

func (k *kafkaKilling) check() *testkit.Delivery {
	c := testkit.NewChecker(k.written())
	for _, records := range brokers.KafkaRecords(k.t, k.broker.Addr(), "lines") {
		c.Stream()
		for _, r := range records {
			c.Line(string(r.Value))
		}
	}
	return c.Delivery()
}
