package kafkaconn

import "github.com/segmentio/kafka-go"

// Dialer dials one broker after the other as the client does, for what needs a
// connection of its own.
func (c *Cluster) Dialer() *kafka.Dialer {
	return &kafka.Dialer{
		ClientID: c.cfg.ClientID, DialFunc: c.dial, Timeout: c.cfg.ConnectTimeout, SASLMechanism: c.transport.SASL,
	}
}
