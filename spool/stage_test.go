package spool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway/spillway/spool/vfs"
	"github.com/spillway/spillway/spool/vfs/faultfs"
)

// inDoubt checks what is in doubt, to the checksum.
func inDoubt(t *testing.T, c *Cursor, want ...Staged) {
	t.Helper()
	if got := c.InDoubt(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("in doubt: %v, want %v", got, want)
	}
}

func stagedAs(f *Frame, note string) Staged {
	return Staged{Offset: f.Base, End: f.End(), Checksum: f.Checksum(), Note: []byte(note)}
}

func TestAcknowledgementsOutOfOrderSurviveAKillAndCompaction(t *testing.T) {
	for _, compact := range []bool{false, true} {
		fs := vfs.Memory()
		o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}}
		s := open(t, fs, o)
		for i := range 6 {
			put(t, s, "l", int64(i+1), fmt.Sprint(i), fmt.Sprint(i))
		}
		c := cursor(t, s, "o")
		frames := nextFrames(t, c, 6)
		want := []Staged{stagedAs(frames[0], "new 0"), stagedAs(frames[3], "new 3")}
		for i, f := range frames {
			if err := errors.Join(c.Stage(f, fmt.Appendf(nil, "old %d", i)), c.Stage(f, fmt.Appendf(nil, "new %d", i))); err != nil {
				t.Fatal(err)
			}
		}
		for _, i := range []int{5, 1, 4, 2} {
			if err := c.Ack(frames[i]); err != nil {
				t.Fatal(err)
			}
		}
		if compact {
			if err := c.renew(); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // a kill, then another that finds nothing new
			killed(s)
			s = open(t, fs, o)
			c = cursor(t, s, "o")
			inDoubt(t, c, want...)
			var notes []string
			for _, st := range c.Acked() {
				notes = append(notes, string(st.Note))
			}
			wantValues(t, notes, "new 2", "new 4", "new 1", "new 5")
		}
		again := nextFrames(t, c, 2)
		for i, f := range again {
			if f.Base != want[i].Offset || f.Checksum() != want[i].Checksum {
				t.Fatalf("the frame at %d came, want the one in doubt at %d", f.Base, want[i].Offset)
			}
		}
		if err := c.Stage(again[0], []byte("third")); err != nil {
			t.Fatal(err)
		}
		killed(s)
		s = open(t, fs, o)
		c = cursor(t, s, "o")
		want[0].Note = []byte("third")
		inDoubt(t, c, want...)
		wantValues(t, take(t, c), "0", "0", "3", "3")
		inDoubt(t, c)
		if st := outputStatus(t, s, "o"); st.Acked != 12 || st.PendingRecords != 0 {
			t.Fatalf("status %+v", st)
		}
		shut(t, s)
		balanced(t, fs)
	}
}

func TestPartitionsStageAndAcknowledgeConcurrently(t *testing.T) {
	fs := faultfs.New()
	o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}, SegmentBytes: 2 << 10, TailBytes: 1 << 10}
	const partitions, frames = 4, 200
	s := open(t, fs, o)
	c := cursor(t, s, "o")
	queues := make([]chan *Frame, partitions)
	var senders sync.WaitGroup
	var kept sync.Map
	for p := range queues {
		queues[p] = make(chan *Frame, 3)
		senders.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(p), 1))
			var out []*Frame
			for f := range queues[p] {
				if err := c.Stage(f, fmt.Appendf(nil, "%d at %d", p, f.Base)); err != nil {
					t.Error(err)
				}
				if out = append(out, f); len(out) < 3 {
					continue
				}
				c.InDoubt()
				i := dice.IntN(len(out))
				if err := c.Ack(out[i]); err != nil {
					t.Error(err)
				}
				out = slices.Delete(out, i, i+1)
			}
			for _, f := range out {
				kept.Store(f.Base, stagedAs(f, fmt.Sprintf("%d at %d", p, f.Base)))
			}
		})
	}
	go func() {
		for i := range frames {
			if err := tryPut(context.Background(), s, "l", int64(i+1), fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		}
	}()
	for i, f := range nextFrames(t, c, frames) {
		queues[i%partitions] <- f
	}
	for _, q := range queues {
		close(q)
	}
	senders.Wait()
	killed(s)
	s = open(t, fs, o)
	c = cursor(t, s, "o")
	doubt := c.InDoubt()
	if len(doubt) != 2*partitions {
		t.Fatalf("%d in doubt: %v", len(doubt), doubt)
	}
	for _, st := range doubt {
		if want, ok := kept.Load(st.Offset); !ok || fmt.Sprint(want) != fmt.Sprint(st) {
			t.Errorf("in doubt: %v, want %v", st, want)
		}
	}
	if got := take(t, c); len(got) != len(doubt) {
		t.Errorf("%d came again, want those in doubt", len(got))
	}
	if st := outputStatus(t, s, "o"); st.Acked != frames || st.PendingRecords != 0 {
		t.Errorf("status %+v", st)
	}
	shut(t, s)
	balanced(t, fs)
}

func TestOnlyAFrameThatIsOutCanBeStaged(t *testing.T) {
	s := open(t, vfs.Memory(), Options{Outputs: []Output{{ID: "o", Lane: "l"}}})
	put(t, s, "l", 1, "a")
	c := cursor(t, s, "o")
	f := nextFrames(t, c, 1)[0]
	f.Retain()
	if err := c.Ack(f); err != nil {
		t.Fatal(err)
	}
	if c.Stage(f, nil) == nil {
		t.Error("staged a frame that had been acknowledged: it would be in doubt for ever")
	}
	f.Release()
	shut(t, s)
}

func TestAStagingThatCannotBeWrittenHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := faultfs.New()
		var broken atomic.Bool
		fs.Inject(func(op faultfs.Op, name string, _ int) *faultfs.Fault {
			if broken.Load() && strings.Contains(name, "outputs/o.") && (op == faultfs.OpWrite || op == faultfs.OpCreate) {
				return &faultfs.Fault{Err: syscall.ENOSPC}
			}
			return nil
		})
		o := small()
		o.Outputs = []Output{{ID: "o", Lane: "l"}, {ID: "p", Lane: "l"}}
		s := open(t, fs, o)
		put(t, s, "l", 1, "first")
		put(t, s, "l", 2, "second")
		c := cursor(t, s, "o")
		frames := nextFrames(t, c, 2)
		broken.Store(true)
		staged := make(chan error, 1)
		go func() { staged <- c.Stage(frames[0], []byte("note")) }()
		time.Sleep(time.Minute)
		var got []string
		for i := range 10 { // the other output goes on, and so does this one
			put(t, s, "l", int64(i+3), strings.Repeat("x", 100))
			got = append(got, take(t, cursor(t, s, "p"))...)
		}
		if err := c.Ack(frames[1]); err != nil {
			t.Fatal(err)
		}
		if len(got) != 12 {
			t.Fatalf("the other output got %q", got)
		}
		select {
		case err := <-staged:
			t.Fatalf("staged, with %v, what cannot be written", err)
		default:
		}
		broken.Store(false)
		time.Sleep(time.Minute)
		if err := <-staged; err != nil {
			t.Fatal(err)
		}
		next := fs.Kill()
		want := stagedAs(frames[0], "note")
		shut(t, s)
		s = open(t, next, o)
		inDoubt(t, cursor(t, s, "o"), want)
		shut(t, s)
	})
}

func TestStagingsShareASync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := faultfs.New()
		o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}, Sync: Sync{Mode: SyncAlways}}
		s := open(t, fs, o)
		const n = 8
		for i := range n {
			put(t, s, "l", int64(i+1), fmt.Sprint(i))
		}
		synctest.Wait()
		c := cursor(t, s, "o")
		frames := nextFrames(t, c, n)
		var syncs atomic.Int32
		fs.Inject(func(op faultfs.Op, name string, _ int) *faultfs.Fault {
			if op == faultfs.OpSync && strings.HasSuffix(name, ".journal") {
				syncs.Add(1)
			}
			return nil
		})
		c.turn <- struct{}{} // so that all come at once
		var staging sync.WaitGroup
		for _, f := range frames {
			staging.Go(func() {
				if err := c.Stage(f, []byte("note")); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		<-c.turn
		staging.Wait()
		if got := syncs.Load(); got > 2 {
			t.Errorf("%d syncs for %d stagings", got, n)
		}
		after := fs.PowerCut(rand.New(rand.NewPCG(1, 1)))
		shut(t, s)
		o.BootID = "next"
		s = open(t, after, o)
		if doubt := cursor(t, s, "o").InDoubt(); len(doubt) != n {
			t.Errorf("%d of %d are in doubt after a power cut", len(doubt), n)
		}
		shut(t, s)
	})
}

func TestWhatWasDroppedIsInDoubtUntilTheNextAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.Memory()
		o := small()
		o.Outputs = []Output{{ID: "o", Lane: "l", DropOldest: true}}
		s := open(t, fs, o)
		put(t, s, "l", 1, "first")
		c := cursor(t, s, "o")
		if err := c.Stage(nextFrames(t, c, 1)[0], []byte("note")); err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			put(t, s, "l", int64(i+2), strings.Repeat("x", 100))
		}
		killed(s)
		s = open(t, fs, o)
		c = cursor(t, s, "o")
		if doubt := c.InDoubt(); len(doubt) != 1 || doubt[0].Offset >= s.segments[0].base {
			t.Fatalf("in doubt: %v", doubt)
		}
		take(t, c)
		inDoubt(t, c)
		killed(s)
		s = open(t, fs, o)
		inDoubt(t, cursor(t, s, "o"))
		shut(t, s)
		balanced(t, fs)
	})
}

func TestStopEndsWhatWaitsForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := faultfs.New()
		o := deadLetters()
		s := open(t, fs, o)
		put(t, s, "l", 1, "a")
		put(t, s, "l", 2, "b")
		c := cursor(t, s, "o")
		frames := nextFrames(t, c, 2)
		fs.Inject(func(op faultfs.Op, _ string, _ int) *faultfs.Fault {
			if op == faultfs.OpWrite || op == faultfs.OpCreate {
				return &faultfs.Fault{Err: syscall.ENOSPC}
			}
			return nil
		})
		ended := make(chan error, 3)
		go func() { ended <- c.Stage(frames[0], nil) }()
		go func() { ended <- c.Reject(frames[1], 0, errors.New("no")) }()
		go func() {
			_, err := c.Next(t.Context())
			ended <- err
		}()
		time.Sleep(time.Minute)
		s.Stop()
		for range 3 {
			if err := <-ended; !errors.Is(err, ErrClosed) {
				t.Errorf("ended with %v", err)
			}
		}
		if err := c.Ack(frames[0]); err != nil {
			t.Error(err)
		}
		fs.Inject(nil)
		shut(t, s)
	})
}
