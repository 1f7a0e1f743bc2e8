package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/testkit"
	"github.com/spillway/spillway/internal/testkit/brokers"
)

// boundsConfig ships JSON lines with a key to a topic of its own.
const boundsConfig = `data_dir: ./data
admin: {listen: ""}
pipelines:
  bounds:
    inputs:
      - file: {paths: ["./logs/*.log"]}
    encode: {codec: raw}
    spool: {sync: 1s}
    outputs:
      - kafka: {brokers: [%s], topic: %s, request_timeout: 3s%s}
`

// kafkaRun is the program with a topic of its own.
type kafkaRun struct {
	*testkit.Program
	t      *testing.T
	broker *brokers.KafkaBroker
	topic  string
	// written is how many lines the source has.
	written int
}

func newKafkaRun(t *testing.T, broker *brokers.KafkaBroker, topic string, partitions int, more string) *kafkaRun {
	broker.CreateTopic(topic, partitions, nil)
	k := &kafkaRun{Program: testkit.NewProgram(t, "failpoints"), t: t, broker: broker, topic: topic}
	k.Write(t, configFile, fmt.Sprintf(boundsConfig, broker.Addr(), topic, more))
	if err := os.Mkdir(k.File("logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	return k
}

// write appends n lines of a source to its log.
func (k *kafkaRun) write(source string, n int) {
	k.t.Helper()
	testkit.WriteLines(k.t, k.File("logs/"+source+".log"), source, k.written, k.written+n)
	k.written += n
}

// ship delivers what is there.
func (k *kafkaRun) ship() testkit.Result {
	k.t.Helper()
	r := k.Run(k.t, "run", "--once", "-c", configFile)
	if r.Code != 0 {
		k.t.Fatalf("ended with %d:\n%s", r.Code, r.Stderr)
	}
	k.Conserved(k.t, configFile)
	return r
}

// dieInDoubt delivers until the broker has answered the first batch, and is killed
// before it can be acknowledged.
func (k *kafkaRun) dieInDoubt() {
	k.t.Helper()
	run := *k.Program
	run.Env = []string{"SPILLWAY_FAILPOINT=kafka.answered"}
	if r := run.Run(k.t, "run", "--once", "-c", configFile); r.Code != -1 {
		k.t.Fatalf("ended with %d instead of by a kill:\n%s", r.Code, r.Stderr)
	}
}

// delivery holds what the topic has against what the sources wrote.
func (k *kafkaRun) delivery(written map[string]int) *testkit.Delivery {
	k.t.Helper()
	c := testkit.NewChecker(written)
	for _, records := range brokers.KafkaRecords(k.t, k.broker.Addr(), k.topic) {
		c.Stream()
		for _, r := range records {
			c.Line(string(r.Value))
		}
	}
	return c.Delivery()
}

// TestKafkaBounds goes to where exactly once ends: nothing may be lost beyond it, and
// doubled only what docs/guarantees.md says.
func TestKafkaBounds(t *testing.T) {
	broker := brokers.Kafka(t, brokers.Kafka43,
		brokers.WithProperty("producer.id.expiration.ms", "10000"), brokers.WithProperty("producer.id.expiration.check.interval.ms", "500"))
	for _, c := range []struct {
		name string
		test func(t *testing.T, broker *brokers.KafkaBroker)
	}{
		{"a copied data_dir drops nothing of either", copiedDataDir},
		{"what an expired producer left is found", expiredProducer},
		{"a topic made anew goes on", topicMadeAnew},
		{"partitions added while keys wait", partitionsAdded},
		{"timestamps from 2005", oldTimestamps},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, broker) })
	}
}

