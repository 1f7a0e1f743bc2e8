package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/vfs"
	"github.com/spillway/spillway/spool/vfs/faultfs"
)

func TestASegmentThatCannotBeDeletedLetsTheSpoolWait(t *testing.T) {
	fs := faultfs.New()
	var stuck atomic.Bool
	fs.Inject(func(op faultfs.Op, name string, _ int) *faultfs.Fault {
		if stuck.Load() && op == faultfs.OpRemove && strings.HasSuffix(name, ".log") {
			return &faultfs.Fault{Err: syscall.EPERM}
		}
		return nil
	})
	o := small()
	o.Outputs = []Output{{ID: "o", Lane: "l", DropOldest: true}}
	s := open(t, fs, o)
	stuck.Store(true)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	var err error
	n := int64(1)
	for ; err == nil; n++ {
		err = tryPut(ctx, s, "l", n, strings.Repeat("x", 100))
	}
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(s.Status().Trouble.Reason, "not permitted") {
		t.Fatalf("error %v, trouble %q", err, s.Status().Trouble.Reason)
	}
	stuck.Store(false)
	put(t, s, "l", n, "room again")
	shut(t, s)
	balanced(t, fs)
}

func TestAFullSpoolIsSaidOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		o := small()
		o.Outputs = []Output{{ID: "o", Lane: "l"}}
		s := open(t, vfs.Memory(), o)
		s.log = slog.New(slog.NewTextHandler(&said, nil))
		c := cursor(t, s, "o")
		ctx, stop := context.WithTimeout(t.Context(), 150*time.Second)
		defer stop()
		var moving sync.WaitGroup
		moving.Go(func() { // the output moves now and then, and the spool is full again at once
			for f, err := c.Next(ctx); err == nil; f, err = c.Next(ctx) {
				_ = c.Ack(f)
				time.Sleep(100 * time.Millisecond)
			}
		})
		var err error
		for n := int64(1); err == nil; n++ {
			err = tryPut(ctx, s, "l", n, strings.Repeat("x", 100))
		}
		moving.Wait()
		if n := strings.Count(said.String(), "spool full"); n != 3 {
			t.Errorf("said %d times in two and a half minutes, want 3", n)
		}
		shut(t, s)
	})
}

func TestASegmentIsSixteenTimesItsOpening(t *testing.T) {
	fs := vfs.Memory()
	s := open(t, fs, Options{SegmentBytes: 1 << 10, Outputs: []Output{{ID: "o", Lane: "l"}}})
	var g Group
	for i := range 100 {
		g.Positions = append(g.Positions, record.Position{Source: fmt.Sprintf("in/%d", i), State: make([]byte, 100), Seen: time.Now()})
	}
	if err := s.Append(t.Context(), &g); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		put(t, s, "l", int64(i+1), strings.Repeat("x", 200))
	}
	if len(s.segments) < 3 {
		t.Fatalf("%d segments", len(s.segments))
	}
	for _, seg := range s.segments[1 : len(s.segments)-1] {
		sc := newScanner(seg)
		opening, err := sc.header()
		if err != nil {
			t.Fatal(err)
		}
		if least := int64(openingRatio * opening.Size()); seg.size < least || seg.size > least+1<<10 {
			t.Errorf("a segment of %d bytes with an opening of %d", seg.size, opening.Size())
		}
	}
	shut(t, s)
}

func TestDropOldestMakesRoomAlsoInASpoolOfOneSegment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := small()
		o.SegmentBytes = o.MaxBytes
		o.Outputs = []Output{{ID: "o", Lane: "l", DropOldest: true}}
		fs := vfs.Memory()
		s := open(t, fs, o)
		for i := range 100 {
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			if err := tryPut(ctx, s, "l", int64(i+1), strings.Repeat("x", 100)); err != nil {
				t.Fatal(err)
			}
			stop()
		}
		got := take(t, cursor(t, s, "o"))
		if st := outputStatus(t, s, "o"); int(st.Dropped)+len(got) != 100 || len(got) == 0 {
			t.Fatalf("%d came, status %+v", len(got), st)
		}
		shut(t, s)
		balanced(t, fs)
	})
}

