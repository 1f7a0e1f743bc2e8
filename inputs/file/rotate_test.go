package file

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/config"
)

func TestRenamedFileIsReadToItsEnd(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "1\n2\n")
	b.start()
	b.want("1", "2")
	writer, err := os.OpenFile(b.path("a.log"), os.O_APPEND|os.O_WRONLY, 0)
	b.must(err)
	defer writer.Close()
	b.rename("a.log", "a.log.1")
	b.write("a.log", "4\n")
	writer.WriteString("3\n")
	b.want("1", "2", "3", "4")
	writer.WriteString("5\n")
	b.want("1", "2", "3", "4", "5")
	if n := len(b.sources()); n != 2 {
		t.Fatalf("%d sources, want 2: the rotated file keeps its own", n)
	}
}

func TestFileRenamedOutOfTheGlobIsReadToItsEnd(t *testing.T) {
	for _, closed := range []bool{false, true} {
		b := newBench(t)
		b.cfg.Paths[0] = b.cfg.Paths[0][:len(b.cfg.Paths[0])-1] // *.log
		if closed {
			b.cfg.CloseAfter = time.Millisecond
		}
		b.write("a.log", "1\n")
		b.start()
		b.want("1")
		b.write("a.log", "2\n")
		b.rename("a.log", "a.log.1")
		b.write("a.log", "3\n")
		b.want("1", "2", "3")
		b.stop()
	}
}

func TestFileRotatedWhileDownIsReadToItsEnd(t *testing.T) {
	for _, inGlob := range []bool{true, false} {
		b := newBench(t)
		if !inGlob {
			b.cfg.Paths[0] = b.cfg.Paths[0][:len(b.cfg.Paths[0])-1]
		}
		b.write("a.log", "1\n")
		b.start()
		b.want("1")
		b.stop()
		b.write("a.log", "2\n")
		b.rename("a.log", "a.log.1")
		b.write("a.log", "3\n")
		b.start()
		b.want("1", "2", "3")
		b.stop()
		if n := len(b.sources()); n != 2 {
			t.Fatalf("%d sources, want 2", n)
		}
	}
}

func TestChainOfRotationsWhileDown(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "1\n")
	b.once()
	b.write("a.log", "2\n")
	b.rename("a.log", "a.log.1")
	b.write("a.log", "3\n")
	b.rename("a.log.1", "a.log.2")
	b.rename("a.log", "a.log.1")
	b.write("a.log", "4\n")
	b.once()
	b.want("1", "2", "3", "4")
	b.once()
	b.want("1", "2", "3", "4")
}

func TestRenameAcrossFolders(t *testing.T) {
	for _, down := range []bool{false, true} {
		b := newBench(t)
		b.cfg.Paths[0] = config.Path(b.path("*/*.log"))
		b.must(os.Mkdir(b.path("x"), 0o700))
		b.must(os.Mkdir(b.path("y"), 0o700))
		b.write("x/a.log", "1\n")
		b.start()
		b.want("1")
		if down {
			b.stop()
		}
		b.write("x/a.log", "2\n")
		b.rename("x/a.log", "y/b.log")
		b.write("y/b.log", "3\n")
		if down {
			b.start()
		}
		b.want("1", "2", "3")
		if n := len(b.sources()); n != 1 {
			t.Fatalf("%d sources", n)
		}
		b.stop()
	}
}

func TestFolderIsReplacedByAnother(t *testing.T) {
	for _, watch := range []string{"auto", "poll"} {
		b := newBench(t)
		b.cfg.Watch = watch
		b.cfg.Paths[0] = config.Path(b.path("app/*.log"))
		b.must(os.Mkdir(b.path("app"), 0o700))
		b.write("app/a.log", "1\n")
		b.start()
		b.want("1")
		b.write("app/a.log", "2\n")
		b.rename("app", "old")
		b.must(os.Mkdir(b.path("app"), 0o700))
		b.write("app/a.log", "3\n")
		b.write("old/a.log", "4\n")
		b.want("1", "2", "3", "4")
		b.write("app/a.log", "5\n")
		b.write("app/b.log", "6\n")
		b.want("1", "2", "3", "4", "5", "6")
		b.stop()
	}
}

// The open one is replaced too: max_open_files closes it first.
func TestFileIsReplacedWhileClosed(t *testing.T) {
	for _, how := range []string{"rename", "unlink"} {
		b := newBench(t)
		b.cfg.CloseAfter = time.Millisecond
		b.write("a.log", "1\n2\n")
		b.start()
		b.want("1", "2")
		b.awaitMetric("open_files", 0)
		if how == "rename" {
			b.write("tmp", "1\n2\n3\n")
			b.rename("tmp", "a.log")
		} else {
			b.remove("a.log")
			b.write("a.log", "1\n2\n3\n")
		}
		b.want("1", "2", "1", "2", "3")
		if n := len(b.sources()); n != 2 {
			t.Fatalf("%s: %d sources", how, n)
		}
		b.stop()
	}
}

func TestFinishedFileThatComesBackIsNotReadAgain(t *testing.T) {
	b := newBench(t)
	b.cfg.CloseAfter = 20 * time.Millisecond
	b.write("a.log", "1\n2\n")
	b.start()
	b.want("1", "2")
	b.rename("a.log", "aside")
	b.awaitMetric("files", 0)
	b.rename("aside", "a.log")
	b.write("a.log", "3\n")
	b.want("1", "2", "3")
}

func TestDeletedFileIsReadToItsEndAndForgotten(t *testing.T) {
	b := newBench(t)
	b.cfg.CloseAfter = 3 * time.Second // it is deleted while it is open
	b.write("a.log", "1\n")
	b.start()
	b.want("1")
	f, err := os.OpenFile(b.path("a.log"), os.O_APPEND|os.O_WRONLY, 0)
	b.must(err)
	b.remove("a.log")
	f.WriteString("2\nrest")
	b.want("1", "2", "rest")
	f.Close()
	b.write("a.log", "1\n") // perhaps with the same inode number
	b.want("1", "2", "rest", "1")
	if n := len(b.sources()); n != 2 {
		t.Fatalf("%d sources, want 2", n)
	}
}

func TestRecreatedWithTheSameInode(t *testing.T) {
	for range 20 {
		b := newBench(t)
		b.write("a.log", "1\n2\n")
		b.once()
		b.remove("a.log")
		b.write("a.log", "1\n2\n3\n")
		b.once()
		b.want("1", "2", "1", "2", "3")
	}
}

func TestRotationDuringBackpressureLosesNothing(t *testing.T) {
	b := newBench(t)
	b.write("a.log", strings.Repeat("x\n", 20_000))
	unblock := b.out.Block()
	b.start()
	for i := range 5 { // each file lives for a few scans only
		b.scanned()
		b.rename("a.log", "a.log.1")
		b.write("a.log", strings.Repeat(string(rune('a'+i))+"\n", 1000))
	}
	b.scanned()
	unblock()
	b.out.Await(t, 25_000)
	if b.lost() != 0 {
		t.Fatalf("%d bytes counted as lost", b.lost())
	}
}
