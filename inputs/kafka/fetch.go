package kafka

import (
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// maxWaitMillis is how long a broker that has nothing new waits for something.
const maxWaitMillis = 500

// fetchVersion is the first that hands out records compressed with zstd, since
// Kafka 2.1, and understood by all brokers since.
const fetchVersion = 10

// appendFetch appends the body of a fetch, of at most maxBytes: of the first
// partition that has any, a broker sends at least one batch, however long.
func appendFetch(b []byte, asks []ask, isolation int8, maxBytes int32) []byte {
	b = appendInt32(b, -1) // we are no replica
	b = appendInt32(b, maxWaitMillis)
	b = appendInt32(b, 1) // byte is enough to answer
	b = appendInt32(b, maxBytes)
	b = append(b, byte(isolation))
	b = appendInt32(b, 0)  // no session
	b = appendInt32(b, -1) // no epoch of it
	b = appendTopics(b, asks, func(b []byte, a *ask) []byte {
		b = appendInt32(b, -1) // whatever the leader's epoch
		b = appendInt64(b, a.offset)
		b = appendInt64(b, -1) // we are no replica
		return appendInt32(b, maxBytes)
	})
	return appendInt32(b, 0) // no session to take topics from
}

// appendTopics appends the partitions by topics, in their order: neighbours of
// the same topic together.
func appendTopics(b []byte, asks []ask, one func([]byte, *ask) []byte) []byte {
	topics := 0
	for i := range asks {
		if i == 0 || asks[i].topic != asks[i-1].topic {
			topics++
		}
	}
	b = appendInt32(b, int32(topics))
	for i := 0; i < len(asks); {
		n := i
		for n < len(asks) && asks[n].topic == asks[i].topic {
			n++
		}
		b = appendString(b, asks[i].topic)
		b = appendInt32(b, int32(n-i))
		for ; i < n; i++ {
			b = appendInt32(b, asks[i].number)
			b = one(b, &asks[i])
		}
	}
	return b
}

// fetched is what a broker has sent of a partition. Its slices live as long as
// the answer, but for aborted, which lives until the next partition.
type fetched struct {
	topic  []byte
	number int32
	err    kafka.Error
	// aborted are the transactions that reach into the records and were aborted.
	aborted []aborted
	records []byte
}

// aborted is a transaction of a producer, whose records begin at first.
type aborted struct{ producer, first int64 }

// eachFetched calls take with each partition of a fetch's answer.
func eachFetched(answer []byte, take func(*fetched) error) error {
	d := decoder{b: answer}
	d.int32() // throttled, in milliseconds: the broker has waited before it answered
	if code := d.int16(); code != 0 {
		return kafka.Error(code)
	}
	d.int32() // no session
	var f fetched
	for range d.count(6) {
		f.topic = d.string()
		for range d.count(38) {
			f.number, f.err = d.int32(), kafka.Error(d.int16())
			d.take(3 * 8) // high watermark, last stable offset, start of the log
			f.aborted = f.aborted[:0]
			for range d.count(16) {
				f.aborted = append(f.aborted, aborted{d.int64(), d.int64()})
			}
			f.records = d.bytes()
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

// fetch asks for records. The answer is for [eachFetched].
func (r *round) fetch(x *exchange, send sender) error {
	x.key, x.version = protocol.Fetch, fetchVersion
	x.request = appendFetch(x.request[:0], r.asks, r.isolation, r.maxBytes)
	if err := send(x); err != nil {
		return err
	}
	r.answer = x.answer
	return nil
}
