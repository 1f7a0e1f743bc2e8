package spool

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// contents are all files of the spool and its folders.
func contents(t *testing.T, fs vfs.FS) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range []string{"", "outputs", "quarantine"} {
		entries, err := fs.List(filepath.Join(testDir, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			f, err := fs.Open(filepath.Join(testDir, dir, e.Name))
			if err != nil {
				t.Fatal(err)
			}
			data, err := readAll(f)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.Join(dir, e.Name)] = string(data)
		}
	}
	return all
}

func replaceFile(t *testing.T, fs vfs.FS, name string, data []byte) {
	t.Helper()
	_ = fs.Remove(filepath.Join(testDir, name))
	f, err := fs.Create(filepath.Join(testDir, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Writev([][]byte{data}, 0); err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsSkippedWhereACursorIsAheadOfTheSegments(t *testing.T) {
	for _, kept := range []string{"no segment", "a part"} {
		t.Run(kept, func(t *testing.T) {
			fs := faultfs.New()
			o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}, Sync: Sync{Mode: SyncNever}}
			s := open(t, fs, o)
			put(t, s, "l", 1, "a")
			early := contents(t, fs)[segmentName(0, 0)]
			put(t, s, "l", 2, "b", "c", "d")
			wantValues(t, take(t, cursor(t, s, "o")), "a", "b", "c", "d")
			shut(t, s)
			// The power goes; the journal is there, the segment's end is not.
			if kept == "a part" {
				replaceFile(t, fs, segmentName(0, 0), []byte(early))
			} else if err := fs.Remove(filepath.Join(testDir, segmentName(0, 0))); err != nil {
				t.Fatal(err)
			}
			s = open(t, fs, o)
			put(t, s, "l", 2, "B")
			put(t, s, "l", 3, "C")
			wantValues(t, take(t, cursor(t, s, "o")), "B", "C")
			shut(t, s)
		})
	}
}

func TestMarksTellOfEveryNewLane(t *testing.T) {
	fs := vfs.Memory()
	o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}}
	s := open(t, fs, o)
	if _, err := s.Lane("nobody appends to it"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "l", 1, "a")
	put(t, s, "another", 2, "x")
	s.stop()
	s.workers.Wait()
	o.Outputs = append(o.Outputs, Output{ID: "p", Lane: "another", StartOldest: true})
	s = open(t, fs, o)
	if ps := s.Resume("in/"); len(ps) != 1 || ps[0].Offset != 2 {
		t.Fatalf("positions %+v", ps)
	}
	wantValues(t, take(t, cursor(t, s, "o")), "a")
	wantValues(t, take(t, cursor(t, s, "p")), "x")
	shut(t, s)
	balanced(t, fs)
}

func TestAFlippedFormatByteIsDamage(t *testing.T) {
	fs := faultfs.New()
	o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}}
	s := open(t, fs, o)
	for i := range 3 {
		put(t, s, "l", int64(i+1), fmt.Sprint(i))
	}
	shut(t, s)
	at := int64(0)
	if err := Walk(fs, testDir, func(e Entry) error {
		if !e.Mark && e.Records == 1 && at == 0 {
			at = e.Position
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	fs.FlipBit(filepath.Join(testDir, segmentName(0, 0)), at+16, 3) // the format stands outside the checksum
	s = open(t, fs, o)
	wantValues(t, take(t, cursor(t, s, "o")), "1", "2")
	shut(t, s)
}

func TestGarbageIsNoNewerFormat(t *testing.T) {
	fs := vfs.Memory()
	o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}}
	s := open(t, fs, o)
	put(t, s, "l", 1, "a")
	shut(t, s)
	good := contents(t, fs)[segmentName(0, 0)]
	replaceFile(t, fs, segmentName(0, 0), []byte(good+strings.Repeat("garbage", 100)))
	s = open(t, fs, o)
	wantValues(t, take(t, cursor(t, s, "o")), "a")
	shut(t, s)
}

