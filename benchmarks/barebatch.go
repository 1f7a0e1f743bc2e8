package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/snappy/xerial"
)

// A bareBatch is a record batch of version 2, compressed with Snappy, behind its size as it goes over the wire.
type bareBatch struct {
	records []byte // not compressed
	packed  []byte
	count   int32
}

// Where things stand in packed.
const (
	atLength     = batchSizeLen + 8
	atMagic      = batchSizeLen + 16
	atChecksum   = batchSizeLen + 17
	atAttributes = batchSizeLen + 21
	atLastDelta  = batchSizeLen + 23
	atTimes      = batchSizeLen + 27
	atProducer   = batchSizeLen + 43
	atEpoch      = batchSizeLen + 51
	atSequence   = batchSizeLen + 53
	atCount      = batchSizeLen + 57
	atRecords    = batchSizeLen + 61

	batchSizeLen = 4
)

const (
	batchSnappy = 2
	// xerialBlock is how much Kafka's framing of Snappy compresses at once; xerialHeader is what stands before the blocks.
	xerialBlock  = 32 << 10
	xerialHeader = 16
)

// build fills the batch with a block's lines, each with the member host added. The producer is not in it yet.
func (b *bareBatch) build(lines *scanner, block []byte) {
	b.records, b.count = b.records[:0], 0
	for len(block) > 0 {
		end := bytes.IndexByte(block, '\n')
		if end < 0 {
			end = len(block)
		}
		b.append(lines, block[:end])
		block = block[min(end+1, len(block)):]
	}
	room := atRecords + xerialHeader + (len(b.records)/xerialBlock+1)*(4+s2.MaxEncodedLen(xerialBlock))
	if cap(b.packed) < room {
		b.packed = make([]byte, atRecords, room)
	}
	b.packed = b.packed[:atRecords]
	b.packed = b.packed[:atRecords+len(xerial.Encode(b.packed[atRecords:], b.records))]

	clear(b.packed[:atRecords])
	size := len(b.packed) - batchSizeLen
	binary.BigEndian.PutUint32(b.packed, uint32(size))
	binary.BigEndian.PutUint32(b.packed[atLength:], uint32(size-12))
	b.packed[atMagic] = 2
	binary.BigEndian.PutUint16(b.packed[atAttributes:], batchSnappy)
	binary.BigEndian.PutUint32(b.packed[atLastDelta:], uint32(b.count-1))
	binary.BigEndian.PutUint32(b.packed[atCount:], uint32(b.count))
	b.patch(-1, -1, -1)
}

// append appends a record of a line: its length, no attributes, no time of its own, its number, no key, the value, no
// headers. What stands before the value is made for the length that the value will have, which is nearly always right.
func (b *bareBatch) append(lines *scanner, line []byte) {
	const member = `,"host":"bench"`
	start := len(b.records)
	b.records = appendRecordHead(b.records, b.count, len(line)+len(member))
	value := len(b.records)
	b.records = lines.appendWithHost(b.records, line)
	if n := len(b.records) - value; n != len(line)+len(member) {
		head := appendRecordHead(nil, b.count, n)
		b.records = append(b.records, head...) // room
		copy(b.records[start+len(head):], b.records[value:value+n])
		copy(b.records[start:], head)
		b.records = b.records[:start+len(head)+n]
	}
	b.records = append(b.records, 0)
	b.count++
}

func appendRecordHead(dst []byte, number int32, value int) []byte {
	size := 4 + varintLen(int64(number)) + varintLen(int64(value)) + value
	dst = binary.AppendVarint(dst, int64(size))
	dst = append(dst, 0, 0)
	dst = binary.AppendVarint(dst, int64(number))
	dst = append(dst, 1)
	return binary.AppendVarint(dst, int64(value))
}

func varintLen(v int64) int { return (bits.Len64(uint64(v<<1)|1) + 6) / 7 }

// patch says who sends the batch, and when.
func (b *bareBatch) patch(producer int64, epoch int16, sequence int32) {
	now := uint64(time.Now().UnixMilli())
	binary.BigEndian.PutUint64(b.packed[atTimes:], now)
	binary.BigEndian.PutUint64(b.packed[atTimes+8:], now)
	binary.BigEndian.PutUint64(b.packed[atProducer:], uint64(producer))
	binary.BigEndian.PutUint16(b.packed[atEpoch:], uint16(epoch))
	binary.BigEndian.PutUint32(b.packed[atSequence:], uint32(sequence))
	binary.BigEndian.PutUint32(b.packed[atChecksum:], crc32.Checksum(b.packed[atAttributes:], castagnoli))
}
