package file

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spillway/spillway/internal/config"
)

// points are all that a frame and a rotation pass.
var points = []string{"stage", "staged", "torn", "written", "synced", "acked", "rotate", "renamed", "created"}

type killed struct{}

// kill runs the output until it comes to a point for the n-th time, and leaves
// everything as it is then.
func (x *fixture) kill(point string, n int) (hit bool) {
	x.Helper()
	out, in := x.output(), x.log.Open()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out.at = func(p string) {
		if x.meanwhile != nil {
			x.meanwhile(p)
		}
		if p != point {
			return
		}
		if n--; n == 0 {
			x.log.Open() // nothing is journalled from here on
			panic(killed{})
		}
	}
	defer func() {
		if p := recover(); p != nil && p != (killed{}) {
			panic(p)
		}
		hit = n == 0
	}()
	// Without a kill it ends at the end of the spool.
	x.log.Close()
	out.Run(ctx, in)
	return false
}

func TestKillAtAnyPointLosesAndDoublesNothing(t *testing.T) {
	for _, point := range points {
		for _, n := range []int{1, 2, 3, 7} {
			for _, always := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/always=%t", point, n, always), func(t *testing.T) {
					x := newFixture(t)
					x.syncAlways = always
					x.cfg.Rotate.MaxBytes = 2*frameBytes + 5
					x.append(20)
					if !x.kill(point, n) {
						t.Fatalf("never came to %s %d times", point, n)
					}
					x.append(3)
					x.deliver()
					x.verify()
				})
			}
		}
	}
}

func TestSecondKillAtAnyPointLosesAndDoublesNothing(t *testing.T) {
	for _, first := range points {
		for _, second := range points {
			t.Run(first+"/"+second, func(t *testing.T) {
				x := newFixture(t)
				x.cfg.Rotate.MaxBytes = 3*frameBytes + 5
				x.append(20)
				if !x.kill(first, 3) || !x.kill(second, 2) {
					t.Fatal("a point was not reached")
				}
				x.append(3)
				x.deliver()
				x.verify()
			})
		}
	}
}

func TestKilledCompressionIsFinished(t *testing.T) {
	for _, c := range []struct {
		name  string
		leave func(x *fixture, name string)
	}{
		{"before it began", func(*fixture, string) {}},
		{"in the middle", func(x *fixture, name string) {
			if err := os.WriteFile(name+".gz"+tempSuffix, []byte("half"), 0o600); err != nil {
				x.Fatal(err)
			}
		}},
		{"before the plain file was removed", func(x *fixture, name string) {
			plain := x.content(name)
			a := &archive{ext: ".gz"}
			if err := a.compress(x.Context(), name); err != nil {
				x.Fatal(err)
			}
			if err := os.WriteFile(name, plain, 0o600); err != nil {
				x.Fatal(err)
			}
		}},
		{"after another codec was configured", func(x *fixture, name string) {
			if err := os.WriteFile(name+".zst"+tempSuffix, []byte("half"), 0o600); err != nil {
				x.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newFixture(t)
			x.cfg.Rotate.MaxBytes = 2*frameBytes + 5
			x.append(6) // two rotated files and the active one
			x.deliver()
			c.leave(x, rotatedName(x.path(), 1))
			x.cfg.Compress = "gzip"
			stop := x.start()
			want := []string{"out.log", "out.log.000001.gz", "out.log.000002.gz"}
			x.until("the folder is tidy", func() bool { return slices.Equal(x.names(), want) })
			stop()
			x.verify()
		})
	}
}

func TestOlderJournalAfterAPowerCutCutsTheRotatedFileToo(t *testing.T) {
	x := newFixture(t)
	x.cfg.Rotate.MaxBytes = 4*frameBytes + 5
	x.append(6) // four frames in the rotated file, two in the active one
	x.deliver()
	x.log.ForgetSince(6) // the journal knows of two frames
	x.append(1)
	x.deliver()
	x.verify()
}

func TestShortFileIsFilledFromTheSpool(t *testing.T) {
	for _, size := range []int64{10*frameBytes - 1, 9 * frameBytes, 5*frameBytes + 7, 7, 0} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			x := newFixture(t)
			x.said = new(bytes.Buffer)
			x.append(10)
			x.deliver()
			if err := os.Truncate(x.path(), size); err != nil {
				t.Fatal(err)
			}
			x.append(1)
			x.deliver()
			x.verify()
			said := x.said.String()
			if !strings.Contains(said, fmt.Sprint("missing_bytes=", 10*frameBytes-size)) || !strings.Contains(said, "lost_bytes=0") {
				t.Errorf("said: %s", said)
			}
		})
	}
}

func TestShortFileWhoseRecordsAreGoneIsGoneOnWith(t *testing.T) {
	x := newFixture(t)
	x.said = new(bytes.Buffer)
	x.append(10)
	x.deliver()
	x.log.Trim(24) // the first eight frames
	if err := os.Truncate(x.path(), 5*frameBytes); err != nil {
		t.Fatal(err)
	}
	x.append(1)
	x.deliver()
	x.want = slices.Delete(x.want, 15, 24)
	x.verify()
	if said := x.said.String(); !strings.Contains(said, fmt.Sprint("lost_bytes=", 3*frameBytes)) {
		t.Errorf("said: %s", said)
	}
}

func TestForeignBytesAfterTheAcknowledgedOnesAreCut(t *testing.T) {
	x := newFixture(t)
	x.append(3)
	x.deliver()
	f, err := os.OpenFile(x.path(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("what a lost journal entry would have spoken of\n")
	f.Close()
	x.append(1)
	x.deliver()
	x.verify()
}

func TestFileThatWasThereBeforeIsKept(t *testing.T) {
	x := newFixture(t)
	if err := os.WriteFile(x.path(), []byte("from before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	x.append(5)
	x.want = slices.Insert(x.want, 0, "from before")
	if !x.kill("torn", 1) {
		t.Fatal("not killed")
	}
	x.deliver()
	x.verify()
}

func TestOtherPathBeginsAtItsOwnEnd(t *testing.T) {
	x := newFixture(t)
	x.append(2)
	if !x.kill("written", 2) {
		t.Fatal("not killed")
	}
	x.cfg.Path += ".other"
	if err := os.WriteFile(x.path(), []byte("from before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	x.deliver()
	x.want = append([]string{"from before"}, x.want...)
	x.verify()
}

func TestMovedWhileDownBeginsANewFile(t *testing.T) {
	x := newFixture(t)
	x.append(2)
	x.deliver()
	if err := os.Rename(x.path(), x.path()+".old"); err != nil {
		t.Fatal(err)
	}
	first := x.want
	x.want = nil
	x.append(2)
	x.want = []string{"line 00000", "line 00001", "line 00002", "line 00003", "line 00004", "line 00005"}
	x.deliver()
	x.verify()
	x.cfg.Path = config.Path(x.path() + ".old")
	x.want = first
	x.verify()
}

func TestKillInTheFirstFrameAfterAMoveByOthersIsCut(t *testing.T) {
	x := newFixture(t)
	x.syncAlways = true
	x.append(3)
	x.meanwhile = func(point string) {
		// The first sync looks where the file is.
		if point == "synced" && x.log.Frontier() == 0 {
			if err := os.Rename(x.path(), rotatedName(x.path(), 1)+".elsewhere"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !x.kill("torn", 2) {
		t.Fatal("not killed")
	}
	x.deliver()
	x.want = x.want[3:]
	x.verify()
}
