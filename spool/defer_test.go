package spool

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spillway/spillway/spool/vfs"
	"github.com/spillway/spillway/spool/vfs/faultfs"
)

// recalled takes what is deferred with a note, oldest first, and leaves it out.
func recalled(t *testing.T, c *Cursor, note string, n int) (frames []*Frame) {
	t.Helper()
	for range n {
		f, got, err := c.Recall(math.MaxInt64, func(b []byte) bool { return bytes.Contains(b, []byte(note)) })
		if err != nil {
			t.Fatal(err)
		}
		if f == nil {
			return frames
		}
		if !bytes.Contains(got, []byte(note)) {
			t.Fatalf("the frame at %d has the note %q, want one with %q", f.Base, got, note)
		}
		frames = append(frames, f)
	}
	return frames
}

func deferAll(t *testing.T, c *Cursor, note string, frames ...*Frame) {
	t.Helper()
	for _, f := range frames {
		if err := c.Defer(f, []byte(note)); err != nil {
			t.Fatal(err)
		}
	}
}

func ackAll(t *testing.T, c *Cursor, frames ...*Frame) {
	t.Helper()
	for _, f := range frames {
		if err := c.Ack(f); err != nil {
			t.Fatal(err)
		}
	}
}

func allValues(t *testing.T, frames []*Frame) (all []string) {
	t.Helper()
	for _, f := range frames {
		all = append(all, values(t, f)...)
	}
	return all
}

func TestWhatIsDeferredStaysPendingAndIsRecalledInOrder(t *testing.T) {
	for _, where := range []struct {
		name string
		o    Options
	}{{"from memory", Options{}}, {"from disk", Options{SegmentBytes: 2 << 10, TailBytes: 1}}} {
		t.Run(where.name, func(t *testing.T) {
			fs := vfs.Memory()
			o := where.o
			o.Outputs = []Output{{ID: "o", Lane: "l"}, {ID: "other", Lane: "m"}}
			s := open(t, fs, o)
			for i := range 40 {
				put(t, s, "l", int64(2*i+1), fmt.Sprint(i))
				put(t, s, "m", int64(2*i+2), "x")
			}
			c := cursor(t, s, "o")
			frames := nextFrames(t, c, 40)
			for i := 39; i >= 0; i-- {
				switch {
				case i == 7:
					ackAll(t, c, frames[i])
				case i < 20:
					deferAll(t, c, "a", frames[i])
				default:
					deferAll(t, c, "ab", frames[i])
				}
			}
			if err := c.renew(); err != nil { // also merges
				t.Fatal(err)
			}
			if st := outputStatus(t, s, "o"); st.PendingRecords != 39 || st.Acked != 1 || st.Frontier > 0 {
				t.Fatalf("status %+v", st)
			}
			b := recalled(t, c, "b", 3)
			wantValues(t, allValues(t, b), "20", "21", "22")
			ackAll(t, c, b[1])
			deferAll(t, c, "ab", b[0], b[2])
			a := recalled(t, c, "a", 100)
			if len(a) != 38 {
				t.Fatalf("%d frames recalled, want 38", len(a))
			}
			wantValues(t, allValues(t, a[5:9]), "5", "6", "8", "9")
			wantValues(t, allValues(t, a[18:22]), "19", "20", "22", "23")
			ackAll(t, c, a...)
			if st := outputStatus(t, s, "o"); st.PendingRecords != 0 || st.Acked != 40 || st.Dropped != 0 {
				t.Fatalf("status %+v", st)
			}
			take(t, cursor(t, s, "other"))
			shut(t, s)
			balanced(t, fs)
		})
	}
}

