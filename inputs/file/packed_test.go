package file

import (
	"io"
	"os"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// pack compresses a file and removes it.
func (b *bench) pack(from, to string) {
	b.Helper()
	p, err := os.ReadFile(b.path(from))
	b.must(err)
	f, err := os.Create(b.path(to))
	b.must(err)
	defer f.Close()
	var z io.WriteCloser = gzip.NewWriter(f)
	if to[len(to)-1] == 't' {
		z, err = zstd.NewWriter(f)
		b.must(err)
	}
	_, err = z.Write(p)
	b.must(err)
	b.must(z.Close())
	b.remove(from)
}

func TestChainOfRotationsWithCompressionWhileDown(t *testing.T) {
	for _, c := range []struct{ name, how, packed, added string }{
		{"renamed", "rename", "a.log.2.gz", "2\n"},
		{"copied", "copytruncate", "a.log.2.gz", "2\n"},
		{"zstd", "rename", "a.log-20261120.zst", "2\n"},
		{"without a line end", "rename", "a.log.2.gz", "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.cfg.Exclude = []string{"*.gz", "*.zst"}
			b.write("a.log", "1\n")
			b.once()
			b.write("a.log", c.added)
			if c.how == "rename" {
				b.rename("a.log", "a.log.1")
			} else {
				b.copy("a.log", "a.log.1")
				b.truncate("a.log")
			}
			b.pack("a.log.1", c.packed)
			b.write("a.log", "3\n")
			b.once()
			b.want("1", "2", "3")
			b.once()
			b.want("1", "2", "3")
			if b.lost() != 0 {
				t.Fatalf("%d bytes lost", b.lost())
			}
		})
	}
}

// The rest of the archive is read as the source that the file was, and not
// again after a crash.
func TestPackedRestKeepsItsPlace(t *testing.T) {
	b := newBench(t)
	b.cfg.Exclude = []string{"*.gz"}
	b.write("a.log", "1\n")
	b.once()
	for i := range 10_000 {
		b.write("a.log", string(rune('a'+i%26))+"\n")
	}
	b.rename("a.log", "a.log.1")
	b.pack("a.log.1", "a.log.1.gz")
	b.out.Hold()
	b.start()
	b.await("two batches", func() bool { return b.out.Emitted() >= 2 })
	b.out.Commit(1)
	b.stop()
	b.out.Crash()
	if n := b.out.Count(); n == 0 || n > 9_000 {
		t.Fatalf("%d lines were committed before the crash", n)
	}
	b.once()
	b.out.Await(t, 10_001)
	if n := len(b.sources()); n != 1 {
		t.Fatalf("%d sources, want 1", n)
	}
}

// What does not begin with what was read, or can't be unpacked, is no copy.
func TestOtherArchivesAreNotRead(t *testing.T) {
	b := newBench(t)
	b.cfg.Exclude = []string{"*.gz"}
	b.write("a.log", "1\npartial")
	b.start()
	b.want("1")
	b.stop()
	b.remove("a.log")
	b.write("tmp", "0\npartial and more\n")
	b.pack("tmp", "a.log.1.gz")
	b.write("a.log.2.gz", "junk")
	b.start()
	b.await("the loss", func() bool { return b.lost() == int64(len("partial")) })
	b.want("1")
}
