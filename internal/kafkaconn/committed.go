package kafkaconn

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// committedVersion is the first that can be asked for what is stable, since Kafka 2.5.
// The client's own request is older: it is told of the offset before a transaction whose
// end the coordinator has not taken up yet.
const committedVersion = 7

// Committed is the offset that a group has committed for a partition, and what was
// committed with it. It is -1 if there is none. While a transaction that commits another
// one is open, the error is [kafka.UnstableOffsetCommit].
func (c *Cluster) Committed(ctx context.Context, group, topic string, partition int32) (offset int64, metadata string, err error) {
	x := &exchange{
		key: protocol.OffsetFetch, version: committedVersion, flexible: true, late: true,
		request: appendCommitted(nil, group, topic, partition),
	}
	if err := c.send(ctx, x, toGroup{x, group}); err != nil {
		return 0, "", err
	}
	told := false
	var code kafka.Error
	err = eachCommitted(x.answer, func(f *committed) {
		if f.number == partition && string(f.topic) == topic {
			told, code, offset, metadata = true, f.err, f.offset, string(f.metadata)
		}
	})
	switch {
	case err != nil:
		return 0, "", err
	case !told:
		return 0, "", fmt.Errorf("group %q: the broker does not speak of topic %q, partition %d", group, topic, partition)
	case code != 0:
		return 0, "", code
	}
	return offset, metadata, nil
}

// appendCommitted appends the body of a request for a stable offset.
func appendCommitted(b []byte, group, topic string, partition int32) []byte {
	b = appendCompact(b, group)
	b = append(b, 1+1) // a topic
	b = appendCompact(b, topic)
	b = append(b, 1+1) // and a partition of it
	b = appendInt32(b, partition)
	b = append(b, 0)    // no tagged fields
	b = append(b, 1)    // stable
	return append(b, 0) // no tagged fields
}

// committed is what is told of a partition.
type committed struct {
	topic    []byte
	number   int32
	offset   int64
	metadata []byte
	err      kafka.Error
}

// eachCommitted calls take with each partition of the answer.
func eachCommitted(answer []byte, take func(*committed)) error {
	d := decoder{b: answer}
	d.tags()
	d.int32() // throttled
	for range d.compactCount(3) {
		f := committed{topic: d.take(d.uvarint() - 1)}
		for range d.compactCount(20) {
			f.number, f.offset = d.int32(), d.int64()
			d.int32() // epoch of the leader then
			f.metadata, f.err = d.compact(), kafka.Error(d.int16())
			if d.tags(); !d.bad {
				take(&f)
			}
		}
		d.tags()
	}
	code := kafka.Error(d.int16())
	d.tags()
	switch {
	case d.bad:
		return errAnswer
	case code != 0:
		return code
	}
	return nil
}

// appendCompact appends a text as newer requests have it.
func appendCompact(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s))+1)
	return append(b, s...)
}

// uvarint is a number of 31 bits, in five bytes at most.
func (d *decoder) uvarint() int {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 5 || v > math.MaxInt32 {
		d.take(-1)
		return 0
	}
	d.take(n)
	return int(v)
}

// compact may be null, and is then empty.
func (d *decoder) compact() []byte {
	if n := d.uvarint(); n > 0 {
		return d.take(n - 1)
	}
	return nil
}

// compactCount is [decoder.count] as newer answers have it.
func (d *decoder) compactCount(size int) int {
	n := d.uvarint() - 1
	if n > len(d.b)/size {
		d.take(-1)
		return 0
	}
	return max(n, 0)
}

// tags skips tagged fields: none is known here.
func (d *decoder) tags() {
	for n := d.uvarint(); n > 0 && !d.bad; n-- {
		d.uvarint()
		d.take(d.uvarint())
	}
}
