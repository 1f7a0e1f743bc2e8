package recordbatch

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// maxPrefix is the most that stands before a record's value, apart from its key:
// five varints of up to five bytes, a varlong of up to ten, the attributes.
const maxPrefix = 40

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
}

// Count is the number of closed records.
func (b *Builder) Count() int { return b.count }

// Len is the length of the batch so far, before compression, in bytes.
func (b *Builder) Len() int { return b.end }

// Open begins a record. What the caller appends to the returned slice becomes
// its value; the bytes already in it are room for the record's prefix and the
// batch so far.
func (b *Builder) Open() []byte {
	b.buf = slices.Grow(b.buf[:b.end], maxPrefix)
	return b.buf[:b.end+maxPrefix]
}

// Cancel drops the open record.
func (b *Builder) Cancel([]byte) {}

// Close ends the open record. buf is what Open returned with the value appended.
// A nil key is none.
func (b *Builder) Close(buf, key []byte) { b.CloseAt(buf, key, b.base) }

// CloseAt is Close with a timestamp of the record's own, in Unix milliseconds.
func (b *Builder) CloseAt(buf, key []byte, timestamp int64) {
	value := len(buf) - b.end - maxPrefix
	b.latest = max(b.latest, timestamp)

	var head [maxPrefix]byte
	p := append(head[:0], 0) // attributes
	p = binary.AppendVarint(p, timestamp-b.base)
	p = binary.AppendVarint(p, int64(b.count))
	if key == nil {
		p = append(p, 1) // -1
	} else {
		p = binary.AppendVarint(p, int64(len(key)))
	}
	beforeKey := len(p)
	p = binary.AppendVarint(p, int64(value))
	var length [binary.MaxVarintLen64]byte
	n := binary.PutVarint(length[:], int64(len(p)+len(key)+value+1))

	size := n + len(p) + len(key)
	if size > maxPrefix {
		buf = slices.Grow(buf, size-maxPrefix)[:len(buf)+size-maxPrefix]
	}
	copy(buf[b.end+size:], buf[b.end+maxPrefix:b.end+maxPrefix+value])
	at := b.end
	at += copy(buf[at:], length[:n])
	at += copy(buf[at:], p[:beforeKey])
	at += copy(buf[at:], key)
	at += copy(buf[at:], p[beforeKey:])
	at += value
	b.buf = append(buf[:at], 0) // no headers
	b.end = at + 1
	b.count++
}

// Finish appends the batch to dst. Reset begins the next one.
func (b *Builder) Finish(dst []byte) ([]byte, error) {
	at := len(dst)
	dst = append(slices.Grow(dst, b.end), b.buf[:HeaderLen]...)
	dst, err := b.compress.append(dst, b.buf[HeaderLen:b.end])
	if err != nil {
		return nil, err
	}
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
