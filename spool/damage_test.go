package spool

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spillway/spillway/spool/vfs/faultfs"
)

// rot flips a bit in the first place of a segment that holds text.
func rot(t *testing.T, fs *faultfs.FS, segment, text string) {
	t.Helper()
	at := strings.Index(contents(t, fs)[segment], text)
	if at < 0 {
		t.Fatalf("%q is not in %s", text, segment)
	}
	fs.FlipBit(filepath.Join(testDir, segment), int64(at), 3)
}

// killed ends a spool's goroutines without letting it tidy up.
func killed(s *Spool) {
	s.stop()
	s.workers.Wait()
}

func TestRecordsLostWithBadBytesAreCountedOnce(t *testing.T) {
	for _, acked := range []int{0, 1, 2, 3, 4} {
		t.Run(fmt.Sprintf("%d acknowledged before the kill", acked), func(t *testing.T) {
			fs := faultfs.New()
			o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}, TailBytes: 1}
			s := open(t, fs, o)
			for i := range 5 {
				put(t, s, "l", int64(i+1), fmt.Sprintf("value %d", i))
			}
			shut(t, s)
			rot(t, fs, segmentName(0, 0), "value 2")
			s = open(t, fs, o)
			c := cursor(t, s, "o")
			var frames []*Frame
			for len(frames) < 4 {
				f, _, err := c.poll()
				if err != nil {
					t.Fatal(err)
				}
				if f != nil {
					frames = append(frames, f)
				}
			}
			for _, f := range frames[:acked] {
				if err := c.Ack(f); err != nil {
					t.Fatal(err)
				}
			}
			killed(s)
			for range 2 {
				s = open(t, fs, o)
				take(t, cursor(t, s, "o"))
				if st := outputStatus(t, s, "o"); st.Acked != 4 || st.Dropped != 1 || st.PendingRecords != 0 {
					t.Errorf("status %+v", st)
				}
				if kept, err := fs.List(filepath.Join(testDir, "quarantine")); err != nil || len(kept) != 1 {
					t.Errorf("kept aside: %v, %v", kept, err)
				}
				shut(t, s)
				balanced(t, fs)
			}
		})
	}
}

func TestABadOpeningLosesNoCount(t *testing.T) {
	fs := faultfs.New()
	o := Options{SegmentBytes: 1 << 10, Outputs: []Output{{ID: "o", Lane: "l"}}, TailBytes: 1}
	s := open(t, fs, o)
	var want []string
	for i := range 40 {
		want = append(want, fmt.Sprintf("value %02d %s", i, strings.Repeat("x", 60)))
		put(t, s, "l", int64(i+1), want[i])
	}
	shut(t, s)
	segs, err := Segments(fs, testDir)
	if err != nil || len(segs) < 3 {
		t.Fatalf("%d segments, %v", len(segs), err)
	}
	fs.FlipBit(segs[1].Name, 7, 3)
	s = open(t, fs, o)
	if got := take(t, cursor(t, s, "o")); !slices.Equal(got, want) {
		t.Errorf("%d of %d records came", len(got), len(want))
	}
	if st := outputStatus(t, s, "o"); st.Acked != 40 || st.Dropped != 0 {
		t.Errorf("status %+v", st)
	}
	shut(t, s)
	balanced(t, fs)
}
