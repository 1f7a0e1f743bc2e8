package spool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway/spillway/spool/vfs"
)

func TestARefusedRecordGoesToTheDeadLettersOnce(t *testing.T) {
	fs := vfs.Memory()
	o := Options{
		Outputs:  []Output{{ID: "o", Lane: "l"}, {ID: "dead", Lane: "d"}},
		DeadLane: "d",
		DeadLetter: func(r Refused) ([]byte, error) {
			return fmt.Appendf(nil, "%d of %s: %v", r.Index, r.Output, r.Cause), nil
		},
	}
	s := open(t, fs, o)
	put(t, s, "l", 1, "a", "b", "c")
	c := cursor(t, s, "o")
	f, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Reject(f, 1, errors.New("no")); err != nil {
		t.Fatal(err)
	}
	// The process is killed before the acknowledgement.
	s.stop()
	s.workers.Wait()
	s = open(t, fs, o)
	c = cursor(t, s, "o")
	if f, err = c.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Reject(f, 1, errors.New("no")); err != nil {
		t.Fatal(err)
	}
	if err := c.Ack(f); err != nil {
		t.Fatal(err)
	}
	wantValues(t, take(t, cursor(t, s, "dead")), "1 of o: no")
	if st := outputStatus(t, s, "o"); st.Acked != 2 || st.DeadLettered != 1 {
		t.Fatalf("status %+v", st)
	}
	shut(t, s)
	balanced(t, fs)
}

func TestDeadLettersPassAnAppendThatWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.Memory()
		o := small()
		o.Outputs = []Output{{ID: "o", Lane: "l"}, {ID: "dead", Lane: "d"}}
		o.DeadLane = "d"
		o.DeadLetter = func(r Refused) ([]byte, error) { return []byte(r.Cause.Error()), nil }
		s := open(t, fs, o)
		c := cursor(t, s, "o")
		appended := make(chan error, 1)
		go func() {
			for n := range int64(100) {
				if err := tryPut(t.Context(), s, "l", n+1, strings.Repeat("x", 100)); err != nil {
					appended <- err
					return
				}
			}
			appended <- nil
		}()
		time.Sleep(5 * time.Second)
		if s.Status().Trouble.Reason != full {
			t.Fatal("the spool is not full")
		}
		f, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Reject(f, -1, errors.New("no")), c.Ack(f)); err != nil {
			t.Fatal(err)
		}
		delivered := 0
		for delivered < 99 {
			delivered += len(take(t, c))
			take(t, cursor(t, s, "dead"))
			time.Sleep(time.Second)
		}
		if err := <-appended; err != nil {
			t.Fatal(err)
		}
		shut(t, s)
		balanced(t, fs)
	})
}

func TestAFrameThatIsRejectedWholeIsReadOnce(t *testing.T) {
	fs := vfs.Memory()
	var got []string
	o := Options{
		Outputs:  []Output{{ID: "o", Lane: "l"}, {ID: "dead", Lane: "d"}},
		DeadLane: "d",
		DeadLetter: func(r Refused) ([]byte, error) {
			got = append(got, string(r.Value))
			return []byte(strings.Repeat(string(r.Value), 100_000)), nil
		},
	}
	s := open(t, fs, o)
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprintf("%02d", i))
	}
	put(t, s, "l", 1, want...)
	c := cursor(t, s, "o")
	f, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Reject(f, 7, errors.New("no")); err != nil {
		t.Fatal(err)
	}
	if err := c.Reject(f, -1, errors.New("no")); err != nil {
		t.Fatal(err)
	}
	wantValues(t, got, append([]string{"07"}, slices.Delete(slices.Clone(want), 7, 8)...)...)
	dead := cursor(t, s, "dead")
	records := int32(0)
	for frames := 0; records < 30; frames++ {
		f, err := dead.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Data) > 1<<20 {
			t.Errorf("a frame of %d bytes", len(f.Data))
		}
		records += f.Count
		if err := dead.Ack(f); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, s)
}
