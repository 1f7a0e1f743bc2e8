package kafka

import (
	"reflect"
	"testing"

	"github.com/spillway/spillway/spool"
)

// exampleJob is one that uses everything a note has.
func exampleJob() *job {
	j := &job{
		frame: &spool.Frame{Base: 4711, Count: 100}, rejected: []int32{3, 99},
		routes: []route{{topic: "a", partitions: 3, sticky: 2}, {topic: "b-ü", partitions: 1}},
	}
	j.pieces = []*piece{
		{job: j, resumed: true, partition: 2, batches: []batch{{0, 50, done, identity{7, 1, 20}, 1}, {50, 100, sent, identity{7, 32767, 1<<31 - 1}, 2}}},
		{job: j, resumed: true, route: 1, batches: []batch{{end: 100}}},
	}
	return j
}

func TestANoteReadsBack(t *testing.T) {
	want := exampleJob()
	note := appendNote(nil, 42, want)
	got := &job{frame: want.frame}
	if err := readNote(note, 42, got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if err := readNote(note, 43, &job{frame: want.frame}); err == nil {
		t.Error("a note of another cluster was taken")
	}
	for n := range note {
		if err := readNote(note[:n], 42, &job{frame: want.frame}); err == nil {
			t.Errorf("a note of %d bytes of %d was taken", n, len(note))
		}
	}
}

// FuzzNote: what is read is within the frame, and reads back.
func FuzzNote(f *testing.F) {
	f.Add(appendNote(nil, 1, exampleJob()))
	f.Fuzz(func(t *testing.T, note []byte) {
		j := &job{frame: &spool.Frame{Count: 100}}
		if readNote(note, 1, j) != nil {
			return
		}
		for _, p := range j.pieces {
			if p.route >= len(j.routes) {
				t.Fatalf("piece on route %d of %d", p.route, len(j.routes))
			}
			for _, b := range p.batches {
				if b.first < 0 || b.first >= b.end || b.end > 100 {
					t.Fatalf("batch of [%d,%d)", b.first, b.end)
				}
			}
		}
		again := &job{frame: j.frame}
		if err := readNote(appendNote(nil, 1, j), 1, again); err != nil || !reflect.DeepEqual(again, j) {
			t.Fatalf("%v: %+v, want %+v", err, again, j)
		}
	})
}

func TestSequencesWrapToZero(t *testing.T) {
	for _, c := range []struct{ at, n, want int32 }{{0, 5, 5}, {1<<31 - 1, 1, 0}, {1<<31 - 3, 10, 7}} {
		if got := (identity{sequence: c.at}).after(c.n).sequence; got != c.want {
			t.Errorf("%d records after %d: %d, want %d", c.n, c.at, got, c.want)
		}
	}
}
