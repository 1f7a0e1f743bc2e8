package kafka

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/kafkaconn"
)

func init() {
	inputs.Register("kafka", "Reads Kafka topics, by fixed partitions exactly once, or as a member of a group.", Default, New)
}

// Config is what a user says about the topics to read.
type Config struct {
	kafkaconn.Config
	Topics         []string      `yaml:"topics" doc:"The topics, by their exact names." required:"true" example:"[logs]"`
	Group          string        `yaml:"group" doc:"Consumer group that shares the partitions out among its members, and keeps their offsets: at least once. Empty: this input reads the partitions by itself and keeps the offsets in the spool, exactly once."`
	Partitions     []int         `yaml:"partitions" doc:"Without a group: the partitions to read, of each topic. Empty: all, also those that are added later." min:"0" max:"2147483647" example:"[0, 1]"`
	StartAt        string        `yaml:"start_at" doc:"Where to begin with partitions of which no offset is known, and go on where the offset is no longer in the topic. Partitions that are added to a topic that this input has read before are read from their beginning, unless there is a group." oneof:"beginning,end"`
	Isolation      string        `yaml:"isolation" doc:"What to read of transactions: read_committed waits for their end and leaves out what was aborted, read_uncommitted takes everything." oneof:"read_committed,read_uncommitted"`
	Fields         []string      `yaml:"fields" doc:"What a record gets as fields beside the message: topic (messaging.destination.name), partition (messaging.destination.partition.id), offset (messaging.kafka.message.offset), key (messaging.kafka.message.key), headers (messaging.header.NAME). The record's key and time are set in any case." oneof:"topic,partition,offset,key,headers"`
	FetchMaxBytes  config.Size   `yaml:"fetch_max_bytes" doc:"The most bytes, as compressed by the producers, to hold of what was fetched and is not yet handed on. A batch of a producer that is larger is fetched alone." min:"64KiB" max:"1GiB"`
	SessionTimeout time.Duration `yaml:"session_timeout" doc:"With a group: after how long without a sign of life the group gives a member's partitions to others. The brokers have bounds for it, 6s to 30m by default." min:"1s" max:"30m"`
}

// Default returns the defaults.
func Default() *Config {
	return &Config{
		Config:         kafkaconn.Default(),
		StartAt:        "beginning",
		Isolation:      "read_committed",
		Fields:         []string{"headers"},
		FetchMaxBytes:  4 * config.MiB,
		SessionTimeout: 30 * time.Second,
	}
}

// Check tells whether the keys make sense together.
func (c *Config) Check() error {
	var errs []error
	for i, topic := range c.Topics {
		switch {
		case topic == "":
			errs = append(errs, config.At(fmt.Sprintf("topics[%d]", i), errors.New("an empty name: name a topic")))
		case slices.Contains(c.Topics[:i], topic):
			errs = append(errs, config.At(fmt.Sprintf("topics[%d]", i), fmt.Errorf("%q is there already", topic)))
		}
	}
	if c.Group != "" && len(c.Partitions) > 0 {
		errs = append(errs, config.At("partitions", errors.New("a group shares the partitions out by itself: leave out either")))
	}
	return errors.Join(errs...)
}

// startAtEnd says that what was written before the first start is not wanted.
func (c *Config) startAtEnd() bool { return c.StartAt == "end" }

// isolation is that of requests.
func (c *Config) isolation() int8 {
	if c.Isolation == "read_committed" {
		return 1
	}
	return 0
}

// missing is the error that a topic with so many partitions lacks one that is named.
func (c *Config) missing(topic string, count int) error {
	for _, number := range c.Partitions {
		if number >= count {
			return config.At("partitions", fmt.Errorf("topic %q has %d partitions, and no number %d", topic, count, number))
		}
	}
	return nil
}

// reads says whether a partition of a topic is one to read.
func (c *Config) reads(partition int32) bool {
	return len(c.Partitions) == 0 || slices.Contains(c.Partitions, int(partition))
}
