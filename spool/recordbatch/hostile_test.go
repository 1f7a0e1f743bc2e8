package recordbatch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"testing"
)

// with returns a copy of batch with the big-endian field at an offset replaced, and
// the checksum made right if it covers the field.
func with(batch []byte, at int, field any) []byte {
	b := bytes.Clone(batch)
	if _, err := binary.Encode(b[at:], binary.BigEndian, field); err != nil {
		panic(err)
	}
	if at >= atAttributes {
		seal(b)
	}
	return b
}

func TestParseHeaderTellsShortNewerAndCorruptApart(t *testing.T) {
	good := build(t, None, []byte("one"), []byte("two"))
	newer := &VersionError{}
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"good", good, nil},
		{"nothing", nil, ErrShort},
		{"cut before the version", good[:atMagic], ErrShort},
		{"cut in the header", good[:HeaderLen-1], ErrShort},
		{"newer", with(good, atMagic, int8(3)), newer},
		{"newer, and cut after the version", with(good, atMagic, int8(3))[:atMagic+1], newer},
		{"older", with(good, atMagic, int8(1)), ErrCorrupt},
		{"version below 0", with(good, atMagic, int8(-1)), ErrCorrupt},
		{"zeros", make([]byte, 100), ErrCorrupt},
		{"length of less than a header", with(good, atLength, int32(HeaderLen-lengthBase-1)), ErrCorrupt},
		{"length below 0", with(good, atLength, int32(math.MinInt32)), ErrCorrupt},
		{"unknown compression", with(good, atAttributes, int16(5)), ErrCorrupt},
		{"no records", with(with(good, atCount, int32(0)), atLastOffsetDelta, int32(-1)), ErrCorrupt},
		{"count that does not go with the delta", with(good, atCount, int32(3)), ErrCorrupt},
		{"count that overflows", with(with(good, atCount, int32(math.MinInt32)), atLastOffsetDelta, int32(math.MaxInt32)), ErrCorrupt},
		{"offset below 0", with(good, atBaseOffset, int64(-1)), ErrCorrupt},
		{"next offset that overflows", with(good, atBaseOffset, int64(math.MaxInt64-1)), ErrCorrupt},
		{"highest offset", with(good, atBaseOffset, int64(math.MaxInt64-2)), nil},
	} {
		_, err := ParseHeader(c.b)
		var version *VersionError
		switch {
		case c.want == newer && errors.As(err, &version) && version.Magic == 3:
		case c.want == nil && err == nil:
		case c.want != nil && errors.Is(err, c.want):
		default:
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestVerifySeesEveryFlippedBit flips each bit of a batch. What is outside the
// checksum is left to the log, which knows what must stand there.
func TestVerifySeesEveryFlippedBit(t *testing.T) {
	batch := build(t, Snappy, []byte("one"), []byte("two"))
	for i := range batch {
		for bit := range 8 {
			b := bytes.Clone(batch)
			b[i] ^= 1 << bit
			outside := i < atLength || i >= atLeaderEpoch && i < atMagic
			if err := Verify(b); err == nil && !outside {
				t.Errorf("bit %d of byte %d", bit, i)
			}
		}
	}
}

func TestVerifyWantsExactlyOneBatch(t *testing.T) {
	batch := build(t, Zstd, []byte("one"))
	for n := range batch {
		if err := Verify(batch[:n]); !errors.Is(err, ErrShort) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if err := Verify(append(bytes.Clone(batch), 0)); !errors.Is(err, ErrCorrupt) {
		t.Error("with a byte behind:", err)
	}
}

// raw is a batch with a right checksum around any bytes for records.
func raw(c Codec, count int32, records []byte) []byte {
	b := make([]byte, HeaderLen, HeaderLen+len(records))
	b = append(b, records...)
	b[atMagic] = magic
	binary.BigEndian.PutUint32(b[atLength:], uint32(len(b)-lengthBase))
	binary.BigEndian.PutUint16(b[atAttributes:], uint16(c))
	binary.BigEndian.PutUint32(b[atCount:], uint32(count))
	binary.BigEndian.PutUint32(b[atLastOffsetDelta:], uint32(count-1))
	seal(b)
	return b
}

func TestReaderRefusesWhatIsBuiltWrongly(t *testing.T) {
	// length, attributes, timestampDelta, offsetDelta, keyLength, valueLength, value, headersCount
	good := []byte{14, 0, 0, 0, 1, 2, 'v', 0}
	for _, c := range []struct {
		name    string
		count   int32
		records []byte
		ok      bool
	}{
		{"good", 1, good, true},
		{"no value", 1, []byte{12, 0, 0, 0, 1, 1, 0}, true},
		{"a record too few", 2, good, false},
		{"a record too many", 1, append(bytes.Clone(good), 14, 0, 0, 2, 1, 2, 'v', 0), false},
		{"offset delta twice", 2, append(bytes.Clone(good), good...), false},
		{"offset delta beyond 32 bits", 1, []byte{22, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x20, 1, 2, 'v', 0}, false},
		{"length below 0", 1, []byte{1, 0, 0, 0, 1, 2, 'v', 0}, false},
		{"length beyond the batch", 1, []byte{16, 0, 0, 0, 1, 2, 'v', 0}, false},
		{"length short of the record", 1, []byte{12, 0, 0, 0, 1, 2, 'v', 0}, false},
		{"length 0", 1, []byte{0}, false},
		{"endless varint", 1, bytes.Repeat([]byte{0xff}, 20), false},
		{"key beyond the record", 1, []byte{14, 0, 0, 0, 0x7e, 2, 'v', 0}, false},
		{"key length -2", 1, []byte{14, 0, 0, 0, 3, 2, 'v', 0}, false},
		{"value beyond the record", 1, []byte{14, 0, 0, 0, 1, 0x7e, 'v', 0}, false},
		{"headers below 0", 1, []byte{14, 0, 0, 0, 1, 2, 'v', 1}, false},
		{"headers that are not there", 1, []byte{14, 0, 0, 0, 1, 2, 'v', 2}, false},
		{"2^31 headers", 1, []byte{22, 0, 0, 0, 1, 2, 'v', 0xfe, 0xff, 0xff, 0xff, 0x0f}, false},
		{"a header without a key", 1, []byte{18, 0, 0, 0, 1, 2, 'v', 2, 1, 1}, false},
	} {
		batch := raw(None, c.count, c.records)
		if err := Verify(batch); err != nil {
			t.Fatal(c.name, err)
		}
		var r Reader
		_, err := decode(&r, batch)
		if c.ok && err != nil || !c.ok && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestReaderGoesOnAfterABadBatch(t *testing.T) {
	want := build(t, LZ4, []byte("one"))
	for _, codec := range codecs {
		var r Reader
		for range 2 {
			if _, err := decode(&r, raw(codec, 1, []byte("no records at all"))); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v: %v", codec, err)
			}
			if r.Next() {
				t.Errorf("%v: there is a record behind an error", codec)
			}
			if got, err := decode(&r, want); err != nil || len(got) != 1 {
				t.Errorf("%v: %d records, %v", codec, len(got), err)
			}
		}
	}
}

// TestReaderRefusesBombs holds what a reader allocates against what it is told.
func TestReaderRefusesBombs(t *testing.T) {
	const mib = 1 << 20
	bomb := func(c Codec, bytes int) []byte {
		k, err := newCompressor(c)
		if err != nil {
			t.Fatal(err)
		}
		b, err := k.append(nil, make([]byte, bytes))
		if err != nil {
			t.Fatal(err)
		}
		return raw(c, 1, b)
	}
	xerial := func(block ...byte) []byte {
		b := append([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"), 0, 0, 0, byte(len(block)))
		return raw(Snappy, 1, append(b, block...))
	}
	for _, c := range []struct {
		name  string
		batch []byte
		most  uint64
	}{
		{"gzip", bomb(Gzip, MaxUncompressed+1), 8 * MaxUncompressed},
		{"snappy", bomb(Snappy, MaxUncompressed+1), mib},
		{"lz4", bomb(LZ4, MaxUncompressed+1), 8 * MaxUncompressed},
		{"zstd", bomb(Zstd, MaxUncompressed+1), mib},
		{"snappy, by word only", xerial(0xff, 0xff, 0xff, 0xff, 0x0f, 0), mib},
		{"snappy, a block beyond the batch", raw(Snappy, 1, []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xff")), mib},
		// A frame header with a content size of 2^62 bytes.
		{"zstd, by word only", raw(Zstd, 1, []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 1, 0, 0}), mib},
	} {
		var r Reader
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := r.Reset(c.batch)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > c.most {
			t.Errorf("%s: allocated %d MiB", c.name, got/mib)
		}
	}
}
