package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
	"github.com/spillway/spillway/spool/vfs"
	"github.com/spillway/spillway/spool/vfs/faultfs"
)

const testDir = "data/p"

func open(t *testing.T, fs vfs.FS, o Options) *Spool {
	t.Helper()
	if o.BootID == "" {
		o.BootID = "boot"
	}
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := Open(fs, testDir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shut(t *testing.T, s *Spool) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// put appends one frame with these values to a lane.
func put(t *testing.T, s *Spool, lane string, offset int64, values ...string) {
	t.Helper()
	if err := tryPut(t.Context(), s, lane, offset, values...); err != nil {
		t.Fatal(err)
	}
}

func tryPut(ctx context.Context, s *Spool, lane string, offset int64, values ...string) error {
	number, err := s.Lane(lane)
	if err != nil {
		return err
	}
	b, err := recordbatch.NewBuilder(recordbatch.None)
	if err != nil {
		return err
	}
	b.Reset(number, time.Now().UnixMilli())
	for _, v := range values {
		b.Close(append(b.Open(), v...), nil)
	}
	f := NewFrame()
	f.Count, f.Lane = int32(len(values)), number
	if f.Data, err = b.Finish(nil); err != nil {
		return err
	}
	n := int64(len(values))
	return s.Append(ctx, &Group{
		Frames:    []*Frame{f},
		Positions: []record.Position{{Source: "in/a", Offset: offset, Seen: time.Now()}},
		Account:   Account{Read: n, Appended: n},
	})
}

func cursor(t *testing.T, s *Spool, id string) *Cursor {
	t.Helper()
	c, err := s.Cursor(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// take returns the values of the next frames, as far as they are there, and
// acknowledges them.
func take(t *testing.T, c *Cursor) []string {
	t.Helper()
	var all []string
	for {
		f, again, err := c.poll()
		if err != nil {
			t.Fatal(err)
		}
		if f == nil {
			if again {
				continue
			}
			return all
		}
		all = append(all, values(t, f)...)
		if err := c.Ack(f); err != nil {
			t.Fatal(err)
		}
	}
}

func values(t *testing.T, f *Frame) []string {
	t.Helper()
	var r recordbatch.Reader
	if err := f.Records(&r); err != nil {
		t.Fatal(err)
	}
	var all []string
	for r.Next() {
		all = append(all, string(r.Record().Value))
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return all
}

func wantValues(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func outputStatus(t *testing.T, s *Spool, id string) OutputStatus {
	t.Helper()
	for _, o := range s.Status().Outputs {
		if o.ID == id {
			return o
		}
	}
	t.Fatalf("no output %s", id)
	return OutputStatus{}
}

func balanced(t *testing.T, fs vfs.FS) {
	t.Helper()
	report, err := Audit(fs, testDir)
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Balance(); err != nil {
		t.Fatal(err)
	}
}

func TestAnOutputWhoseEncodingChangedDeliversItsBacklogAsItWasEncoded(t *testing.T) {
	fs := vfs.Memory()
	s := open(t, fs, Options{Outputs: []Output{{ID: "o", Lane: "old"}}})
	put(t, s, "old", 1, "a", "b")
	shut(t, s)
	s = open(t, fs, Options{Outputs: []Output{{ID: "o", Lane: "new"}}})
	put(t, s, "new", 2, "C")
	put(t, s, "old", 3, "not for this output any more")
	wantValues(t, take(t, cursor(t, s, "o")), "a", "b", "C")
	shut(t, s)
	balanced(t, fs)
}

func TestStartFromIsForOutputsNeverSeen(t *testing.T) {
	fs := vfs.Memory()
	s := open(t, fs, Options{Outputs: []Output{{ID: "o", Lane: "l"}}})
	put(t, s, "l", 1, "1")
	shut(t, s)
	s = open(t, fs, Options{Outputs: []Output{{ID: "o", Lane: "l", StartOldest: true}, {ID: "late", Lane: "l"}, {ID: "all", Lane: "l", StartOldest: true}}})
	put(t, s, "l", 2, "2")
	wantValues(t, take(t, cursor(t, s, "o")), "1", "2")
	wantValues(t, take(t, cursor(t, s, "late")), "2")
	wantValues(t, take(t, cursor(t, s, "all")), "1", "2")
	shut(t, s)
	balanced(t, fs)
}

func TestPositionsAreThoseOfTheLastMark(t *testing.T) {
	fs := vfs.Memory()
	s := open(t, fs, Options{Outputs: []Output{{ID: "o", Lane: "l"}}})
	put(t, s, "l", 17, "x")
	put(t, s, "l", 40, "y")
	shut(t, s)
	s = open(t, fs, Options{Outputs: []Output{{ID: "o", Lane: "l"}}})
	if ps := s.Resume("in/"); len(ps) != 1 || ps[0].Offset != 40 || ps[0].Source != "in/a" {
		t.Fatalf("positions %+v", ps)
	}
	if ps := s.Resume("other/"); len(ps) != 0 {
		t.Fatalf("another input got %+v", ps)
	}
	shut(t, s)
}

func TestSourcesThatAreGoneAreForgottenButNotForBeingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.Memory()
		o := Options{SegmentBytes: 1 << 10, Outputs: []Output{{ID: "o", Lane: "l"}}, ForgetAfter: time.Hour}
		s := open(t, fs, o)
		put(t, s, "l", 1, "x")
		shut(t, s)
		time.Sleep(2 * time.Hour)
		o.BootID = "next" // a new boot begins a segment
		s = open(t, fs, o)
		if ps := s.Resume(""); len(ps) != 1 {
			t.Fatalf("forgotten for being off: %+v", ps)
		}
		time.Sleep(2 * time.Hour)
		for range 40 {
			if err := s.Append(t.Context(), &Group{Positions: []record.Position{{Source: "in/b", Seen: time.Now()}}}); err != nil {
				t.Fatal(err)
			}
		}
		if ps := s.Resume(""); len(ps) != 1 || ps[0].Source != "in/b" {
			t.Fatalf("known: %+v, want the source that is still seen", ps)
		}
		shut(t, s)
	})
}

func small() Options {
	return Options{SegmentBytes: 1 << 10, MaxBytes: 4 << 10, TailBytes: 1}
}

func TestAFullSpoolBlocksUntilTheOutputMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.Memory()
		o := small()
		o.Outputs = []Output{{ID: "o", Lane: "l"}}
		s := open(t, fs, o)
		n := int64(0)
		for ; ; n++ {
			ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
			err := tryPut(ctx, s, "l", n+1, strings.Repeat("x", 100))
			stop()
			if errors.Is(err, context.DeadlineExceeded) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if st := s.Status(); st.Trouble.Reason != full || st.Bytes > o.MaxBytes {
			t.Fatalf("status %+v", st)
		}
		if got := take(t, cursor(t, s, "o")); int64(len(got)) != n {
			t.Fatalf("%d records came out, %d went in", len(got), n)
		}
		put(t, s, "l", n+1, "more")
		wantValues(t, take(t, cursor(t, s, "o")), "more")
		if st := s.Status(); st.Trouble.Reason != "" {
			t.Fatalf("still in trouble: %s", st.Trouble.Reason)
		}
		shut(t, s)
		balanced(t, fs)
	})
}

func TestDropOldestLosesRecordsOfThatOutputAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.Memory()
		o := small()
		o.Outputs = []Output{{ID: "slow", Lane: "l", DropOldest: true}, {ID: "fast", Lane: "l"}}
		s := open(t, fs, o)
		var fast []string
		for n := range int64(200) {
			put(t, s, "l", n+1, fmt.Sprintf("%04d %s", n, strings.Repeat("x", 60)))
			fast = append(fast, take(t, cursor(t, s, "fast"))...)
		}
		if len(fast) != 200 {
			t.Fatalf("the fast output got %d records", len(fast))
		}
		slow := take(t, cursor(t, s, "slow"))
		st := outputStatus(t, s, "slow")
		if st.Dropped == 0 || int(st.Dropped)+len(slow) != 200 {
			t.Fatalf("the slow output got %d records and lost %d", len(slow), st.Dropped)
		}
		if last := slow[len(slow)-1]; !strings.HasPrefix(last, "0199") {
			t.Fatalf("the newest record is gone, the last is %q", last)
		}
		if st := outputStatus(t, s, "fast"); st.Dropped != 0 {
			t.Fatalf("the fast output lost %d", st.Dropped)
		}
		shut(t, s)
		balanced(t, fs)
	})
}

func TestMaxAgeDropsAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.Memory()
		o := Options{SegmentBytes: 1 << 10, MaxAge: time.Hour, Outputs: []Output{{ID: "o", Lane: "l"}}}
		s := open(t, fs, o)
		for n := range int64(40) {
			put(t, s, "l", n+1, strings.Repeat("x", 100))
		}
		time.Sleep(2 * time.Hour)
		put(t, s, "l", 99, "new")
		time.Sleep(2 * time.Second)
		st := outputStatus(t, s, "o")
		got := take(t, cursor(t, s, "o"))
		if st.Dropped == 0 || int(st.Dropped)+len(got) != 41 || got[len(got)-1] != "new" {
			t.Fatalf("%d dropped and %d delivered of 41", st.Dropped, len(got))
		}
		shut(t, s)
		balanced(t, fs)
	})
}

func TestStagedFramesAreInDoubtAfterAKill(t *testing.T) {
	fs := vfs.Memory()
	o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}}
	s := open(t, fs, o)
	put(t, s, "l", 1, "a")
	put(t, s, "l", 2, "b")
	c := cursor(t, s, "o")
	first, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Stage(first, []byte("1")), c.Stage(second, []byte("2")), c.Ack(first)); err != nil {
		t.Fatal(err)
	}
	want := Staged{Offset: second.Base, End: second.End(), Checksum: second.Checksum(), Note: []byte("2")}
	s.stop()
	s.workers.Wait()
	s = open(t, fs, o)
	c = cursor(t, s, "o")
	doubt, acked := c.InDoubt(), c.Acked()
	if len(doubt) != 1 || fmt.Sprint(doubt[0]) != fmt.Sprint(want) {
		t.Fatalf("in doubt: %v, want %v", doubt, want)
	}
	if len(acked) != 1 || string(acked[0].Note) != "1" {
		t.Fatalf("acknowledged: %v", acked)
	}
	wantValues(t, take(t, c), "b")
	shut(t, s)
}

