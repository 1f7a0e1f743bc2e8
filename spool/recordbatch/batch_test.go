package recordbatch

import (
	"bytes"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var codecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

const testTime = 1_700_000_000_000

// build makes a batch of lane 1 whose records have these values.
func build(t testing.TB, c Codec, values ...[]byte) []byte {
	t.Helper()
	b, err := NewBuilder(c)
	if err != nil {
		t.Fatal(err)
	}
	b.Reset(1, testTime)
	for _, v := range values {
		b.Close(append(b.Open(), v...), nil)
	}
	batch, err := b.Finish(nil)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// rec is a record with everything of its own.
type rec struct {
	timestamp  int64
	key, value []byte
	headers    []RecordHeader
}

func (r rec) equal(o rec) bool {
	return r.timestamp == o.timestamp && same(r.key, o.key) && same(r.value, o.value) &&
		equalHeaders(r.headers, o.headers)
}

func equalHeaders(a, b []RecordHeader) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i].Key, b[i].Key) || !same(a[i].Value, b[i].Value) {
			return false
		}
	}
	return true
}

// same tells nil from empty.
func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func wantRecords(t interface {
	Helper()
	Fatalf(string, ...any)
}, got, want []rec) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		if !got[i].equal(want[i]) {
			t.Fatalf("record %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

// encode appends a batch of lane 3 with these records to dst.
func encode(b *Builder, dst []byte, records []rec) ([]byte, error) {
	b.Reset(3, testTime)
	for _, r := range records {
		b.CloseAt(append(b.Open(), r.value...), r.key, r.timestamp, r.headers...)
	}
	return b.Finish(dst)
}

// decode returns the records of a batch, copied.
func decode(r *Reader, batch []byte) ([]rec, error) {
	if err := r.Reset(batch); err != nil {
		return nil, err
	}
	var all []rec
	for r.Next() {
		v := r.Record()
		one := rec{timestamp: v.Timestamp, key: bytes.Clone(v.Key), value: bytes.Clone(v.Value)}
		for _, h := range v.Headers(nil) {
			one.headers = append(one.headers, RecordHeader{bytes.Clone(h.Key), bytes.Clone(h.Value)})
		}
		all = append(all, one)
	}
	return all, r.Err()
}

func someBytes(most int) *rapid.Generator[[]byte] {
	return rapid.OneOf(
		rapid.SliceOfN(rapid.Byte(), 0, most),
		rapid.Custom(func(t *rapid.T) []byte {
			return bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, rapid.IntRange(0, 100*most).Draw(t, "length"))
		}))
}

func someRecords() *rapid.Generator[[]rec] {
	nilable := func(g *rapid.Generator[[]byte]) *rapid.Generator[[]byte] {
		return rapid.OneOf(rapid.Just([]byte(nil)), g)
	}
	header := rapid.Custom(func(t *rapid.T) RecordHeader {
		return RecordHeader{someBytes(3).Draw(t, "name"), nilable(someBytes(3)).Draw(t, "header")}
	})
	one := rapid.Custom(func(t *rapid.T) rec {
		return rec{
			timestamp: rapid.OneOf(rapid.Just(int64(testTime)), rapid.Int64Range(0, 1<<62)).Draw(t, "timestamp"),
			key:       nilable(someBytes(3)).Draw(t, "key"),
			value:     someBytes(30).Draw(t, "value"),
			headers:   rapid.SliceOfN(header, 0, 3).Draw(t, "headers"),
		}
	})
	return rapid.SliceOfN(one, 1, 100)
}

// TestWhatIsBuiltReadsBack builds and reads with one builder and one reader for a
// codec, as a worker and an output do.
func TestWhatIsBuiltReadsBack(t *testing.T) {
	for _, codec := range codecs {
		t.Run(codec.String(), func(t *testing.T) {
			b, err := NewBuilder(codec)
			if err != nil {
				t.Fatal(err)
			}
			var r Reader
			rapid.Check(t, func(t *rapid.T) {
				want := someRecords().Draw(t, "records")
				before := []byte("before")
				buf, err := encode(b, before, want)
				if err != nil {
					t.Fatal(err)
				}
				batch := buf[len(before):]
				offset := rapid.Int64Range(0, 1<<62).Draw(t, "offset")
				SetBaseOffset(batch, offset)
				if err := Verify(batch); err != nil {
					t.Fatal(err)
				}
				got, err := decode(&r, batch)
				if err != nil {
					t.Fatal(err)
				}
				wantRecords(t, got, want)

				latest := want[0].timestamp
				for _, v := range want {
					latest = max(latest, v.timestamp)
				}
				n := int32(len(want))
				h := Header{
					BaseOffset: offset, Length: int32(len(batch) - 12), CRC: r.Header().CRC, Attributes: int16(codec), LastOffsetDelta: n - 1,
					BaseTimestamp: testTime, MaxTimestamp: latest, ProducerID: -1, ProducerEpoch: 3, BaseSequence: -1, Count: n,
				}
				if r.Header() != h {
					t.Fatalf("header %+v, want %+v", r.Header(), h)
				}
				if h.Size() != len(batch) || h.NextOffset() != offset+int64(n) || h.Codec() != codec || h.Control() {
					t.Fatalf("size %d, next offset %d, %v, control %v", h.Size(), h.NextOffset(), h.Codec(), h.Control())
				}
			})
		})
	}
}

func TestAPatchedBatchVerifiesWithTheSameRecords(t *testing.T) {
	for _, codec := range codecs {
		t.Run(codec.String(), func(t *testing.T) {
			b, err := NewBuilder(codec)
			if err != nil {
				t.Fatal(err)
			}
			var r Reader
			rapid.Check(t, func(t *rapid.T) {
				want := someRecords().Draw(t, "records")
				batch, err := encode(b, nil, want)
				if err != nil {
					t.Fatal(err)
				}
				SetBaseOffset(batch, 4711)
				stored := bytes.Clone(batch)
				p := Patch{
					ProducerID: rapid.Int64().Draw(t, "id"), Epoch: rapid.Int16().Draw(t, "epoch"), Sequence: rapid.Int32().Draw(t, "sequence"),
					Transactional: rapid.Bool().Draw(t, "transactional"), BaseTimestamp: testTime, MaxTimestamp: rapid.Int64().Draw(t, "max"),
				}
				sent := make([]byte, HeaderLen)
				p.Apply(sent, batch)
				if !bytes.Equal(batch, stored) {
					t.Fatal("the stored batch was changed")
				}
				sent = append(sent, batch[HeaderLen:]...)
				if err := Verify(sent); err != nil {
					t.Fatal(err)
				}
				got, err := decode(&r, sent)
				if err != nil {
					t.Fatal(err)
				}
				wantRecords(t, got, want)
				h := r.Header()
				if h.BaseOffset != 0 || h.ProducerID != p.ProducerID || h.ProducerEpoch != p.Epoch || h.BaseSequence != p.Sequence ||
					h.BaseTimestamp != p.BaseTimestamp || h.MaxTimestamp != p.MaxTimestamp {
					t.Fatalf("header %+v, want %+v", h, p)
				}
				attributes := int16(codec)
				if p.Transactional {
					attributes |= 1 << 4
				}
				if h.Attributes != attributes {
					t.Fatalf("attributes %b, want %b", h.Attributes, attributes)
				}
			})
		})
	}
}

func TestAPatchTakesTheTransactionalBitAway(t *testing.T) {
	batch := with(build(t, LZ4, []byte("one")), atAttributes, int16(LZ4)|attrTransactional)
	head := make([]byte, HeaderLen)
	Patch{}.Apply(head, batch)
	h, err := ParseHeader(head)
	if err != nil || h.Attributes != int16(LZ4) {
		t.Fatalf("attributes %b, %v", h.Attributes, err)
	}
}

func TestCancelDropsTheOpenRecordOnly(t *testing.T) {
	b, err := NewBuilder(None)
	if err != nil {
		t.Fatal(err)
	}
	b.Reset(1, testTime)
	b.Close(append(b.Open(), "one"...), nil)
	length := b.Len()
	b.Cancel(append(b.Open(), make([]byte, 1<<20)...))
	if b.Count() != 1 || b.Len() != length {
		t.Fatalf("count %d, length %d, want 1 and %d", b.Count(), b.Len(), length)
	}
	b.Close(append(b.Open(), "two"...), nil)
	batch, err := b.Finish(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(batch, build(t, None, []byte("one"), []byte("two"))) {
		t.Fatal("the batch has a trace of what was dropped")
	}
	if b.Len() != len(batch) {
		t.Fatalf("length %d of a batch of %d bytes", b.Len(), len(batch))
	}
}

func TestGiantRecordIsNotHeldForEver(t *testing.T) {
	giant := bytes.Repeat([]byte{'x'}, 2*keepBuffer)
	b, err := NewBuilder(Snappy)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := encode(b, nil, []rec{{timestamp: testTime, value: giant}})
	if err != nil {
		t.Fatal(err)
	}
	var r Reader
	if got, err := decode(&r, batch); err != nil || !bytes.Equal(got[0].value, giant) {
		t.Fatal("the record does not read back", err)
	}
	if err := r.Reset(build(t, Snappy, []byte("small"))); err != nil {
		t.Fatal(err)
	}
	b.Reset(1, testTime)
	if cap(b.buf) > keepBuffer || cap(r.plain) > keepBuffer {
		t.Fatalf("kept %d and %d bytes", cap(b.buf), cap(r.plain))
	}
}

func TestUnbuildableBatchIsAnError(t *testing.T) {
	b, err := NewBuilder(None)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Finish(nil); err == nil {
		t.Error("a batch without records was built")
	}
	b.Close(append(b.Open(), make([]byte, MaxUncompressed)...), nil)
	if _, err := b.Finish(nil); err == nil {
		t.Error("a batch larger than readers take was built")
	}
	if _, err := NewBuilder(Zstd + 1); err == nil {
		t.Error("there is a builder for an unknown codec")
	}
}

func TestCodecNames(t *testing.T) {
	for name, c := range map[string]Codec{"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4} {
		if got, err := ParseCodec(name); err != nil || got != c || c.String() != name {
			t.Errorf("%s: %d, %v; %d is %v", name, got, err, c, c)
		}
	}
	if c, err := ParseCodec("brotli"); err == nil {
		t.Errorf("brotli is %v", c)
	}
	if s := Codec(7).String(); s != "codec 7" {
		t.Error(s)
	}
}

func TestControlBatch(t *testing.T) {
	values := [][]byte{[]byte("a mark"), {}, bytes.Repeat([]byte("m"), 1000)}
	batch := AppendControl([]byte("before"), 100, testTime, values...)[len("before"):]
	if err := Verify(batch); err != nil {
		t.Fatal(err)
	}
	var r Reader
	got, err := decode(&r, batch)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]rec, len(values))
	for i, v := range values {
		want[i] = rec{timestamp: testTime, key: []byte{0, 0, 0, 100}, value: v}
	}
	wantRecords(t, got, want)
	if h := r.Header(); !h.Control() || h.Codec() != None || h.ProducerEpoch != -1 {
		t.Fatalf("header %+v", h)
	}
	if typ, err := ControlType(got[0].key); err != nil || typ != 100 {
		t.Fatalf("type %d, %v", typ, err)
	}
	if _, err := ControlType([]byte{0, 0, 0}); err == nil {
		t.Fatal("a type in three bytes")
	}
}