func TestWhatIsDeferredIsInDoubtAfterAKillAndComesAgain(t *testing.T) {
	fs := vfs.Memory()
	o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}}
	s := open(t, fs, o)
	for i := range 8 {
		put(t, s, "l", int64(i+1), fmt.Sprint(i))
	}
	c := cursor(t, s, "o")
	frames := nextFrames(t, c, 8)
	deferAll(t, c, "a", frames[1:7]...)
	if err := c.renew(); err != nil {
		t.Fatal(err)
	}
	again := recalled(t, c, "a", 3)
	staged := stagedAs(again[1], "sent")
	ackAll(t, c, again[0])
	if err := c.Stage(again[1], []byte("sent")); err != nil {
		t.Fatal(err)
	}
	first, last := again[2].Base, frames[6].Base
	for _, compact := range []bool{false, true} {
		if compact {
			if err := c.renew(); err != nil {
				t.Fatal(err)
			}
		}
		killed(s)
		s = open(t, fs, o)
		c = cursor(t, s, "o")
		doubt := c.InDoubt()
		i := slices.IndexFunc(doubt, func(st Staged) bool { return fmt.Sprint(st) == fmt.Sprint(staged) })
		if i < 0 || i+1 == len(doubt) {
			t.Fatalf("in doubt: %v, want %v among them", doubt, staged)
		}
		for _, st := range doubt[i+1:] {
			if string(st.Note) != "a" || st.Offset < first-1 {
				t.Fatalf("in doubt: %v", doubt)
			}
		}
		if end := doubt[len(doubt)-1].End; end <= last-8 {
			t.Fatalf("in doubt: %v, want up to %d", doubt, last)
		}
	}
	wantValues(t, take(t, c), "0", "2", "3", "4", "5", "6", "7")
	inDoubt(t, c)
	shut(t, s)
	balanced(t, fs)
}

// Far ahead of a frontier that does not move, a cursor costs little.
func TestACursorFarAheadOfItsFrontierIsSmall(t *testing.T) {
	fs := vfs.Memory()
	s := open(t, fs, Options{Outputs: []Output{{ID: "o", Lane: "l"}}, Sync: Sync{Mode: SyncNever}})
	c := cursor(t, s, "o")
	const frames = 20_000
	var first *Frame
	for i := range frames {
		put(t, s, "l", int64(i+1), "v")
		f := nextFrames(t, c, 1)[0]
		switch {
		case i == 0:
			first = f
		case i < frames/2:
			ackAll(t, c, f)
		default:
			deferAll(t, c, "a note of some length", f)
		}
	}
	if err := c.renew(); err != nil {
		t.Fatal(err)
	}
	if len(c.pending) > 4 || c.journal.size > 1000 {
		t.Errorf("%d entries, a journal of %d bytes", len(c.pending), c.journal.size)
	}
	ackAll(t, c, first)
	ackAll(t, c, recalled(t, c, "a note", frames)...)
	if st := outputStatus(t, s, "o"); st.PendingRecords != 0 || st.Acked != frames {
		t.Errorf("status %+v", st)
	}
	shut(t, s)
	balanced(t, fs)
}