func TestRewoundRecordsArePendingAgain(t *testing.T) {
	fs := vfs.Memory()
	s := open(t, fs, Options{Outputs: []Output{{ID: "o", Lane: "l"}}})
	put(t, s, "l", 1, "a", "b")
	at := s.Status().Next
	put(t, s, "l", 2, "c", "d", "e")
	c := cursor(t, s, "o")
	wantValues(t, take(t, c), "a", "b", "c", "d", "e")
	if err := c.Rewind(at); err != nil {
		t.Fatal(err)
	}
	if st := outputStatus(t, s, "o"); st.Acked != 2 || st.PendingRecords != 3 {
		t.Fatalf("status %+v", st)
	}
	wantValues(t, take(t, c), "c", "d", "e")
	if err := c.Rewind(-1); err == nil {
		t.Fatal("rewound to before the spool")
	}
	shut(t, s)
	balanced(t, fs)
}

func TestANewerFormatIsNotDamageAndIsNotTouched(t *testing.T) {
	fs := vfs.Memory()
	s := open(t, fs, Options{Outputs: []Output{{ID: "o", Lane: "l"}}})
	put(t, s, "l", 1, "a")
	shut(t, s)
	name := filepath.Join(testDir, segmentName(0, 0))
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	before, err := readAll(f)
	if err != nil {
		t.Fatal(err)
	}
	mark := recordbatch.AppendControl(nil, markType, 0, []byte{markVersion + 1, markDelta})
	last, err := recordbatch.ParseHeader(before)
	if err != nil {
		t.Fatal(err)
	}
	recordbatch.SetBaseOffset(mark, last.NextOffset())
	newer := slices.Concat(before[:last.Size()], mark)
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Writev([][]byte{newer}, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(fs, testDir, Options{BootID: "boot"}); !errors.Is(err, ErrNewer) {
		t.Fatalf("error %v, want ErrNewer", err)
	}
	if after, err := readAll(f); err != nil || !slices.Equal(after, newer) {
		t.Fatalf("the segment was changed (%v)", err)
	}
}

func TestBadBytesInWhatWasSyncedAreKeptAsideAndSkipped(t *testing.T) {
	fs := faultfs.New()
	o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}, TailBytes: 1}
	s := open(t, fs, o)
	for i := range 5 {
		put(t, s, "l", int64(i+1), fmt.Sprintf("value %d", i))
	}
	shut(t, s)
	name := filepath.Join(testDir, segmentName(0, 0))
	pos := int64(0)
	err := Walk(fs, testDir, func(e Entry) error {
		if strings.Contains(string(e.Batch), "value 2") {
			pos = e.Position + 70
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	fs.FlipBit(name, pos, 3)
	s = open(t, fs, o)
	got := take(t, cursor(t, s, "o"))
	wantValues(t, got, "value 0", "value 1", "value 3", "value 4")
	kept, err := fs.List(filepath.Join(testDir, "quarantine"))
	if err != nil || len(kept) == 0 || s.Status().QuarantinedBytes == 0 {
		t.Fatalf("nothing was kept aside: %v, %v", kept, err)
	}
	if st := outputStatus(t, s, "o"); st.Acked != 4 || st.Dropped != 1 || st.PendingRecords != 0 {
		t.Fatalf("status %+v", st)
	}
	shut(t, s)
}

func TestNobodyIsToldBeforeASyncWithAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := faultfs.New()
		var failing atomic.Bool
		fs.Inject(func(op faultfs.Op, name string, _ int) *faultfs.Fault {
			if failing.Load() && (op == faultfs.OpSync && strings.HasSuffix(name, ".log") || op == faultfs.OpCreate) {
				return &faultfs.Fault{Err: syscall.EIO, Forget: true}
			}
			return nil
		})
		s := open(t, fs, Options{Outputs: []Output{{ID: "o", Lane: "l"}}, Sync: Sync{Mode: SyncAlways}})
		failing.Store(true)
		told := make(chan error, 1)
		if err := s.Append(t.Context(), &Group{Durable: func(err error) { told <- err }}); err != nil {
			t.Fatal(err)
		}
		put(t, s, "l", 1, "a")
		time.Sleep(time.Minute)
		select {
		case err := <-told:
			t.Fatalf("told %v before a sync succeeded", err)
		default:
		}
		if got := take(t, cursor(t, s, "o")); len(got) != 0 {
			t.Fatalf("%q came out before a sync succeeded", got)
		}
		failing.Store(false)
		time.Sleep(time.Minute)
		if err := <-told; err != nil {
			t.Fatal(err)
		}
		wantValues(t, take(t, cursor(t, s, "o")), "a")
		if fs.Injected(faultfs.OpSync) == 0 {
			t.Fatal("no sync failed")
		}
		shut(t, s)
	})
}

