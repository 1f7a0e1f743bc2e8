//go:build race

package record

import "testing"

func TestReadingAfterReleaseShows(t *testing.T) {
	b := NewBatch()
	readBlock(b, "line\n")
	r := b.Record(0)
	v, _ := r.Get(Message)
	view := v.Bytes()
	fields := r.Fields()
	b.Release()
	for _, c := range view {
		if c != 0xCC {
			t.Fatalf("released bytes read %q", view)
		}
	}
	if !fields[0].Removed() {
		t.Error("a released field is still there")
	}
}
