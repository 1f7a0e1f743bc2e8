package kafka

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/kafkaconn"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/record/expr"
)

func init() {
	outputs.Register("kafka", "Ships frames to Kafka topics, exactly once.", Default, New)
}

// Config is the kafka output's.
type Config struct {
	kafkaconn.Config
	Topic           string            `yaml:"topic" doc:"The topic, which may be filled from fields. It must exist: none is made." required:"true" example:"logs"`
	MaxTopics       int               `yaml:"max_topics" doc:"How many topics fields may name. Records for more go to the dead letters: what fills a topic should not come from outsiders." min:"1"`
	Key             string            `yaml:"key" doc:"The records' key, filled from fields; a record that lacks one of them has no key. Empty keeps the key that a record came with." example:"'{{user.id}}'"`
	PartitionBy     string            `yaml:"partition_by" doc:"How a record gets its partition: frame (whole frames go to the next partition that has nothing to do; the cheapest), key (as Java's client does it), or auto (key if key is set, else frame)." oneof:"auto,frame,key"`
	Headers         map[string]string `yaml:"headers" doc:"Headers of each record, filled from fields; one that lacks a field is left out." example:"{service: '{{service.name}}'}"`
	Timestamp       string            `yaml:"timestamp" doc:"The records' timestamp: send (when the frame is sent), or event (the record's own; a broker measures by it how long it remembers a producer, so old ones weaken exactly once, and it may refuse them)." oneof:"send,event"`
	Acks            string            `yaml:"acks" doc:"What counts as delivered: all in-sync replicas have it, the leader has it, or none (it was sent). Only all is exactly once." oneof:"all,leader,none"`
	TransactionalID string            `yaml:"transactional_id" doc:"Sends in transactions that hold the records and the cursor: readers that are read-committed see each record once, however long an outage (but for the cluster's offsets.retention). The id is this output's alone, in the whole cluster, and also names the consumer group that the cursor stands in." example:"spillway-web-1"`
	CommitInterval  time.Duration     `yaml:"commit_interval" doc:"How long a transaction gathers records." min:"1ms"`
	CursorTopic     string            `yaml:"cursor_topic" doc:"With a transactional_id and a topic filled from fields: the topic by which the group's offset is named; nothing is sent to it." example:"logs"`
	DedupTTL        time.Duration     `yaml:"dedup_ttl" doc:"How long the brokers surely remember a producer (producer.id.expiration.ms, 24 h by default). What was in doubt for longer is looked for in the partition before it is sent again; where that is not possible, it is sent all the same, and counted as perhaps doubled." min:"1s"`
}

// Default is exactly once, by frame.
func Default() *Config {
	return &Config{
		Config: kafkaconn.Default(), MaxTopics: 100, PartitionBy: "auto", Timestamp: "send", Acks: "all", CommitInterval: 100 * time.Millisecond, DedupTTL: 12 * time.Hour,
	}
}

// maxTopic is the broker's bound on a topic's name, in bytes.
const maxTopic = 249

// Check tells whether topic, key and headers can be filled.
func (c *Config) Check() error {
	topic, err := expr.ParseTemplate(c.Topic)
	if err != nil {
		return config.At("topic", err)
	}
	if name, ok := topic.Constant(); ok {
		if err := checkTopic(name); err != nil {
			return config.At("topic", err)
		}
	}
	if err := c.checkTransactions(topic); err != nil {
		return err
	}
	_, err = c.shape()
	return err
}

func (c *Config) checkTransactions(topic *expr.Template) error {
	_, constant := topic.Constant()
	switch {
	case c.TransactionalID == "" && c.CursorTopic != "":
		return config.At("cursor_topic", errors.New("is for transactions: set transactional_id, too"))
	case c.TransactionalID == "":
		return nil
	case c.Acks != "all":
		return config.At("acks", errors.New("transactions need acks: all"))
	case !constant && c.CursorTopic == "":
		return config.At("topic", errors.New("is filled from fields: with a transactional_id, name a cursor_topic"))
	case c.CursorTopic != "":
		return config.At("cursor_topic", checkTopic(c.CursorTopic))
	}
	return nil
}

// shape is what the records are to have beside their values.
func (c *Config) shape() (s outputs.Shape, err error) {
	s.EventTime = c.Timestamp == "event"
	if c.Key != "" {
		if s.Key, err = expr.ParseTemplate(c.Key); err != nil {
			return s, config.At("key", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		if name == topicHeader {
			return s, config.At("headers", fmt.Errorf("%s is a name that this output uses itself", name))
		}
		value, err := expr.ParseTemplate(c.Headers[name])
		if err != nil {
			return s, config.At("headers", fmt.Errorf("%s: %w", name, err))
		}
		s.Headers = append(s.Headers, outputs.Header{Name: name, Value: value})
	}
	return s, nil
}

// checkTopic says what Kafka would: names are of letters, digits, dots, underscores
// and hyphens.
func checkTopic(name string) error {
	if name == "" || len(name) > maxTopic || name == "." || name == ".." {
		return fmt.Errorf("%q is no topic: want 1 to %d characters", name, maxTopic)
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
		default:
			return fmt.Errorf("%q is no topic: %q is not among letters, digits, dot, underscore and hyphen", name, r)
		}
	}
	return nil
}

// acks is the setting as Kafka counts.
func (c *Config) acks() kafka.RequiredAcks {
	switch c.Acks {
	case "leader":
		return kafka.RequireOne
	case "none":
		return kafka.RequireNone
	}
	return kafka.RequireAll
}

// byKey says that records get their partition by their key.
func (c *Config) byKey() bool {
	return c.PartitionBy == "key" || c.PartitionBy == "auto" && c.Key != ""
}