func TestCursorsOfAMemorySpoolLeaveCheckpoints(t *testing.T) {
	disk := vfs.Memory()
	o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}, Checkpoints: disk}
	s := open(t, vfs.Memory(), o)
	put(t, s, "l", 7, "a")
	take(t, cursor(t, s, "o"))
	put(t, s, "l", 9, "not acknowledged")
	shut(t, s)
	s = open(t, vfs.Memory(), o)
	if ps := s.Resume("in/"); len(ps) != 1 || ps[0].Offset != 7 {
		t.Fatalf("positions %+v, want what was acknowledged", ps)
	}
	shut(t, s)
}

func TestAMarkLongerThanARecordTakesAnOffsetForEach(t *testing.T) {
	fs := faultfs.New()
	o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}, TailBytes: 1}
	s := open(t, fs, o)
	var g Group
	for i := range 3000 {
		g.Positions = append(g.Positions, record.Position{Source: fmt.Sprintf("in/%d", i), State: make([]byte, 200), Seen: time.Now()})
	}
	for i := range 3 {
		if err := s.Append(t.Context(), &g); err != nil {
			t.Fatal(err)
		}
		put(t, s, "l", int64(i+1), fmt.Sprint(i))
	}
	wantValues(t, take(t, cursor(t, s, "o")), "0", "1", "2")
	killed(s)
	s = open(t, fs, o)
	put(t, s, "l", 9, "after")
	wantValues(t, take(t, cursor(t, s, "o")), "after")
	if st := s.Status(); st.QuarantinedBytes != 0 || len(s.Resume("in/")) != 3001 {
		t.Errorf("%d bytes are kept aside, %d positions", st.QuarantinedBytes, len(s.Resume("in/")))
	}
	shut(t, s)
	balanced(t, fs)
}
