package spool

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spillway/spillway/spool/vfs"
	"github.com/spillway/spillway/spool/vfs/faultfs"
)

func TestARemovedOutputHoldsNothingAndWhatItLosesIsCounted(t *testing.T) {
	fs := vfs.Memory()
	o := Options{SegmentBytes: 1 << 10, Outputs: []Output{{ID: "o", Lane: "l"}, {ID: "gone", Lane: "l"}}}
	s := open(t, fs, o)
	put(t, s, "l", 1, "a")
	wantValues(t, take(t, cursor(t, s, "gone")), "a")
	put(t, s, "l", 2, "b")
	shut(t, s)
	both := o.Outputs
	o.Outputs = both[:1]
	s = open(t, fs, o)
	for i := range 60 {
		put(t, s, "l", int64(i+3), strings.Repeat("x", 100))
	}
	take(t, cursor(t, s, "o"))
	if err := s.deletePassed(); err != nil || s.segments[0].base == 0 {
		t.Fatalf("nothing was deleted: %v", err)
	}
	shut(t, s)
	balanced(t, fs)
	o.Outputs = both
	s = open(t, fs, o)
	got := take(t, cursor(t, s, "gone"))
	if st := outputStatus(t, s, "gone"); st.Dropped == 0 || int(st.Dropped)+len(got) != 61 || st.PendingRecords != 0 {
		t.Errorf("%d came, status %+v", len(got), st)
	}
	shut(t, s)
	balanced(t, fs)
}

func TestAnOutputWhoseJournalIsLostGoesOnWhereTheMarksKnowItToBe(t *testing.T) {
	fs := faultfs.New()
	o := Options{SegmentBytes: 1 << 10, TailBytes: 1, Outputs: []Output{{ID: "o", Lane: "l"}}}
	s := open(t, fs, o)
	c := cursor(t, s, "o")
	for i := range 30 {
		put(t, s, "l", int64(i+1), fmt.Sprint(i))
	}
	frames := nextFrames(t, c, 30)
	for _, i := range []int{0, 1, 2, 5} { // one out of order
		if err := c.Ack(frames[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 30 { // new openings tell of it
		put(t, s, "l", int64(i+31), fmt.Sprint(i+30))
	}
	killed(s)
	name := journalFile(t, contents(t, fs))[0]
	fs.FlipBit(filepath.Join(testDir, name), 12, 1)
	s = open(t, fs, o)
	if got := take(t, cursor(t, s, "o")); len(got) != 57 || got[0] != "3" {
		t.Errorf("%d came, from %q on", len(got), got[0])
	}
	if st := outputStatus(t, s, "o"); st.Acked != 60 || st.PendingRecords != 0 || s.Status().Uncertain != 1 {
		t.Errorf("status %+v, %d uncertain", st, s.Status().Uncertain)
	}
	shut(t, s)
	balanced(t, fs)
}

// readFS calls reading before each read of a segment.
type readFS struct {
	vfs.FS
	reading func(name string)
}

type readFile struct {
	vfs.File
	name string
	fs   *readFS
}

func (fs *readFS) Create(name string) (vfs.File, error) {
	f, err := fs.FS.Create(name)
	return &readFile{f, name, fs}, err
}

func (f *readFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.reading(f.name)
	return f.File.ReadAt(p, off)
}

func TestASegmentThatIsDroppedWhileItIsReadIsPassed(t *testing.T) {
	var hook atomic.Pointer[func(string)]
	fs := &readFS{FS: vfs.Memory(), reading: func(name string) {
		if f := hook.Swap(nil); f != nil {
			(*f)(name)
		}
	}}
	o := small()
	o.Outputs = []Output{{ID: "o", Lane: "l", DropOldest: true}}
	s := open(t, fs, o)
	for i := range 10 {
		put(t, s, "l", int64(i+1), strings.Repeat("x", 100))
	}
	first := s.segments[0]
	drop := func(string) {
		for i := range 60 {
			if err := tryPut(t.Context(), s, "l", int64(i+11), strings.Repeat("x", 100)); err != nil {
				t.Error(err)
			}
		}
	}
	hook.Store(&drop)
	got := len(take(t, cursor(t, s, "o")))
	if hook.Load() != nil || s.segments[0] == first {
		t.Fatal("no segment was dropped under the reader")
	}
	if st := outputStatus(t, s, "o"); got == 0 || int(st.Dropped)+got != 70 || st.PendingRecords != 0 {
		t.Errorf("%d came, status %+v", got, st)
	}
	shut(t, s)
	balanced(t, fs.FS)
}

func TestPositionsOfASpoolInMemoryAreForgottenToo(t *testing.T) {
	disk := vfs.Memory()
	o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}, Checkpoints: disk, ForgetAfter: time.Hour}
	s := open(t, vfs.Memory(), o)
	put(t, s, "l", 7, "a")
	take(t, cursor(t, s, "o"))
	if err := s.writeCheckpoints(); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.opened = s.opened.Add(-3 * time.Hour)
	s.forget(time.Now().Add(2 * time.Hour))
	s.mu.Unlock()
	shut(t, s)
	s = open(t, vfs.Memory(), o)
	if ps := s.Resume(""); len(ps) > 0 {
		t.Errorf("still known: %v", ps)
	}
	shut(t, s)
}
