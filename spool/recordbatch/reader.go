package recordbatch

import (
	"encoding/binary"
	"hash/crc32"
)

// Record is one record of a batch. Its slices are valid until the reader's next
// Reset.
type Record struct {
	OffsetDelta int32
	// Timestamp is in Unix milliseconds.
	Timestamp int64
	// Key is nil if the record has none.
	Key, Value []byte

	headers []byte
	n       int
}

// RecordHeader is one header of a record. A nil value is none.
type RecordHeader struct{ Key, Value []byte }

// Headers appends the record's headers to dst.
func (r Record) Headers(dst []RecordHeader) []RecordHeader {
	c := cursor{b: r.headers}
	for range r.n {
		dst = append(dst, RecordHeader{c.bytes(), c.bytes()})
	}
	return dst
}

// Reader iterates over the records of a batch. It belongs to one goroutine; the
// buffer for decompressed records is reused. Its zero value is ready for use.
type Reader struct {
	header  Header
	decode  decompressor
	plain   []byte
	rest    cursor
	left    int32
	current Record
	err     error
	// sparse allows gaps between the records' offsets, of which last is the latest.
	sparse bool
	last   int64
}

// Reset begins with the batch at the beginning of batch, which must stay unchanged
// meanwhile. It checks the header, not the checksum; [Verify] does. The errors are
// those of [ParseHeader], and [ErrCorrupt] for what does not decompress.
func (r *Reader) Reset(batch []byte) error {
	r.sparse = false
	r.header, r.err = ParseHeader(batch)
	return r.begin(batch)
}

// ResetTopic is [Reader.Reset] for a batch as a topic holds it: compaction may have
// taken records out, so their offsets only rise. It checks the checksum, too.
func (r *Reader) ResetTopic(batch []byte) error {
	r.sparse, r.last = true, -1
	r.header, r.err = ParseTopicHeader(batch)
	if n := r.header.Size(); r.err == nil && len(batch) >= n {
		if sum := crc32.Checksum(batch[atAttributes:n], castagnoli); sum != r.header.CRC {
			r.err = corrupt("checksum %08x, want %08x", sum, r.header.CRC)
		}
	}
	return r.begin(batch)
}

// begin begins with the batch whose header was read, or failed to be.
func (r *Reader) begin(batch []byte) error {
	r.left, r.rest, r.current = 0, cursor{}, Record{}
	if r.err == nil && len(batch) < r.header.Size() {
		r.err = ErrShort
	}
	if r.err != nil {
		return r.err
	}
	records := batch[HeaderLen:r.header.Size()]
	if c := r.header.Codec(); c != None {
		if cap(r.plain) > keepBuffer {
			r.plain = nil
		}
		plain, err := r.decode.append(r.plain[:0], records, c)
		if err != nil {
			r.err = err
			return err
		}
		r.plain, records = plain, plain
	}
	r.rest, r.left = cursor{b: records}, r.header.Count
	return nil
}

// Header is the batch's header.
func (r *Reader) Header() Header { return r.header }

// Next goes to the next record. At the end, or when the records are damaged, it
// returns false; Err tells which.
func (r *Reader) Next() bool {
	if r.err != nil {
		return false
	}
	if r.left == 0 {
		if len(r.rest.b) > 0 {
			r.err = corrupt("%d bytes behind the last record", len(r.rest.b))
		}
		return false
	}
	place := r.header.Count - r.left
	size := r.rest.varint()
	if r.rest.bad || size < 0 || size > int64(len(r.rest.b)) {
		r.err = corrupt("record %d of %d bytes with %d left", place, size, len(r.rest.b))
		return false
	}
	c := cursor{b: r.rest.b[:size]}
	r.rest.b = r.rest.b[size:]
	c.skip(1) // attributes: none are defined
	rec := &r.current
	rec.Timestamp = r.header.BaseTimestamp + c.varint()
	delta := c.varint()
	if !r.inOrder(delta, place) && !c.bad {
		r.err = corrupt("record %d has the offset delta %d", place, delta)
		return false
	}
	rec.OffsetDelta, r.last = int32(delta), delta
	rec.Key, rec.Value = c.bytes(), c.bytes()
	rec.n = int(c.varint())
	rec.headers = c.b
	if rec.n != 0 {
		c.headers(rec.n)
	}
	if c.bad || len(c.b) > 0 || rec.n < 0 {
		r.err = corrupt("record %d does not fill its %d bytes", place, size)
		return false
	}
	r.left--
	return true
}

// inOrder says whether the record at a place of the batch may have this offset.
func (r *Reader) inOrder(delta int64, place int32) bool {
	if r.sparse {
		return delta > r.last && delta <= int64(r.header.LastOffsetDelta)
	}
	return delta == int64(place)
}

// Record is the current record.
func (r *Reader) Record() Record { return r.current }

// Err is why the iteration ended early, or nil. It wraps [ErrCorrupt].
func (r *Reader) Err() error { return r.err }

// cursor takes apart the records section. Once something is missing, it is bad
// and everything is empty.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) varint() int64 {
	if len(c.b) > 0 && c.b[0] < 0x80 {
		u := c.b[0]
		c.b = c.b[1:]
		return int64(u>>1) ^ -int64(u&1)
	}
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) bytes() []byte {
	n := c.varint()
	if n == -1 {
		return nil
	}
	if n < 0 || n > int64(len(c.b)) {
		c.fail()
		return nil
	}
	p := c.b[:n:n]
	c.b = c.b[n:]
	return p
}

func (c *cursor) skip(n int) {
	if n > len(c.b) {
		c.fail()
		return
	}
	c.b = c.b[n:]
}

func (c *cursor) headers(n int) {
	for i := 0; i < n && !c.bad; i++ {
		if c.bytes() == nil {
			c.fail()
		}
		c.bytes()
	}
}

func (c *cursor) fail() { c.b, c.bad = nil, true }
