package spool

import (
	"errors"
	"fmt"
	"testing"

	"github.com/spillway/spillway/spool/vfs"
	"github.com/spillway/spillway/spool/vfs/faultfs"
)

// nextFrames takes n frames that are there.
func nextFrames(t *testing.T, c *Cursor, n int) []*Frame {
	t.Helper()
	var frames []*Frame
	for range n {
		f, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, f)
	}
	return frames
}

func TestRewindForgetsWhatWasAcknowledgedBehindItsOffset(t *testing.T) {
	for _, crash := range []bool{false, true} {
		fs := vfs.Memory()
		o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}}
		s := open(t, fs, o)
		for i := range 6 {
			put(t, s, "l", int64(i+1), fmt.Sprint(i))
		}
		c := cursor(t, s, "o")
		frames := nextFrames(t, c, 6)
		to := frames[1].Base
		for _, i := range []int{0, 1, 2, 4} { // 3 and 5 are out
			if err := errors.Join(c.Stage(frames[i], []byte{byte(i)}), c.Ack(frames[i])); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Rewind(to); err != nil {
			t.Fatal(err)
		}
		want := []string{"1", "2", "4"}
		if crash {
			killed(s)
			s = open(t, fs, o)
			c, want = cursor(t, s, "o"), []string{"1", "2", "3", "4", "5"}
		}
		if st := outputStatus(t, s, "o"); st.Frontier != to || st.Acked != 1 || st.PendingRecords != 5 {
			t.Errorf("crash %v: status %+v", crash, st)
		}
		if acked := c.Acked(); len(acked) != 1 || string(acked[0].Note) != "\x00" {
			t.Errorf("crash %v: acknowledged %v, want what lies before the offset", crash, acked)
		}
		wantValues(t, take(t, c), want...)
		if !crash {
			if err := errors.Join(c.Ack(frames[3]), c.Ack(frames[5])); err != nil {
				t.Fatal(err)
			}
		}
		if st := outputStatus(t, s, "o"); st.Acked != 6 || st.PendingRecords != 0 {
			t.Errorf("crash %v: status %+v", crash, st)
		}
		shut(t, s)
		balanced(t, fs)
	}
}

func TestRewindOverBadBytesAndDeadLettersKeepsTheAccount(t *testing.T) {
	fs := faultfs.New()
	o := Options{
		Outputs: []Output{{ID: "o", Lane: "l"}, {ID: "dead", Lane: "d"}}, TailBytes: 1, DeadLane: "d",
		DeadLetter: func(r Refused) ([]byte, error) { return []byte(r.Cause.Error()), nil },
	}
	s := open(t, fs, o)
	for i := range 5 {
		put(t, s, "l", int64(i+1), fmt.Sprintf("value %d", i))
	}
	shut(t, s)
	rot(t, fs, segmentName(0, 0), "value 2")
	s = open(t, fs, o)
	c := cursor(t, s, "o")
	first := nextFrames(t, c, 1)[0]
	at := first.Base
	if err := errors.Join(c.Reject(first, 0, errors.New("no")), c.Ack(first)); err != nil {
		t.Fatal(err)
	}
	wantValues(t, take(t, c), "value 1", "value 3", "value 4")
	if err := c.Rewind(at); err != nil {
		t.Fatal(err)
	}
	if st := outputStatus(t, s, "o"); st.Acked != 0 || st.DeadLettered != 0 {
		t.Errorf("status %+v", st)
	}
	first = nextFrames(t, c, 1)[0]
	if err := errors.Join(c.Reject(first, 0, errors.New("no")), c.Ack(first)); err != nil {
		t.Fatal(err)
	}
	wantValues(t, take(t, c), "value 1", "value 3", "value 4")
	if st := outputStatus(t, s, "o"); st.Acked != 3 || st.DeadLettered != 1 || st.Dropped != 1 || st.PendingRecords != 0 {
		t.Errorf("status %+v", st)
	}
	wantValues(t, take(t, cursor(t, s, "dead")), "no")
	shut(t, s)
	balanced(t, fs)
}
