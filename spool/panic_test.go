package spool

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway/spillway/spool/vfs"
)

// panicky is a file system that panics, while it is armed, at one operation on files
// with this in their names.
type panicky struct {
	vfs.FS
	op, part string
	armed    atomic.Bool
}

func (f *panicky) hit(op, name string) {
	if f.armed.Load() && op == f.op && strings.Contains(name, f.part) {
		panic(fmt.Sprintf("at %s of %s", op, name))
	}
}

func (f *panicky) Create(name string) (vfs.File, error) {
	f.hit("create", name)
	file, err := f.FS.Create(name)
	return panickyFile{file, f, name}, err
}

func (f *panicky) Open(name string) (vfs.File, error) {
	file, err := f.FS.Open(name)
	return panickyFile{file, f, name}, err
}

type panickyFile struct {
	vfs.File
	fs   *panicky
	name string
}

func (f panickyFile) Writev(bufs [][]byte, off int64) (int, error) {
	f.fs.hit("write", f.name)
	return f.File.Writev(bufs, off)
}

func (f panickyFile) Sync() error {
	f.fs.hit("sync", f.name)
	return f.File.Sync()
}

// TestAPanicWithinAnAppendLeavesWhatAKillLeaves: the appender's owner contains the
// panic, and the spool can be closed and opened again.
func TestAPanicWithinAnAppendLeavesWhatAKillLeaves(t *testing.T) {
	for _, op := range []string{"write", "create"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { panicsWithinAppend(t, op) })
		})
	}
}

func panicsWithinAppend(t *testing.T, op string) {
	fs := &panicky{FS: vfs.Memory(), op: op, part: ".log"}
	o := Options{SegmentBytes: 1 << 10, Outputs: []Output{{ID: "o", Lane: "l"}}}
	s := open(t, fs, o)
	put(t, s, "l", 1, "a")
	fs.armed.Store(true)
	appended := int64(1)
	func() {
		defer func() {
			if recover() == nil {
				t.Fatal("the panic did not come through")
			}
		}()
		for ; ; appended++ {
			put(t, s, "l", appended+1, "b")
		}
	}()
	fs.armed.Store(false)
	if err := tryPut(t.Context(), s, "l", 99, "lost"); err != ErrClosed {
		t.Errorf("an append after the panic: %v", err)
	}
	s.Stop()
	shut(t, s)
	s = open(t, fs, o)
	if got := s.Resume("in/a"); len(got) != 1 || got[0].Offset != appended {
		t.Errorf("positions %+v, want offset %d", got, appended)
	}
	if got := take(t, cursor(t, s, "o")); int64(len(got)) != appended {
		t.Errorf("%d records of %d", len(got), appended)
	}
	shut(t, s)
	balanced(t, fs)
}

func TestAPanicOfTheSpoolsOwnIsHandedToItsOwner(t *testing.T) {
	for name, at := range map[string][2]string{
		"syncer":       {"sync", ".log"},
		"keeper":       {"create", "ballast"},
		"checkpointer": {"create", "checkpoints"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs, o := &panicky{FS: vfs.Memory(), op: at[0], part: at[1]}, Options{Outputs: []Output{{ID: "o", Lane: "l"}}}
				if name == "checkpointer" {
					o.Checkpoints, o.Sync.Mode = fs, SyncNever
				}
				told := make(chan any, 1)
				o.Panicked = func(p any) { told <- p }
				s := open(t, fs, o)
				fs.armed.Store(true)
				put(t, s, "l", 1, "a")
				take(t, cursor(t, s, "o"))
				select {
				case p := <-told:
					if !strings.HasPrefix(fmt.Sprint(p), "at "+at[0]) {
						t.Errorf("told of %v", p)
					}
				case <-time.After(time.Minute):
					t.Error("nobody was told")
				}
				if err := tryPut(t.Context(), s, "l", 2, "b"); err != ErrClosed {
					t.Errorf("an append after the panic: %v", err)
				}
				fs.armed.Store(false)
				shut(t, s)
			})
		})
	}
}
