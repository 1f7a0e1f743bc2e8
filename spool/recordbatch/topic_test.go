package recordbatch

import (
	"bytes"
	"errors"
	"testing"

	"github.com/klauspost/compress/s2"
)

// sparse is a batch with the offsets 0, 2 and 5 of what were seven records.
func sparse() []byte {
	records := []byte{
		14, 0, 0, 0, 1, 2, 'a', 0,
		14, 0, 0, 4, 1, 2, 'b', 0,
		14, 0, 0, 10, 1, 2, 'c', 0,
	}
	return with(raw(None, 3, records), atLastOffsetDelta, int32(6))
}

func TestABatchOfACompactedTopicIsReadAsSuchOnly(t *testing.T) {
	var r Reader
	if err := r.Reset(sparse()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a spool's reader takes it: %v", err)
	}
	if err := r.ResetTopic(sparse()); err != nil {
		t.Fatal(err)
	}
	var deltas []int32
	for r.Next() {
		deltas = append(deltas, r.Record().OffsetDelta)
	}
	if r.Err() != nil || len(deltas) != 3 || deltas[0] != 0 || deltas[1] != 2 || deltas[2] != 5 {
		t.Errorf("offset deltas %v, %v", deltas, r.Err())
	}
	if next := r.Header().NextOffset(); next != 7 {
		t.Errorf("next offset %d, want 7", next)
	}
	if err := r.ResetTopic(with(raw(None, 0, nil), atLastOffsetDelta, int32(4))); err != nil || r.Next() || r.Err() != nil {
		t.Errorf("a batch of which nothing is left: %v, %v", err, r.Err())
	}
	if err := r.Reset(build(t, None, []byte("one"))); err != nil || !r.Next() {
		t.Errorf("a spool's batch afterwards: %v", err)
	}
}

func TestABatchOfATopicIsChecked(t *testing.T) {
	good := build(t, Zstd, []byte("one"), []byte("two"))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	descending := sparse()
	descending[HeaderLen+8+3] = 12
	seal(descending)
	for name, c := range map[string]struct {
		batch []byte
		want  error
	}{
		"good":                        {append(bytes.Clone(good), "what comes behind"...), nil},
		"short":                       {good[:len(good)-1], ErrShort},
		"damaged":                     {flipped, ErrCorrupt},
		"more records than offsets":   {with(good, atLastOffsetDelta, int32(0)), ErrCorrupt},
		"offsets that fall":           {descending, ErrCorrupt},
		"an offset beyond the last":   {with(sparse(), atLastOffsetDelta, int32(4)), ErrCorrupt},
		"the last offset overflows":   {with(good, atBaseOffset, int64(1<<63-2)), ErrCorrupt},
		"the highest offset there is": {with(good, atBaseOffset, int64(1<<63-3)), nil},
	} {
		var r Reader
		err := r.ResetTopic(c.batch)
		for r.Next() {
		}
		if err == nil {
			err = r.Err()
		}
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestBareSnappyIsRead(t *testing.T) {
	plain := []byte{14, 0, 0, 0, 1, 2, 'v', 0}
	var r Reader
	if err := r.ResetTopic(raw(Snappy, 1, s2.EncodeSnappy(nil, plain))); err != nil || !r.Next() || string(r.Record().Value) != "v" {
		t.Fatal(err, r.Err())
	}
	bomb := append([]byte{0x80, 0x80, 0x80, 0x20}, "sixty-four MiB"...)
	if err := r.ResetTopic(raw(Snappy, 1, bomb)); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("a length that can't be: %v", err)
	}
}
