package recordbatch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// MaxOverhead is the most that a record takes beside its value, its key and its headers,
// in bytes: attributes, timestamp, offset, the lengths of the record, the key and the
// value, and the number of headers.
const MaxOverhead = 1 + binary.MaxVarintLen64 + 5*binary.MaxVarintLen32

// maxRoom bounds what an open record leaves free before its value, in bytes.
const maxRoom = 256

// keepBuffer bounds the buffer that a [Builder] or a [Reader] keeps from one batch
// to the next, in bytes: several of the largest usual frames, but not one giant
// record for ever.
const keepBuffer = 4 << 20

// Builder builds data batches, one record after the other. It belongs to one
// goroutine and allocates nothing once its buffer has grown.
type Builder struct {
	compress *compressor
	lane     int16
	base     int64
	latest   int64
	count    int
	// buf holds HeaderLen free bytes and then the records.
	buf []byte
	// end is where the records end and the open one begins.
	end int
	// room is what an open record leaves free before its value: what the last one
	// needed for its fields and its key. One that needs another room moves its value.
	room int
	// packed holds the compressed records of the batch that is finished.
	packed []byte
}

// NewBuilder returns a builder that compresses with c.
func NewBuilder(c Codec) (*Builder, error) {
	k, err := newCompressor(c)
	if err != nil {
		return nil, err
	}
	b := &Builder{compress: k, buf: make([]byte, HeaderLen, 64<<10)}
	b.Reset(0, 0)
	return b, nil
}

// Reset begins a batch for a lane. timestamp is in Unix milliseconds.
func (b *Builder) Reset(lane int16, timestamp int64) {
	b.lane, b.base, b.latest = lane, timestamp, timestamp
	b.count, b.end = 0, HeaderLen
	if cap(b.buf) > keepBuffer {
		b.buf = make([]byte, HeaderLen, 64<<10)
	}
}

// Count is the number of closed records.
func (b *Builder) Count() int { return b.count }

// Len is the length of the batch so far, before compression, in bytes.
func (b *Builder) Len() int { return b.end }

// Open begins a record. What the caller appends to the returned slice becomes its
// value; the bytes already in it are room for the record's prefix and the batch so
// far. The slice is valid until Close or Cancel, one of which must follow.
func (b *Builder) Open() []byte {
	b.buf = slices.Grow(b.buf[:b.end], b.room)
	return b.buf[:b.end+b.room]
}

// Cancel drops the open record. buf is what Open returned, whatever was appended.
func (b *Builder) Cancel(buf []byte) { b.buf = buf[:b.end] }

// Close ends the open record. buf is what Open returned with the value appended.
// A nil key is none; so is a header's nil value.
func (b *Builder) Close(buf, key []byte, headers ...RecordHeader) {
	b.CloseAt(buf, key, b.base, headers...)
}

// CloseAt is Close with a timestamp of the record's own, in Unix milliseconds.
func (b *Builder) CloseAt(buf, key []byte, timestamp int64, headers ...RecordHeader) {
	value := len(buf) - b.end - b.room
	buf = appendHeaders(buf, headers)
	body := len(buf) - b.end - b.room
	if b.count == 0 {
		b.latest = timestamp
	}
	b.latest = max(b.latest, timestamp)

	var fields [MaxOverhead]byte
	p := append(fields[:0], 0) // attributes
	p = binary.AppendVarint(p, timestamp-b.base)
	p = binary.AppendVarint(p, int64(b.count))
	p = appendLength(p, key)
	beforeKey := len(p)
	p = binary.AppendVarint(p, int64(value))
	var length [binary.MaxVarintLen64]byte
	n := binary.PutVarint(length[:], int64(len(p)+len(key)+body))

	prefix := n + len(p) + len(key)
	if prefix != b.room {
		moved := buf[b.end+b.room:]
		buf = slices.Grow(buf, max(prefix-b.room, 0))[:b.end+prefix+body]
		copy(buf[b.end+prefix:], moved)
		b.room = min(prefix, maxRoom)
	}
	at := b.end
	at += copy(buf[at:], length[:n])
	at += copy(buf[at:], p[:beforeKey])
	at += copy(buf[at:], key)
	at += copy(buf[at:], p[beforeKey:])
	b.end = at + body
	b.buf = buf[:b.end]
	b.count++
}

func appendHeaders(dst []byte, headers []RecordHeader) []byte {
	dst = binary.AppendVarint(dst, int64(len(headers)))
	for _, h := range headers {
		dst = binary.AppendVarint(dst, int64(len(h.Key)))
		dst = append(dst, h.Key...)
		dst = appendLength(dst, h.Value)
		dst = append(dst, h.Value...)
	}
	return dst
}

// appendLength appends the length of p, or that there is none.
func appendLength(dst, p []byte) []byte {
	if p == nil {
		return binary.AppendVarint(dst, -1)
	}
	return binary.AppendVarint(dst, int64(len(p)))
}

// Finish appends the batch to dst. Reset begins the next one. A batch without
// records, or one that no [Reader] would take, is an error.
func (b *Builder) Finish(dst []byte) ([]byte, error) {
	switch {
	case b.count == 0:
		return nil, errors.New("recordbatch: a batch without records")
	case b.end-HeaderLen > MaxUncompressed:
		return nil, fmt.Errorf("recordbatch: a batch of %d bytes is larger than %d", b.end-HeaderLen, MaxUncompressed)
	}
	// Compressed in a buffer of our own: what is returned takes no more room than
	// it needs, and may be kept for long.
	packed, err := b.compress.append(b.packed[:0], b.buf[HeaderLen:b.end])
	if err != nil {
		return nil, err
	}
	if b.packed = packed; cap(packed) > keepBuffer {
		b.packed = nil
	}
	at := len(dst)
	dst = slices.Grow(dst, HeaderLen+len(packed))
	dst = append(append(dst, b.buf[:HeaderLen]...), packed...)
	batch := dst[at:]
	binary.BigEndian.PutUint64(batch[atBaseOffset:], 0)
	binary.BigEndian.PutUint32(batch[atLength:], uint32(len(batch)-lengthBase))
	binary.BigEndian.PutUint32(batch[atLeaderEpoch:], 0)
	batch[atMagic] = magic
	binary.BigEndian.PutUint16(batch[atAttributes:], uint16(b.compress.codec))
	binary.BigEndian.PutUint32(batch[atLastOffsetDelta:], uint32(b.count-1))
	binary.BigEndian.PutUint64(batch[atBaseTimestamp:], uint64(b.base))
	binary.BigEndian.PutUint64(batch[atMaxTimestamp:], uint64(b.latest))
	binary.BigEndian.PutUint64(batch[atProducerID:], ^uint64(0))
	binary.BigEndian.PutUint16(batch[atProducerEpoch:], uint16(b.lane))
	binary.BigEndian.PutUint32(batch[atBaseSequence:], ^uint32(0))
	binary.BigEndian.PutUint32(batch[atCount:], uint32(b.count))
	seal(batch)
	return dst, nil
}

// seal writes the checksum of a complete batch.
func seal(batch []byte) {
	binary.BigEndian.PutUint32(batch[atCRC:], crc32.Checksum(batch[atAttributes:], castagnoli))
}
