package kafkaconn

import (
	"context"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// listVersion is the first that tells the leader's epoch, since Kafka 2.1.
const listVersion = 4

// Who asks a broker: a replica's id, or one of these.
const (
	consumer int32 = -1
	// debugger is shown what the replicas do not have yet, and a follower answers
	// it, too.
	debugger int32 = -2
)

// Query says which offset of a partition is asked for.
type Query struct {
	// Timestamp, in Unix milliseconds, asks for the first record that is of that time
	// or later; or it is [kafka.FirstOffset] or [kafka.LastOffset].
	Timestamp int64
	// Isolation is that of consumers, of whom a last offset depends.
	Isolation int8
	// Unreplicated asks for the end of the leader's own log. LeaderEpoch must then be
	// what the leader has said before: so none is answered who does not lead any more.
	Unreplicated bool
	LeaderEpoch  int32
}

// Listed is the answer for a partition. The offset is -1 if there is no such record.
type Listed struct {
	Topic       []byte
	Number      int32
	Err         kafka.Error
	Offset      int64
	LeaderEpoch int32
}

// List asks a broker for an offset of each partition.
func (c *Cluster) List(ctx context.Context, broker int32, asks []Ask, q Query, take func(*Listed)) error {
	x := &exchange{key: protocol.ListOffsets, version: listVersion, request: appendList(nil, asks, q)}
	if err := c.ask(ctx, broker, x); err != nil {
		return err
	}
	return eachListed(x.answer, take)
}

// appendList appends the body of a request for offsets.
func appendList(b []byte, asks []Ask, q Query) []byte {
	who, epoch := consumer, int32(-1) // whatever the leader's epoch
	if q.Unreplicated {
		who, epoch = debugger, q.LeaderEpoch
	}
	b = appendInt32(b, who)
	b = append(b, byte(q.Isolation))
	return appendTopics(b, asks, func(b []byte, _ *Ask) []byte {
		b = appendInt32(b, epoch)
		return appendInt64(b, q.Timestamp)
	})
}

// eachListed calls take with each partition of the answer.
func eachListed(answer []byte, take func(*Listed)) error {
	d := decoder{b: answer}
	d.int32() // throttled
	for range d.count(6) {
		l := Listed{Topic: d.string()}
		for range d.count(26) {
			l.Number, l.Err = d.int32(), kafka.Error(d.int16())
			d.int64() // timestamp
			l.Offset, l.LeaderEpoch = d.int64(), d.int32()
			if !d.bad {
				take(&l)
			}
		}
	}
	if d.bad {
		return errAnswer
	}
	return nil
}
