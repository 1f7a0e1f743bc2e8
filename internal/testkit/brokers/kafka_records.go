package brokers

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// KafkaRecords reads what a topic's partitions hold now, each from its beginning to
// the end that it has when the reading begins, as read-committed consumers see it:
// by partition, in order. It takes another client than Spillway does, so that no
// fault of one hides a fault of the other.
func KafkaRecords(t testing.TB, addr, topic string) map[int32][]*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := endOffsets(ctx, client, topic)
	if err != nil {
		t.Fatalf("end offsets of %s: %v", topic, err)
	}
	records := map[int32][]*kgo.Record{}
	for len(ends) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("reading %s: %v; partitions missing: %v", topic, err, ends)
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			for _, r := range p.Records {
				if r.Offset+1 >= ends[r.Partition] {
					delete(ends, r.Partition)
				}
				if !r.Attrs.IsControl() {
					records[r.Partition] = append(records[r.Partition], r)
				}
			}
		})
	}
	return records
}

// endOffsets are the offsets up to which a read-committed consumer may read, of the
// partitions that hold anything.
func endOffsets(ctx context.Context, client *kgo.Client, topic string) (map[int32]int64, error) {
	meta := kmsg.NewPtrMetadataRequest()
	wanted := kmsg.NewMetadataRequestTopic()
	wanted.Topic = &topic
	meta.Topics = append(meta.Topics, wanted)
	found, err := meta.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(found.Topics[0].ErrorCode); err != nil {
		return nil, err
	}
	list := kmsg.NewPtrListOffsetsRequest()
	list.IsolationLevel = 1
	of := kmsg.NewListOffsetsRequestTopic()
	of.Topic = topic
	for _, p := range found.Topics[0].Partitions {
		latest := kmsg.NewListOffsetsRequestTopicPartition()
		latest.Partition, latest.Timestamp = p.Partition, -1
		of.Partitions = append(of.Partitions, latest)
	}
	list.Topics = append(list.Topics, of)
	ends := map[int32]int64{}
	for _, shard := range client.RequestSharded(ctx, list) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, p := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, err
			}
			if p.Offset > 0 {
				ends[p.Partition] = p.Offset
			}
		}
	}
	return ends, nil
}