// copiedDataDir starts a copy of a data_dir beside its original, with the same batch
// in doubt and other lines to send.
func copiedDataDir(t *testing.T, broker *brokers.KafkaBroker) {
	k := newKafkaRun(t, broker, "copied", 1, "")
	k.write("both", 500)
	k.dieInDoubt()
	if err := os.Remove(k.File("data/admin.sock")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(k.File("copy"), os.DirFS(k.File("data"))); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(k.File(configFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dir, source string }{{"data", "original"}, {"copy", "clone"}} {
		k.Write(t, configFile, strings.NewReplacer("./data", "./"+c.dir, "*.log", "{both,"+c.source+"}.log").Replace(string(config)))
		k.written = 0
		k.write(c.source, 300)
		k.ship()
	}
	if d := k.delivery(map[string]int{"both": 500, "original": 300, "clone": 300}); !d.Exact() {
		t.Error(d)
	}
}

// expiredProducer leaves a batch in doubt for longer than the broker remembers.
func expiredProducer(t *testing.T, broker *brokers.KafkaBroker) {
	k := newKafkaRun(t, broker, "expired", 1, ", dedup_ttl: 5s")
	k.write("a", 500)
	k.dieInDoubt()
	time.Sleep(12 * time.Second)
	k.write("a", 100)
	r := k.ship()
	if d := k.delivery(map[string]int{"a": 600}); !d.Exact() {
		t.Error(d)
	}
	if !strings.Contains(r.Stderr, "looked for") || strings.Contains(r.Stderr, `"reason":"maybe_doubled"`) {
		t.Errorf("not looked for, or counted all the same:\n%s", r.Stderr)
	}
}

// topicMadeAnew deletes and creates the topic while the process runs.
func topicMadeAnew(t *testing.T, broker *brokers.KafkaBroker) {
	k := newKafkaRun(t, broker, "anew", 1, "")
	k.write("before", 500)
	p := k.Start(t, "run", "-c", configFile)
	arrived := func(n int) {
		t.Helper()
		testkit.WaitFor(t, fmt.Sprint(n, " lines"), patient, func() bool {
			total := 0
			for _, records := range brokers.KafkaRecords(t, broker.Addr(), k.topic) {
				total += len(records)
			}
			return total >= n
		})
	}
	arrived(500)
	broker.DeleteTopic(k.topic)
	broker.CreateTopic(k.topic, 1, nil)
	k.written = 0
	k.write("after", 500)
	arrived(500)
	p.Signal(t, os.Interrupt)
	if r := p.Wait(t, patient); r.Code != 0 {
		t.Fatalf("ended with %d:\n%s", r.Code, r.Stderr)
	}
	if d := k.delivery(map[string]int{"after": 500}); !d.Exact() {
		t.Errorf("%v\n%s", d, p.Log())
	}
}

// partitionsAdded has frames taken apart for three partitions, whose broker is away,
// and then there are seven.
func partitionsAdded(t *testing.T, broker *brokers.KafkaBroker) {
	k := newKafkaRun(t, broker, "added", 3, ", key: '{{key}}'")
	k.keyed()
	p := k.Start(t, "run", "-c", configFile)
	k.write("a", 2000)
	testkit.WaitFor(t, "the first lines", patient, func() bool { return len(brokers.KafkaRecords(t, broker.Addr(), k.topic)) == 3 })
	broker.Stall()
	for range 20 {
		k.write("a", 200)
		time.Sleep(20 * time.Millisecond)
	}
	p.Kill()
	p.Wait(t, patient)
	broker.Resume()
	broker.AddPartitions(k.topic, 7)
	k.write("a", 2000)
	k.ship()
	d := k.delivery(map[string]int{"a": k.written})
	if d.Lost+d.Doubled+d.Unexpected > 0 {
		t.Error(d)
	}
	if n := len(brokers.KafkaRecords(t, broker.Addr(), k.topic)); n != 7 {
		t.Errorf("%d partitions are used, want 7", n)
	}
}

// oldTimestamps sends records under their own time, by which a broker forgets their
// producer at once.
func oldTimestamps(t *testing.T, broker *brokers.KafkaBroker) {
	k := newKafkaRun(t, broker, "old", 1, ", timestamp: event")
	config, err := os.ReadFile(k.File(configFile))
	if err != nil {
		t.Fatal(err)
	}
	k.Write(t, configFile, strings.Replace(string(config), "    encode:",
		"    processors:\n      - set: {fields: {time: '2005-06-09T06:07:04Z'}}\n      - timestamp: {field: time, layout: rfc3339}\n    encode:", 1))
	k.write("a", 500)
	k.dieInDoubt()
	k.write("a", 100)
	k.ship()
	d := k.delivery(map[string]int{"a": 600})
	if d.Lost > 0 || d.Doubled > 500 {
		t.Errorf("%v: want nothing lost, and no more doubled than was in doubt", d)
	}
	for _, records := range brokers.KafkaRecords(t, broker.Addr(), k.topic) {
		if year := records[0].Timestamp.UTC().Year(); year != 2005 {
			t.Errorf("the first record is of %d", year)
		}
	}
}
