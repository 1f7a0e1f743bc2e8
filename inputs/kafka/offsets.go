package kafka

import (
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// listVersion is the first that tells where the last stable record is.
const listVersion = 2

// limits are the offsets between which a partition can be read.
type limits struct {
	first int64
	last  int64 // one past the last record
	// stable is one past the last record that may be read: read_committed waits
	// for the end of transactions.
	stable int64
	err    kafka.Error
	told   int // how many of the three there are
}

// lookUp asks where the partitions begin and end.
func (r *round) lookUp(x *exchange, send sender) error {
	r.limits = make([]limits, len(r.asks))
	for _, l := range []struct {
		isolation int8
		timestamp int64
		set       func(*limits, int64)
	}{
		{0, kafka.FirstOffset, func(l *limits, o int64) { l.first = o }},
		{0, kafka.LastOffset, func(l *limits, o int64) { l.last = o }},
		{r.isolation, kafka.LastOffset, func(l *limits, o int64) { l.stable = o }},
	} {
		x.key, x.version = protocol.ListOffsets, listVersion
		x.request = appendList(x.request[:0], r.asks, l.isolation, l.timestamp)
		if err := send(x); err != nil {
			return err
		}
		err := eachListed(x.answer, func(topic []byte, number int32, code kafka.Error, offset int64) {
			for i := range r.asks {
				if a := &r.asks[i]; a.number == number && a.topic == string(topic) {
					l.set(&r.limits[i], offset)
					r.limits[i].told++
					if code != 0 {
						r.limits[i].err = code
					}
				}
			}
		})
		if err != nil {
			return err
		}
	}
	for i := range r.limits {
		if l := &r.limits[i]; l.told < 3 && l.err == 0 {
			l.err = kafka.UnknownTopicOrPartition
		}
	}
	return nil
}

// appendList appends the body of a request for offsets.
func appendList(b []byte, asks []ask, isolation int8, timestamp int64) []byte {
	b = appendInt32(b, -1) // we are no replica
	b = append(b, byte(isolation))
	return appendTopics(b, asks, func(b []byte, _ *ask) []byte { return appendInt64(b, timestamp) })
}

// eachListed calls take with each partition of the answer.
func eachListed(answer []byte, take func(topic []byte, number int32, code kafka.Error, offset int64)) error {
	d := decoder{b: answer}
	d.int32() // throttled
	for range d.count(6) {
		topic := d.string()
		for range d.count(22) {
			number, code := d.int32(), kafka.Error(d.int16())
			d.int64() // timestamp
			if offset := d.int64(); !d.bad {
				take(topic, number, code, offset)
			}
		}
	}
	if d.bad {
		return errAnswer
	}
	return nil
}
