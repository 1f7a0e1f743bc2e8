package kafkaconn

import (
	"context"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// maxWaitMillis is how long a broker that has nothing new waits for something.
const maxWaitMillis = 500

// AnswerHead is what stands around the records in an answer, in bytes, of a usual
// number of partitions.
const AnswerHead = 64 << 10

// Ask is what is asked about one partition.
type Ask struct {
	Topic  string
	Number int32
	Offset int64 // from which to fetch
}

// fetchVersion is the first that hands out records compressed with zstd, since
// Kafka 2.1, and understood by all brokers since.
const fetchVersion = 10

// appendFetch appends the body of a fetch, of at most maxBytes: of the first
// partition that has any, a broker sends at least one batch, however long.
func appendFetch(b []byte, asks []Ask, isolation int8, maxBytes int32) []byte {
	b = appendInt32(b, consumer)
	b = appendInt32(b, maxWaitMillis)
	b = appendInt32(b, 1) // byte is enough to answer
	b = appendInt32(b, maxBytes)
	b = append(b, byte(isolation))
	b = appendInt32(b, 0)  // no session
	b = appendInt32(b, -1) // no epoch of it
	b = appendTopics(b, asks, func(b []byte, a *Ask) []byte {
		b = appendInt32(b, -1) // whatever the leader's epoch
		b = appendInt64(b, a.Offset)
		b = appendInt64(b, -1) // we are no replica
		return appendInt32(b, maxBytes)
	})
	return appendInt32(b, 0) // no session to take topics from
}

// appendTopics appends the partitions by topics, in their order: neighbours of
// the same topic together.
func appendTopics(b []byte, asks []Ask, one func([]byte, *Ask) []byte) []byte {
	topics := 0
	for i := range asks {
		if i == 0 || asks[i].Topic != asks[i-1].Topic {
			topics++
		}
	}
	b = appendInt32(b, int32(topics))
	for i := 0; i < len(asks); {
		n := i
		for n < len(asks) && asks[n].Topic == asks[i].Topic {
			n++
		}
		b = appendString(b, asks[i].Topic)
		b = appendInt32(b, int32(n-i))
		for ; i < n; i++ {
			b = appendInt32(b, asks[i].Number)
			b = one(b, &asks[i])
		}
	}
	return b
}

// Fetched is what a broker has sent of a partition. Its slices live as long as
// the answer, but for Aborted, which lives until the next partition.
type Fetched struct {
	Topic  []byte
	Number int32
	Err    kafka.Error
	// Aborted are the transactions that reach into the records and were aborted.
	Aborted []Aborted
	Records []byte
}

// Aborted is a transaction of a producer, whose records begin at First.
type Aborted struct{ Producer, First int64 }

// EachFetched calls take with each partition of a fetch's answer.
func EachFetched(answer []byte, take func(*Fetched) error) error {
	d := decoder{b: answer}
	d.int32() // throttled, in milliseconds: the broker has waited before it answered
	if code := d.int16(); code != 0 {
		return kafka.Error(code)
	}
	d.int32() // no session
	var f Fetched
	for range d.count(6) {
		f.Topic = d.string()
		for range d.count(38) {
			f.Number, f.Err = d.int32(), kafka.Error(d.int16())
			d.take(3 * 8) // high watermark, last stable offset, start of the log
			f.Aborted = f.Aborted[:0]
			for range d.count(16) {
				f.Aborted = append(f.Aborted, Aborted{d.int64(), d.int64()})
			}
			f.Records = d.bytes()
			if d.bad {
				return errAnswer
			}
			if err := take(&f); err != nil {
				return err
			}
		}
	}
	if d.bad {
		return errAnswer
	}
	return nil
}

// FetchRaw asks a broker for records. The answer is for [EachFetched], and takes memory if
// there is enough of it. After an error the memory may still be written into.
func (c *Cluster) FetchRaw(ctx context.Context, broker int32, asks []Ask, isolation int8, maxBytes int32, memory []byte) (answer []byte, err error) {
	x := &exchange{
		key: protocol.Fetch, version: fetchVersion, request: appendFetch(nil, asks, isolation, maxBytes),
		answer: memory, expect: int(maxBytes) + AnswerHead,
	}
	if err := c.ask(ctx, broker, x); err != nil {
		return nil, err
	}
	return x.answer, nil
}
