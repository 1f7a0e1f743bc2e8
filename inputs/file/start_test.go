package file

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway/spillway/internal/config"
)

func TestStartAtEnd(t *testing.T) {
	b := newBench(t)
	b.cfg.StartAt = "end"
	b.write("a.log", "1\n2\n")
	b.write("b.log", "1\npart")
	b.start()
	b.await("both positions", func() bool { return len(b.out.Resume()) == 3 })
	b.write("b.log", "ial\nb\n")
	b.want("b")
	b.stop()
	b.write("a.log", "3\n") // the position was committed although no line had been read
	b.start()
	b.want("b", "3")
}

// At the very first start there may be nothing to read, or nothing in it yet:
// the second start is not the first all the same.
func TestTheFirstStartIsThatEvenWithoutFiles(t *testing.T) {
	for _, empty := range []bool{false, true} {
		b := newBench(t)
		b.cfg.StartAt = "end"
		if empty {
			b.write("a.log", "")
		}
		b.start()
		b.scanned()
		b.stop()
		b.write("a.log", "1\n")
		b.start()
		b.want("1")
		b.stop()
	}
}

func TestIgnoreOlder(t *testing.T) {
	b := newBench(t)
	b.cfg.IgnoreOlder = time.Hour
	b.write("old.log", "1\n")
	b.write("new.log", "2\n")
	past := time.Now().Add(-2 * time.Hour)
	b.must(os.Chtimes(b.path("old.log"), past, past))
	b.start()
	b.want("2")
	b.write("old.log", "3\n")
	b.want("2", "3")
}

// A file is known from when it was seen, not from its first line on.
func TestFileWithoutALineIsKnown(t *testing.T) {
	for _, text := range []string{"", "par"} {
		b := newBench(t)
		b.cfg.Paths[0] = config.Path(b.path("*.log"))
		b.write("a.log", text)
		b.start()
		b.scanned()
		b.await("a position", func() bool { return len(b.out.Resume()) == 1 })
		b.stop()
		b.write("a.log", "1\n")
		b.rename("a.log", "a.log.1")
		b.start()
		b.want(text + "1")
		b.stop()
	}
}

// In the bubble days pass at once; notifications, which come from outside, are off.
func TestIdleFilesAreNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.cfg.Watch, b.cfg.ScanInterval = "poll", time.Minute
		b.write("a.log", "1\n")
		b.start()
		for range 3 {
			time.Sleep(24 * time.Hour)
			if seen := b.out.Resume()[0].Seen; time.Since(seen) > renewAfter+2*time.Minute {
				t.Fatalf("last seen %v ago", time.Since(seen))
			}
		}
		b.stop()
		time.Sleep(48 * time.Hour)
		b.start()
		time.Sleep(2 * time.Minute)
		if seen := b.out.Resume()[0].Seen; time.Since(seen) > 3*time.Minute {
			t.Fatalf("last seen %v ago after a restart", time.Since(seen))
		}
		if n := b.out.Emitted(); n > 20 {
			t.Fatalf("%d batches for an idle file", n)
		}
		b.stop()
	})
}

// A file that has gone is known for seven days, here and in the spool, which goes
// by when it was last seen.
func TestVanishedFilesAreForgottenAfterAWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.cfg.Watch, b.cfg.ScanInterval = "poll", time.Minute
		b.write("a.log", "1\n")
		b.start()
		b.want("1")
		want := []string{"1"}
		for _, days := range []int{6, 8} {
			b.rename("a.log", "aside")
			time.Sleep(time.Duration(days) * 24 * time.Hour)
			if seen := b.out.Resume()[0].Seen; time.Since(seen) < time.Duration(days)*24*time.Hour-10*time.Minute {
				t.Fatalf("seen %v ago", time.Since(seen))
			}
			b.rename("aside", "a.log")
			time.Sleep(2 * time.Minute)
			if days > 7 {
				want = append(want, "1")
			}
			b.want(want...)
		}
		b.stop()
	})
}