func TestANewerFormatBehindATornSegmentIsNotTouched(t *testing.T) {
	fs := vfs.Memory()
	o := Options{BootID: "boot", Outputs: []Output{{ID: "o", Lane: "l"}}}
	s := open(t, fs, o)
	shut(t, s)
	segment := contents(t, fs)[segmentName(0, 0)]
	opening, err := recordbatch.ParseHeader([]byte(segment))
	if err != nil {
		t.Fatal(err)
	}
	newer := recordbatch.AppendControl(nil, markType, 0, []byte{markVersion + 1, markOpening})
	replaceFile(t, fs, segmentName(0, 0), newer)
	replaceFile(t, fs, segmentName(opening.NextOffset(), 0), []byte(segment[:20]))
	replaceFile(t, fs, segmentName(0, 0)[:20]+"-1.log", newer)
	before := contents(t, fs)
	if _, err := Open(fs, testDir, o); !errors.Is(err, ErrNewer) {
		t.Fatalf("error %v, want ErrNewer", err)
	}
	if after := contents(t, fs); !maps.Equal(before, after) {
		t.Fatalf("files were changed: %v before, %v after", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
	}
}

func TestBadBytesAreKeptAsideOnce(t *testing.T) {
	fs := faultfs.New()
	o := Options{Outputs: []Output{{ID: "a", Lane: "l"}, {ID: "b", Lane: "l"}}}
	s := open(t, fs, o)
	for i := range 5 {
		put(t, s, "l", int64(i+1), fmt.Sprintf("value %d", i))
	}
	shut(t, s)
	at := strings.Index(contents(t, fs)[segmentName(0, 0)], "value 2")
	fs.FlipBit(filepath.Join(testDir, segmentName(0, 0)), int64(at), 3)
	kept := map[string]string{}
	for range 2 {
		s = open(t, fs, o)
		for _, id := range []string{"a", "b"} {
			c := cursor(t, s, id)
			for range 5 { // read, but not acknowledged: the next life reads it again
				if _, _, err := c.poll(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for name, data := range contents(t, fs) {
			if strings.HasPrefix(name, "quarantine") {
				kept[name] = data
			}
		}
		shut(t, s)
	}
	if len(kept) != 1 {
		t.Fatalf("kept aside: %q", kept)
	}
	for name, data := range kept {
		if !strings.Contains(data, "alue 2") {
			t.Fatalf("%s holds %q", name, data)
		}
	}
}

func TestManySourcesSurviveAFailedSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := faultfs.New()
		o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}, TailBytes: 1, SegmentBytes: 64 << 20}
		s := open(t, fs, o)
		var g Group
		for i := range 3000 {
			g.Positions = append(g.Positions, record.Position{Source: fmt.Sprintf("in/%d", i), Offset: int64(i), State: make([]byte, 200), Seen: time.Now()})
		}
		if err := s.Append(t.Context(), &g); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		var failed atomic.Bool
		fs.Inject(func(op faultfs.Op, name string, _ int) *faultfs.Fault {
			if op == faultfs.OpSync && strings.HasSuffix(name, ".log") && failed.CompareAndSwap(false, true) {
				return &faultfs.Fault{Err: syscall.EIO, Forget: true}
			}
			return nil
		})
		put(t, s, "l", 1, "a")
		put(t, s, "l", 2, "b")
		time.Sleep(5 * time.Second)
		if !failed.Load() {
			t.Fatal("no sync failed")
		}
		put(t, s, "l", 3, "c")
		s.stop()
		s.workers.Wait()
		s = open(t, fs, o)
		if n := len(s.Resume("in/")); n != 3001 {
			t.Fatalf("%d positions", n)
		}
		wantValues(t, take(t, cursor(t, s, "o")), "a", "b", "c")
		shut(t, s)
		balanced(t, fs)
	})
}

func TestAFullDiskDoesNotStopTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, boot := range []string{"boot", "next"} {
			fs := faultfs.New()
			o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}}
			s := open(t, fs, o)
			put(t, s, "l", 1, "a", "b")
			shut(t, s)
			var full atomic.Bool
			full.Store(true)
			fs.Inject(func(op faultfs.Op, name string, _ int) *faultfs.Fault {
				if full.Load() && (op == faultfs.OpWrite || op == faultfs.OpCreate) {
					return &faultfs.Fault{Err: syscall.ENOSPC}
				}
				return nil
			})
			o.BootID = boot
			s = open(t, fs, o)
			wantValues(t, take(t, cursor(t, s, "o")), "a", "b")
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			if err := tryPut(ctx, s, "l", 3, "c"); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("error %v on a full disk", err)
			}
			stop()
			full.Store(false)
			put(t, s, "l", 3, "c")
			wantValues(t, take(t, cursor(t, s, "o")), "c")
			shut(t, s)
			balanced(t, fs)
		}
	})
}

