//go:build !race

package recordbatch

import "testing"

func TestBuildingAndReadingDoNotAllocate(t *testing.T) {
	lines := logLines(1000)
	for _, codec := range codecs {
		b, err := NewBuilder(codec)
		if err != nil {
			t.Fatal(err)
		}
		var r Reader
		var batch []byte
		n := testing.AllocsPerRun(20, func() {
			b.Reset(1, testTime)
			for _, line := range lines {
				b.Close(append(b.Open(), line...), nil)
			}
			if batch, err = b.Finish(batch[:0]); err != nil {
				t.Fatal(err)
			}
			if err := r.Reset(batch); err != nil {
				t.Fatal(err)
			}
			for r.Next() {
			}
			if r.Err() != nil {
				t.Fatal(r.Err())
			}
		})
		// A library may refill its pool once in a while, never per record.
		if n >= 1 {
			t.Errorf("%v: %.1f allocations for a batch", codec, n)
		}
	}
}
