package recordbatch

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// FuzzDecode reads arbitrary bytes as a batch, as they are and with the fields made
// right that hide the rest. Nothing panics or allocates without bound, and what can
// be read is the same after it has been written again.
func FuzzDecode(f *testing.F) {
	for _, codec := range codecs {
		b, err := NewBuilder(codec)
		if err != nil {
			f.Fatal(err)
		}
		batch, err := encode(b, nil, []rec{
			{timestamp: testTime, value: []byte("value")},
			{timestamp: testTime + 1, key: []byte("key"), value: bytes.Repeat([]byte("ab"), 300), headers: []RecordHeader{{[]byte("h"), nil}, {[]byte("i"), []byte("v")}}},
		})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(batch)
		f.Add(batch[:len(batch)-3])
		f.Add(raw(codec, 1, []byte("no records at all")))
	}
	f.Add(AppendControl(nil, 100, testTime, []byte("mark"), []byte("more")))
	f.Add(with(build(f, None, nil), atMagic, int8(3)))

	var builders []*Builder
	for _, codec := range codecs {
		b, err := NewBuilder(codec)
		if err != nil {
			f.Fatal(err)
		}
		builders = append(builders, b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		decodeTwice(t, builders, data)
		if len(data) < HeaderLen {
			return
		}
		data = bytes.Clone(data)
		data[atMagic] = magic
		binary.BigEndian.PutUint32(data[atLength:], uint32(len(data)-lengthBase))
		seal(data)
		decodeAsTopic(t, data)
		if _, err := ParseHeader(data); err == nil {
			if err := Verify(data); err != nil {
				t.Fatalf("the header and the checksum are right, and yet: %v", err)
			}
		}
		decodeTwice(t, builders, data)
	})
}

// decodeAsTopic reads a batch with a right checksum as out of a topic. What a
// spool's reader takes is then the same.
func decodeAsTopic(t *testing.T, data []byte) {
	var r Reader
	want, err := decode(&r, data)
	var got []rec
	if topicErr := r.ResetTopic(data); topicErr == nil {
		for last := int32(-1); r.Next(); last = r.Record().OffsetDelta {
			v := r.Record()
			if v.OffsetDelta <= last || v.OffsetDelta > r.Header().LastOffsetDelta {
				t.Fatalf("offset delta %d comes after %d", v.OffsetDelta, last)
			}
			got = append(got, rec{v.Timestamp, v.Key, v.Value, v.Headers(nil)})
		}
	}
	if err == nil {
		if r.Err() != nil {
			t.Fatalf("a spool's batch, and yet: %v", r.Err())
		}
		wantRecords(t, got, want)
	}
}

func decodeTwice(t *testing.T, builders []*Builder, data []byte) {
	var r Reader
	want, err := decode(&r, data)
	if cap(r.plain) > 2*MaxUncompressed {
		t.Fatalf("%d bytes held for %d", cap(r.plain), len(data))
	}
	if err != nil {
		return
	}
	for i := range want {
		// A builder's records always have a value.
		want[i].value = append([]byte{}, want[i].value...)
	}
	h := r.Header()
	for _, b := range builders {
		b.Reset(h.ProducerEpoch, h.BaseTimestamp)
		for _, v := range want {
			b.CloseAt(append(b.Open(), v.value...), v.key, v.timestamp, v.headers...)
		}
		batch, err := b.Finish(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(batch); err != nil {
			t.Fatal(err)
		}
		got, err := decode(&r, batch)
		if err != nil {
			t.Fatal(err)
		}
		wantRecords(t, got, want)
	}
}
