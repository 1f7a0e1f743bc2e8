package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/internal/testkit"
	"github.com/spillway/spillway/internal/testkit/brokers"
)

// keyed makes the number in each line its key.
func (k *kafkaRun) keyed() {
	k.t.Helper()
	config, err := os.ReadFile(k.File(configFile))
	if err != nil {
		k.t.Fatal(err)
	}
	k.Write(k.t, configFile, strings.Replace(string(config), "    encode:",
		"    processors:\n      - regex: {pattern: '^\\S+ (?P<key>\\S+)'}\n    encode:", 1))
}

// led are the partitions of the topic that have a leader.
func (k *kafkaRun) led() (numbers []int) {
	k.t.Helper()
	res, err := k.broker.Client().Metadata(k.t.Context(), &kafka.MetadataRequest{Topics: []string{k.topic}})
	if err != nil {
		k.t.Fatal(err)
	}
	for _, p := range res.Topics[0].Partitions {
		if p.Leader.Host != "" {
			numbers = append(numbers, p.ID)
		}
	}
	return numbers
}

// wantIn is how many of the lines have a key that belongs to some of the partitions.
func (k *kafkaRun) wantIn(of int, partitions []int) (n int64) {
	all := make([]int, of)
	for i := range all {
		all[i] = i
	}
	in := map[int]bool{}
	for _, p := range partitions {
		in[p] = true
	}
	for i := range k.written {
		if in[(kafka.Murmur2Balancer{}).Balance(kafka.Message{Key: fmt.Append(nil, i)}, all...)] {
			n++
		}
	}
	return n
}

// has is how many records some of the partitions have.
func (k *kafkaRun) has(partitions []int) (n int64) {
	k.t.Helper()
	var ask []kafka.OffsetRequest
	for _, p := range partitions {
		ask = append(ask, kafka.LastOffsetOf(p))
	}
	res, err := k.broker.Client().ListOffsets(k.t.Context(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{k.topic: ask}})
	if err != nil {
		k.t.Fatal(err)
	}
	for _, p := range res.Topics[k.topic] {
		n += p.LastOffset
	}
	return n
}

// TestKafkaPartitionsWithoutLeader takes one of a broker's two disks away, and with it the
// leaders of half of the partitions. The others get all that is theirs meanwhile, also
// in a second life; and the rest comes once the disk is back, in order.
func TestKafkaPartitionsWithoutLeader(t *testing.T) {
	disks := []string{t.TempDir(), t.TempDir()}
	broker := brokers.Kafka(t, brokers.Kafka43, brokers.WithProperty("log.dirs", strings.Join(disks, ",")),
		brokers.WithProperty("metadata.log.dir", disks[0]), brokers.WithProperty("log.flush.offset.checkpoint.interval.ms", "500"))
	const partitions = 4
	k := newKafkaRun(t, broker, "halved", partitions, ", key: '{{key}}'")
	k.keyed()
	p := k.Start(t, "run", "-c", configFile)
	k.write("a", 2000)
	testkit.WaitFor(t, "the first lines", patient, func() bool { return k.has(k.led()) == 2000 })
	away := disks[1] + ".away"
	if err := os.Rename(disks[1], away); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "partitions without leader", patient, func() bool { return len(k.led()) < partitions })
	led := k.led()
	if len(led) == 0 {
		t.Fatal("no partition has a leader: nothing can be tried")
	}
	trickle := func() {
		for range 100 { // frames, or a few less: the window is 32
			k.write("a", 100)
			time.Sleep(15 * time.Millisecond)
		}
	}
	arrived := func() bool { return k.has(led) == k.wantIn(partitions, led) }
	trickle()
	testkit.WaitFor(t, "all that the others are to get", patient, arrived)
	p.Kill()
	p.Wait(t, patient)
	p = k.Start(t, "run", "-c", configFile)
	trickle()
	testkit.WaitFor(t, "all that the others are to get after the kill", patient, arrived)
	if err := os.Rename(away, disks[1]); err != nil {
		t.Fatal(err)
	}
	broker.Restart()
	k.write("a", 1000)
	testkit.WaitFor(t, "everything", 2*patient, func() bool { return len(k.led()) == partitions && k.has(k.led()) >= int64(k.written) })
	p.Signal(t, os.Interrupt)
	if r := p.Wait(t, patient); r.Code != 0 {
		t.Fatalf("ended with %d:\n%s", r.Code, r.Stderr)
	}
	if d := k.delivery(map[string]int{"a": k.written}); !d.Exact() {
		t.Errorf("%v\n%s", d, p.Log())
	}
	k.Conserved(t, configFile)
	if !strings.Contains(p.Log(), "left behind") {
		t.Error("nothing was left behind: nothing was tried")
	}
}
