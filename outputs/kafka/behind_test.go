package kafka

import (
	"context"
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
	"github.com/spillway/spillway/outputs"
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

// TestAFrameWithARejectedRecordKeepsItsPlace: among frames that are owed, in a second life,
// there is one of which a record went to the dead letters.
func TestAFrameWithARejectedRecordKeepsItsPlace(t *testing.T) {
	f := newFake(t, 1, kfake.SeedTopics(1, "down", "up"))
	down := func(r kmsg.Request) kmsg.Response {
		if r.(*kmsg.ProduceRequest).Topics[0].Topic != "down" {
			return nil
		}
		return refuse(r, kerr.NotLeaderForPartition)
	}
	f.answers(down)
	cfg := settings(f.addr)
	cfg.Topic = "{{service}}"
	log := outputstest.NewLog(t, recordbatch.Snappy)
	var want []string
	frame := func(more ...message) {
		value := fmt.Sprintf("%03d", len(want))
		want = append(want, value)
		appendMessages(t, log, append(more, message{topic: "down", value: value}, message{topic: "up", value: value})...)
	}
	values := func(topic string) (got []string) {
		for _, records := range brokers.KafkaRecords(t, f.addr, topic) {
			for _, r := range records {
				got = append(got, string(r.Value))
			}
		}
		return got
	}
	for i := range 10 {
		if i == 5 {
			frame(message{value: "no topic"})
		} else {
			frame()
		}
	}
	r := start(t, cfg, log)
	until(t, "the other topic has its own", func() bool { return len(values("up")) == len(want) })
	log.Open()
	r.stop()
	start(t, cfg, log)
	for range 60 {
		frame()
	}
	until(t, "the other topic has its own in the second life", func() bool { return len(values("up")) == len(want) })
	f.refusePartition(-1, nil)
	acked(t, log)
	if got := values("down"); !slices.Equal(got, want) {
		t.Errorf("%q, want %d in order", got, len(want))
	}
}

// TestPartitionsThatComeAndGo fail in turns, alone and together, through kills.
func TestPartitionsThatComeAndGo(t *testing.T) {
	const partitions = 4
	f := newFake(t, partitions)
	cfg := settings(f.addr)
	cfg.PartitionBy = "key"
	log := outputstest.NewLog(t, recordbatch.Snappy)
	want := numbered(0, 15_000, 97)
	r := start(t, cfg, log)
	down := [][]int32{{1}, {1, 2}, {2}, {-1}, {0, 1, 2, 3}, {3}, {1}, {-1}, {0, 3}}
	i := 0
	for part := range slices.Chunk(want, 1500) {
		f.refusePartitions(kerr.NotLeaderForPartition, down[i%len(down)]...)
		appendAll(t, log, part, 25)
		time.Sleep(time.Duration(200+i*37%300) * time.Millisecond)
		if i%3 == 2 {
			log.Open()
			r.stop()
			r = start(t, cfg, log)
		}
		i++
	}
	f.refusePartition(-1, nil)
	acked(t, log)
	checkByKey(t, f.addr, lines, want, partitions)
	if n := r.count("spillway_delivery_uncertain_total", ""); n != 0 {
		t.Errorf("%v batches count as uncertain", n)
	}
}

// TestNewsOfLeadersIsReadWhileNoFrameComes: what a partition is owed would else stay
// where it is until the next frame.
func TestNewsOfLeadersIsReadWhileNoFrameComes(t *testing.T) {
	cfg := settings("127.0.0.1:1")
	cfg.PartitionBy = "key"
	env := outputstest.Env(t)
	o, err := New(cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	m := outputs.NewMeter(env)
	defer m.Close()
	s := newSender(o.(*Output), outputstest.NewLog(t, recordbatch.Snappy).Open(), nil, m, cancel)
	led := []kafka.Partition{{ID: 0, Leader: kafka.Broker{Host: "a"}}, {ID: 1, Leader: kafka.Broker{Host: "a"}}}
	s.update(ctx, found{lines, []kafka.Partition{led[0], {ID: 1}}})
	p := s.topics.byName[lines].partitions[1]
	p.behind, s.behind = true, 1
	told := make(chan struct{})
	go func() {
		s.tell(ctx, found{lines, led})
		close(told)
	}()
	until(t, "the partition has a leader and has caught up", func() bool {
		if s.behind > 0 {
			if _, err := s.next(ctx); err != nil {
				t.Fatal(err)
			}
		}
		return !p.leaderless.Load() && s.behind == 0
	})
	<-told
	cancel(nil)
	s.topics.wait()
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
