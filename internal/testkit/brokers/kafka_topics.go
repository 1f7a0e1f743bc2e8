package brokers

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/internal/testkit"
)

// topicLimit bounds a change of topics, and the wait until the broker shows it.
const topicLimit = 30 * time.Second

// CreateTopic makes a topic and returns when every partition has a leader.
// Configs are the topic's own, such as message.timestamp.type; nil is none.
func (k *KafkaBroker) CreateTopic(name string, partitions int, configs map[string]string) {
	k.t.Helper()
	topic := kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}
	for key, value := range configs {
		topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: key, ConfigValue: value})
	}
	k.change(name, partitions, func(ctx context.Context, c *kafka.Client) (map[string]error, error) {
		r, err := c.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
		if err != nil {
			return nil, err
		}
		return r.Errors, nil
	})
}

// DeleteTopic removes a topic and returns when the broker no longer knows it. Its
// files go later.
func (k *KafkaBroker) DeleteTopic(name string) {
	k.t.Helper()
	k.change(name, 0, func(ctx context.Context, c *kafka.Client) (map[string]error, error) {
		r, err := c.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}})
		if err != nil {
			return nil, err
		}
		return r.Errors, nil
	})
}

// AddPartitions gives a topic more partitions, total in all, and returns when
// every one has a leader.
func (k *KafkaBroker) AddPartitions(name string, total int) {
	k.t.Helper()
	k.change(name, total, func(ctx context.Context, c *kafka.Client) (map[string]error, error) {
		r, err := c.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
			Topics: []kafka.TopicPartitionsConfig{{Name: name, Count: int32(total)}},
		})
		if err != nil {
			return nil, err
		}
		return r.Errors, nil
	})
}

// change asks for a change of a topic and waits until it has so many partitions.
func (k *KafkaBroker) change(topic string, partitions int, ask func(context.Context, *kafka.Client) (map[string]error, error)) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), topicLimit)
	defer cancel()
	c, done := k.client()
	defer done()
	errs, err := ask(ctx, c)
	if err == nil {
		err = errs[topic]
	}
	if err != nil {
		k.t.Fatalf("%s: topic %s: %v", k.name, topic, err)
	}
	testkit.WaitFor(k.t, "topic "+topic, topicLimit, func() bool {
		counts, err := k.topics()
		return err == nil && counts[topic] == partitions
	})
}
