package kafka

import (
	"fmt"
	"time"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/kafkaconn"
	"github.com/spillway/spillway/outputs"
)

func init() {
	outputs.Register("kafka", "Ships frames to a Kafka topic, exactly once.", Default, New)
}

// Config is the kafka output's.
type Config struct {
	kafkaconn.Config
	Topic    string        `yaml:"topic" doc:"The topic. It must exist, unless the brokers create topics themselves." required:"true" example:"logs"`
	Acks     string        `yaml:"acks" doc:"What counts as delivered: all in-sync replicas have it, the leader has it, or none (it was sent). Only all is exactly once." oneof:"all,leader,none"`
	DedupTTL time.Duration `yaml:"dedup_ttl" doc:"How long the brokers surely remember a producer (producer.id.expiration.ms, 24 h by default). What was in doubt for longer is sent all the same, and counted as perhaps doubled." min:"1m"`
}

// Default is exactly once.
func Default() *Config {
	return &Config{Config: kafkaconn.Default(), Acks: "all", DedupTTL: 12 * time.Hour}
}

// maxTopic is the broker's bound on a topic's name, in bytes.
const maxTopic = 249

// Check tells whether the topic's name is one.
func (c *Config) Check() error { return config.At("topic", checkTopic(c.Topic)) }

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