func TestTwoThirdsFullIsSaidWithTheTimeThatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		o := Options{
			SegmentBytes: 8 << 10, MaxBytes: 60 << 10, BootID: "boot", Outputs: []Output{{ID: "o", Lane: "l"}},
			Log: slog.New(slog.NewTextHandler(&text, nil)),
		}
		fs := vfs.Memory()
		s, err := Open(fs, testDir, o)
		if err != nil {
			t.Fatal(err)
		}
		says := func() int { return strings.Count(text.String(), "two-thirds full") }
		n := int64(0)
		for ; says() == 0; n++ { // 1 KiB a second
			size := 1<<10 - 200
			put(t, s, "l", n+1, strings.Repeat("x", size))
			time.Sleep(time.Second)
		}
		if used := s.Status().Bytes; used < earlyBytes(o.MaxBytes) || used > earlyBytes(o.MaxBytes)+4<<10 {
			t.Errorf("said at %d bytes", used)
		}
		_, left, _ := strings.Cut(text.String(), "full_in=")
		if d, err := time.ParseDuration(strings.TrimSpace(left)); err != nil || d < 15*time.Second || d > 25*time.Second {
			t.Errorf("full in %q, want about 20s (%v)", left, err)
		}
		for range 10 { // not with every append
			put(t, s, "l", n+1, "x")
			n++
		}
		if says() != 1 {
			t.Errorf("said %d times within seconds", says())
		}
		shut(t, s)
		text.Reset()
		if s, err = Open(fs, testDir, o); err != nil {
			t.Fatal(err)
		}
		put(t, s, "l", n+1, "x")
		if says() != 1 || !strings.Contains(text.String(), "full_in=unknown") {
			t.Errorf("at a start, when no rate is known: %s", text.String())
		}
		shut(t, s)
	})
}

func TestTheBallastIsForCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := faultfs.New()
		var full atomic.Bool
		ballast := func() bool {
			entries, err := fs.List(testDir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Name == "ballast" {
					return e.Size == ballastBytes
				}
			}
			return false
		}
		s := open(t, fs, Options{Outputs: []Output{{ID: "o", Lane: "l"}}})
		put(t, s, "l", 1, "a")
		time.Sleep(2 * time.Second)
		if !ballast() {
			t.Fatal("there is no ballast")
		}
		var there atomic.Bool
		there.Store(true)
		fs.Inject(func(op faultfs.Op, name string, _ int) *faultfs.Fault {
			if filepath.Base(name) == "ballast" && full.Load() {
				if op == faultfs.OpRemove {
					there.Store(false)
				} else {
					return &faultfs.Fault{Err: syscall.ENOSPC}
				}
			}
			if full.Load() && op == faultfs.OpWrite && (there.Load() || strings.HasSuffix(name, ".log")) {
				return &faultfs.Fault{Err: syscall.ENOSPC}
			}
			return nil
		})
		full.Store(true)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		if err := tryPut(ctx, s, "l", 2, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v on a full disk", err)
		}
		stop()
		if !ballast() {
			t.Error("the ballast went to records")
		}
		wantValues(t, take(t, cursor(t, s, "o")), "a")
		if ballast() {
			t.Error("the ballast is still there, though a cursor had to be written")
		}
		killed(s)
		full.Store(false)
		s = open(t, fs, Options{Outputs: []Output{{ID: "o", Lane: "l"}}})
		if got := take(t, cursor(t, s, "o")); len(got) > 0 {
			t.Errorf("%q came again", got)
		}
		time.Sleep(2 * time.Second)
		if !ballast() {
			t.Error("the ballast does not come back")
		}
		shut(t, s)
	})
}

func TestNothingIsWrittenBeforeWhatIsTornIsCut(t *testing.T) {
	fs := faultfs.New()
	var writes, cuts atomic.Bool
	fs.Inject(func(op faultfs.Op, name string, bytes int) *faultfs.Fault {
		switch {
		case !strings.HasSuffix(name, ".log"):
		case op == faultfs.OpWrite && writes.Load():
			return &faultfs.Fault{Err: syscall.EIO, Short: bytes}
		case op == faultfs.OpTruncate && cuts.Load():
			return &faultfs.Fault{Err: syscall.EIO}
		}
		return nil
	})
	s := open(t, fs, Options{Outputs: []Output{{ID: "o", Lane: "l"}}})
	writes.Store(true)
	cuts.Store(true)
	try := func(n int64, value string) error {
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		return tryPut(ctx, s, "l", n, value)
	}
	if err := try(1, strings.Repeat("long", 100)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	writes.Store(false)
	if err := try(2, "short"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v: written over what is torn", err)
	}
	cuts.Store(false)
	put(t, s, "l", 3, "short")
	if size := int64(len(contents(t, fs)[segmentName(0, 0)])); size != s.Status().Bytes {
		t.Errorf("the segment has %d bytes, %d of them good", size, s.Status().Bytes)
	}
	shut(t, s)
}
