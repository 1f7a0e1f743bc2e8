package kafka

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/spillway/spillway/internal/testkit/brokers"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool/recordbatch"
)

// byPartition sorts messages by where their keys send them.
func byPartition(messages []message, partitions int) map[int][]message {
	numbers := make([]int, partitions)
	for i := range numbers {
		numbers[i] = i
	}
	to := map[int][]message{}
	for _, m := range messages {
		p := (kafka.Murmur2Balancer{}).Balance(kafka.Message{Key: []byte(m.key)}, numbers...)
		to[p] = append(to[p], m)
	}
	return to
}

// appendAll appends messages in frames of n.
func appendAll(t *testing.T, log *outputstest.Log, messages []message, n int) {
	t.Helper()
	for part := range slices.Chunk(messages, n) {
		appendMessages(t, log, part...)
	}
}

// TestAPartitionThatIsDownIsLeftBehind: with keys, the others get all that is theirs,
// however much that is, and the one that is down gets its own in order once it is back;
// also if this process was killed meanwhile.
func TestAPartitionThatIsDownIsLeftBehind(t *testing.T) {
	const partitions, down = 4, 1
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed=%t", killed), func(t *testing.T) {
			f := newFake(t, partitions)
			f.refusePartition(down, kerr.NotLeaderForPartition)
			cfg := settings(f.addr)
			cfg.PartitionBy = "key"
			log := outputstest.NewLog(t, recordbatch.Snappy)
			want := numbered(0, 20_000, 97)
			others := len(want) - len(byPartition(want, partitions)[down])
			appendAll(t, log, want[:10_000], 50) // 200 frames: six times the window
			r := start(t, cfg, log)
			appendAll(t, log, want[10_000:], 50)
			arrived := func() bool { return len(f.values(t)) == others }
			until(t, "the others have all of theirs", arrived)
			if log.Frontier() > 100 {
				t.Errorf("acknowledged up to %d, although a partition lacks its records", log.Frontier())
			}
			if killed {
				log.Open()
				r.stop()
				r = start(t, cfg, log)
				more := numbered(len(want), 1000, 97)
				want = append(want, more...)
				others += len(more) - len(byPartition(more, partitions)[down])
				appendAll(t, log, more, 50)
				until(t, "the others have all of theirs after the kill", arrived)
			}
			f.refusePartition(-1, nil)
			more := numbered(len(want), 2000, 97)
			want = append(want, more...)
			appendAll(t, log, more, 50)
			acked(t, log)
			checkByKey(t, f.addr, lines, want, partitions)
			if n := r.count("spillway_delivery_uncertain_total", ""); n != 0 {
				t.Errorf("%v batches count as uncertain", n)
			}
		})
	}
}

// TestTwoPartitionsThatAreDownCatchUpEachInItsTime: one comes back while the other stays
// away.
func TestTwoPartitionsThatAreDownCatchUpEachInItsTime(t *testing.T) {
	const partitions = 4
	f := newFake(t, partitions)
	f.refusePartitions(kerr.NotLeaderForPartition, 1, 2)
	cfg := settings(f.addr)
	cfg.PartitionBy = "key"
	log := outputstest.NewLog(t, recordbatch.Snappy)
	want := numbered(0, 10_000, 97)
	appendAll(t, log, want, 50)
	start(t, cfg, log)
	parts := byPartition(want, partitions)
	until(t, "the others have all of theirs", func() bool { return len(f.values(t)) == len(parts[0])+len(parts[3]) })
	f.refusePartitions(kerr.NotLeaderForPartition, 2)
	until(t, "one has caught up", func() bool { return len(f.values(t)) == len(want)-len(parts[2]) })
	more := numbered(len(want), 2000, 97)
	want = append(want, more...)
	appendAll(t, log, more, 50)
	f.refusePartition(-1, nil)
	acked(t, log)
	checkByKey(t, f.addr, lines, want, partitions)
}

// TestWithAllPartitionsDownNothingIsLeftBehind: there is nobody to go on for, and the
// spool is not read in vain.
func TestWithAllPartitionsDownNothingIsLeftBehind(t *testing.T) {
	f := newFake(t, 3)
	f.refusePartitions(kerr.NotLeaderForPartition, 0, 1, 2)
	cfg := settings(f.addr)
	cfg.PartitionBy = "key"
	log := outputstest.NewLog(t, recordbatch.Snappy)
	want := numbered(0, 10_000, 97)
	appendAll(t, log, want, 50)
	start(t, cfg, log)
	time.Sleep(2 * time.Second)
	if n := len(log.Deferred()); n > window {
		t.Errorf("%d frames deferred", n)
	}
	f.refusePartition(-1, nil)
	acked(t, log)
	checkByKey(t, f.addr, lines, want, 3)
}

// TestWhatATopicIsOwedIsOfThatTopic: with topics from fields a topic that is down holds
// up no other.
func TestWhatATopicIsOwedIsOfThatTopic(t *testing.T) {
	f := newFake(t, 1, kfake.SeedTopics(2, "down", "up"))
	f.answers(func(r kmsg.Request) kmsg.Response {
		if r.(*kmsg.ProduceRequest).Topics[0].Topic != "down" {
			return nil
		}
		return refuse(r, kerr.NotLeaderForPartition)
	})
	cfg := settings(f.addr)
	cfg.Topic = "{{service}}"
	log := outputstest.NewLog(t, recordbatch.Snappy)
	var all []message
	for i := range 4000 {
		all = append(all, message{topic: []string{"up", "down"}[i%2], value: fmt.Sprint(i)})
	}
	appendAll(t, log, all, 20)
	start(t, cfg, log)
	count := func(topic string) (n int) {
		for _, records := range brokers.KafkaRecords(t, f.addr, topic) {
			n += len(records)
		}
		return n
	}
	until(t, "the topic that is up has all of its own", func() bool { return count("up") == 2000 })
	f.refusePartition(-1, nil)
	acked(t, log)
	if n := count("down"); n != 2000 {
		t.Errorf("%d records in the other, want 2000", n)
	}
}

func TestNotesOfWhatIsOwedAreTheSameForFramesInARow(t *testing.T) {
	s := &sender{binding: 5}
	note := func(sticky int32, order ...int32) string {
		j := &job{routes: []route{{topic: "z", partitions: 9, sticky: 4}, {topic: "a", partitions: 8, sticky: sticky}}}
		for _, p := range order {
			j.owed = append(j.owed, owed{1, p})
		}
		return string(s.owedNote(j))
	}
	if note(3, 1, 2) != note(7, 2, 1) {
		t.Error("the order of what is owed, or a sticky partition that is not, makes another note")
	}
	if note(1, 1, 2) == note(3, 1, 2) || note(3, 1) == note(3, 1, 2) {
		t.Error("two that owe different records have the same note")
	}
	if strings.Contains(note(3, 1), "z") {
		t.Error("the note speaks of a topic that is owed nothing")
	}
}