func TestDeferredRecordsThatAreDroppedOrDamagedAreCounted(t *testing.T) {
	t.Run("dropped", func(t *testing.T) {
		fs := vfs.Memory()
		o := small()
		o.Outputs = []Output{{ID: "o", Lane: "l", DropOldest: true}}
		s := open(t, fs, o)
		c := cursor(t, s, "o")
		n := 0
		for ; outputStatus(t, s, "o").Dropped == 0; n++ {
			put(t, s, "l", int64(n+1), fmt.Sprintf("%0500d", n))
			deferAll(t, c, "a", nextFrames(t, c, 1)...)
		}
		dropped := outputStatus(t, s, "o").Dropped
		got := recalled(t, c, "a", n)
		wantValues(t, allValues(t, got[:1]), fmt.Sprintf("%0500d", dropped))
		ackAll(t, c, got...)
		if st := outputStatus(t, s, "o"); st.PendingRecords != 0 || st.Acked != int64(n)-dropped {
			t.Errorf("status %+v of %d", st, n)
		}
		shut(t, s)
		balanced(t, fs)
	})
	t.Run("damaged", func(t *testing.T) {
		fs := faultfs.New()
		o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}, SegmentBytes: 2 << 10, TailBytes: 1}
		s := open(t, fs, o)
		const n = 40
		for i := range n {
			put(t, s, "l", int64(i+1), fmt.Sprintf("value-%02d", i))
		}
		shut(t, s)
		s = open(t, fs, o)
		c := cursor(t, s, "o")
		deferAll(t, c, "a", nextFrames(t, c, n)...)
		err := Walk(fs, testDir, func(e Entry) error {
			if strings.Contains(string(e.Batch), "value-05") {
				fs.FlipBit(e.Segment, e.Position+70, 3)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.renew(); err != nil {
			t.Fatal(err)
		}
		got := recalled(t, c, "a", n)
		if len(got) != n-1 {
			t.Fatalf("%d frames, want %d", len(got), n-1)
		}
		ackAll(t, c, got...)
		if st := outputStatus(t, s, "o"); st.PendingRecords != 0 || st.Acked != n-1 || st.Dropped != 1 {
			t.Errorf("status %+v", st)
		}
		shut(t, s)
		balanced(t, fs)
	})
}

// damagedBehindAMerge is a spool of eight records of which all but the first are
// acknowledged, as one entry, and in which the headers of these are damaged; opened again.
func damagedBehindAMerge(t *testing.T, damaged ...int) *Spool {
	t.Helper()
	fs := faultfs.New()
	o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}, TailBytes: 1}
	s := open(t, fs, o)
	for i := range 8 {
		put(t, s, "l", int64(i+1), fmt.Sprintf("value %d", i))
	}
	c := cursor(t, s, "o")
	ackAll(t, c, nextFrames(t, c, 8)[1:]...)
	s.sync()
	if err := c.renew(); err != nil {
		t.Fatal(err)
	}
	if len(c.pending) != 2 {
		t.Fatalf("%d entries, want the frame that is out and one", len(c.pending))
	}
	shut(t, s)
	err := Walk(fs, testDir, func(e Entry) error {
		for _, i := range damaged {
			if strings.Contains(string(e.Batch), fmt.Sprint("value ", i)) {
				fs.FlipBit(e.Segment, e.Position+7, 3)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return open(t, fs, o)
}

// What was acknowledged as one entry does not come again where the reader, behind damage,
// stands in the middle of it.
func TestAMergedEntryIsPassedAsAWhole(t *testing.T) {
	s := damagedBehindAMerge(t, 3)
	c := cursor(t, s, "o")
	first := nextFrames(t, c, 1)[0]
	for !c.gap {
		if f, _, err := c.poll(); err != nil || f != nil {
			t.Fatalf("%v, %v, want only damage", f, err)
		}
	}
	ackAll(t, c, first)
	if again := take(t, c); len(again) > 0 {
		t.Errorf("%q came again", again)
	}
	if st := outputStatus(t, s, "o"); st.Acked != 8 || st.PendingRecords != 0 {
		t.Errorf("status %+v", st)
	}
	shut(t, s)
}

// What is lost in front of a merged entry is counted, also if the damage reaches into it.
func TestALossThatReachesIntoAMergedEntryIsCounted(t *testing.T) {
	s := damagedBehindAMerge(t, 0, 1)
	take(t, cursor(t, s, "o"))
	if st := outputStatus(t, s, "o"); st.Acked != 7 || st.Dropped != 1 || st.PendingRecords != 0 {
		t.Errorf("status %+v", st)
	}
	shut(t, s)
}

// From life to life, what is deferred costs no more.
func TestWhatStaysDeferredDoesNotGrowFromLifeToLife(t *testing.T) {
	fs := vfs.Memory()
	o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}, Sync: Sync{Mode: SyncNever}}
	s := open(t, fs, o)
	const frames = 5000
	for i := range frames {
		put(t, s, "l", int64(i+1), "v")
	}
	for life := range 3 {
		c := cursor(t, s, "o")
		deferAll(t, c, "a note", nextFrames(t, c, frames)...)
		killed(s)
		s = open(t, fs, o)
		c = cursor(t, s, "o")
		if err := c.renew(); err != nil {
			t.Fatal(err)
		}
		if n := len(c.InDoubt()); n > 2 && life > 0 {
			t.Errorf("life %d leaves %d entries in doubt", life, n)
		}
	}
	if got := take(t, cursor(t, s, "o")); len(got) != frames {
		t.Errorf("%d records, want %d", len(got), frames)
	}
	shut(t, s)
	balanced(t, fs)
}

// brokenFile is that of a segment which was closed while it was read.
type brokenFile struct{ vfs.File }

func (brokenFile) ReadAt([]byte, int64) (int, error) { return 0, syscall.EBADF }

// A segment that is given up while Recall reads it, after a failed sync say, is no loss of
// what it held: that stands in another one.
func TestASegmentThatGoesUnderRecallIsLookedForAnew(t *testing.T) {
	s := open(t, vfs.Memory(), Options{Outputs: []Output{{ID: "o", Lane: "l"}}})
	c := cursor(t, s, "o")
	there := s.segments[0]
	for _, gone := range []bool{true, false} {
		seg := there
		if gone {
			seg = &segment{}
		}
		c.recalling = reader{seg: seg, scanner: scanner{file: brokenFile{}, end: 100}}
		f, again, err := c.firstOnDisk(0, 10, 10)
		if f != nil || again != gone || errors.Is(err, syscall.EBADF) == gone {
			t.Errorf("gone %v: %v, again %v, %v", gone, f, again, err)
		}
	}
	shut(t, s)
}