func TestATornLastSegmentFallsBackToTheOneBefore(t *testing.T) {
	for _, torn := range []string{"", "not an opening"} {
		fs := vfs.Memory()
		o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}}
		s := open(t, fs, o)
		put(t, s, "l", 1, "a")
		killed(s)
		name := segmentName(s.next, 0)
		replaceFile(t, fs, name, []byte(torn))
		s = open(t, fs, o)
		put(t, s, "l", 2, "b")
		wantValues(t, take(t, cursor(t, s, "o")), "a", "b")
		aside := contents(t, fs)["quarantine/"+strings.TrimSuffix(name, ".log")+"-0.bad"]
		if aside != torn {
			t.Errorf("kept aside: %q, want %q", aside, torn)
		}
		shut(t, s)
		balanced(t, fs)
	}
}

func TestOpeningReadsTheLastSegmentOnly(t *testing.T) {
	fs := faultfs.New()
	o := Options{SegmentBytes: 1 << 10, Outputs: []Output{{ID: "o", Lane: "l"}}}
	s := open(t, fs, o)
	for i := range 60 {
		put(t, s, "l", int64(i+1), strings.Repeat("x", 100))
	}
	last := s.segments[len(s.segments)-1].name
	for _, boot := range []string{"boot", "next"} {
		killed(s)
		read := map[string]bool{}
		fs.Inject(func(op faultfs.Op, name string, _ int) *faultfs.Fault {
			if op == faultfs.OpRead && strings.HasSuffix(name, ".log") {
				read[name] = true
			}
			return nil
		})
		o.BootID = boot
		s = open(t, fs, o)
		fs.Inject(nil)
		if len(read) != 1 || !read[last] {
			t.Errorf("boot %s: read %v", boot, slices.Sorted(maps.Keys(read)))
		}
	}
	shut(t, s)
}

func TestRollingSyncsTheOldSegmentBeforeTheNewOneIsThere(t *testing.T) {
	fs := faultfs.New()
	o := Options{SegmentBytes: 1 << 10, Sync: Sync{Every: time.Hour}, Outputs: []Output{{ID: "o", Lane: "l"}}}
	s := open(t, fs, o)
	var ops []string
	fs.Inject(func(op faultfs.Op, name string, _ int) *faultfs.Fault {
		switch {
		case strings.HasSuffix(name, ".log") && op != faultfs.OpRead:
			ops = append(ops, op.String()+" "+filepath.Base(name)[18:20])
		case op == faultfs.OpSyncDir && name == testDir:
			ops = append(ops, op.String())
		}
		return nil
	})
	put(t, s, "l", 1, strings.Repeat("x", 4<<10))
	put(t, s, "l", 2, "b")
	fs.Inject(nil)
	if got, want := strings.Join(ops, ", "), "write 00, sync 00, create 03, write 03, sync 03, syncdir, write 03"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	shut(t, s)
}

// TestNamesAreDurableBeforeWhatIsInThemIsSeen: a process was killed between writing what
// could not be synced into a new segment and syncing the folder. With sync: always
// nobody may see of it what a power cut would take.
func TestNamesAreDurableBeforeWhatIsInThemIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := faultfs.New()
		o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}, Sync: Sync{Mode: SyncAlways}}
		s := open(t, fs, o)
		put(t, s, "l", 1, "a")
		time.Sleep(time.Second)
		fs.Inject(func(op faultfs.Op, name string, _ int) *faultfs.Fault {
			if op == faultfs.OpSyncDir || op == faultfs.OpRemove || op == faultfs.OpSync && strings.HasSuffix(name, "0.log") {
				return &faultfs.Fault{Err: syscall.EIO, Forget: true}
			}
			return nil
		})
		put(t, s, "l", 2, "b")
		time.Sleep(time.Second)
		after := fs.Kill()
		s.Stop()
		s.workers.Wait()

		s = open(t, after, o)
		c := cursor(t, s, "o")
		for _, want := range []string{"a", "b"} {
			f, err := c.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !after.Durable(f.Data) {
				t.Errorf("the frame of %q is seen, and a power cut would take it", want)
			}
			if err := c.Ack(f); err != nil {
				t.Fatal(err)
			}
		}
		shut(t, s)
	})
}
