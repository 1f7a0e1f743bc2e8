package file

import (
	"os"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/config"
)

func TestLinksAreReadOnce(t *testing.T) {
	b := newBench(t)
	b.must(os.Mkdir(b.path("target"), 0o700))
	b.write("target/real", "1\n")
	b.must(os.Symlink("target/real", b.path("a.log")))
	b.must(os.Symlink("target/real", b.path("b.log")))
	b.must(os.Link(b.path("target/real"), b.path("c.log")))
	b.start()
	b.want("1")
	b.write("target/real", "2\n")
	b.want("1", "2")
	b.remove("a.log")
	b.write("b.log", "3\n")
	b.want("1", "2", "3")
	if n := len(b.sources()); n != 1 {
		t.Fatalf("%d sources, want 1", n)
	}
}

func TestLinkTargetsAreWatched(t *testing.T) {
	b := newBench(t)
	b.cfg.ScanInterval = time.Hour
	b.must(os.Mkdir(b.path("target"), 0o700))
	b.write("target/real", "1\n")
	b.must(os.Symlink("target/real", b.path("a.log")))
	b.start()
	b.want("1")
	b.write("target/real", "2\n")
	b.want("1", "2")
}

// A rotation behind a link: the folder to search is that of the target.
func TestTargetOfALinkRotatesWhileDown(t *testing.T) {
	for _, how := range []string{"rename", "copytruncate"} {
		t.Run(how, func(t *testing.T) {
			b := newBench(t)
			b.must(os.Mkdir(b.path("target"), 0o700))
			b.must(os.Symlink("target/0.log", b.path("a.log")))
			b.write("target/0.log", "1\n")
			b.start()
			b.want("1")
			b.stop()
			b.write("target/0.log", "2\n")
			if how == "rename" {
				b.rename("target/0.log", "target/0.log.1")
			} else {
				b.copy("target/0.log", "target/0.log.1")
				b.truncate("target/0.log")
			}
			b.write("target/0.log", "3\n")
			b.start()
			b.want("1", "2", "3")
		})
	}
}

func TestTargetOfALinkRotatesWhileClosed(t *testing.T) {
	b := newBench(t)
	b.cfg.CloseAfter = time.Millisecond
	b.must(os.Mkdir(b.path("target"), 0o700))
	b.must(os.Symlink("target/0.log", b.path("a.log")))
	b.write("target/0.log", "1\n")
	b.start()
	b.want("1")
	b.awaitMetric("open_files", 0)
	b.write("target/0.log", "2\n")
	b.rename("target/0.log", "target/0.log.1")
	b.write("target/0.log", "3\n")
	b.want("1", "2", "3")
}

func TestLinkThatIsTurnedToAnotherFile(t *testing.T) {
	b := newBench(t)
	b.must(os.Mkdir(b.path("days"), 0o700))
	b.write("days/mon", "1\n")
	b.must(os.Symlink("days/mon", b.path("a.log")))
	b.start()
	b.want("1")
	b.write("days/mon", "2\n")
	b.write("days/tue", "3\n")
	b.must(os.Symlink("days/tue", b.path("tmp")))
	b.rename("tmp", "a.log")
	b.want("1", "2", "3")
	b.write("days/mon", "4\n")
	b.write("days/tue", "5\n")
	b.want("1", "2", "3", "4", "5")
}

func TestFolderBehindADanglingLinkAppears(t *testing.T) {
	b, other := newBench(t), newBench(t)
	b.cfg.Paths[0] = config.Path(b.path("*/*.log"))
	b.must(os.Symlink(other.path("later"), b.path("current")))
	past := time.Now().Add(-time.Hour)
	b.must(os.Chtimes(b.dir, past, past)) // nothing that comes or goes there is awaited
	b.start()
	b.said("names none", 1)
	b.must(os.Mkdir(other.path("later"), 0o700))
	other.write("later/a.log", "1\n")
	b.want("1")
}
