package file

import (
	"compress/gzip"
	"os"
	"testing"
)

func TestChainOfRotationsWithCompressionWhileDown(t *testing.T) {
	for _, how := range []string{"rename", "copytruncate"} {
		t.Run(how, func(t *testing.T) {
			b := newBench(t)
			b.cfg.Exclude = []string{"*.gz"}
			b.write("a.log", "1\n")
			b.once()
			b.write("a.log", "2\n")
			if how == "rename" {
				b.rename("a.log", "a.log.1")
			} else {
				b.copy("a.log", "a.log.1")
				b.truncate("a.log")
			}
			b.gzip("a.log.1", "a.log.2.gz")
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

func (b *bench) gzip(from, to string) {
	b.Helper()
	p, err := os.ReadFile(b.path(from))
	b.must(err)
	f, err := os.Create(b.path(to))
	b.must(err)
	z := gzip.NewWriter(f)
	_, err = z.Write(p)
	b.must(err)
	b.must(z.Close())
	b.must(f.Close())
	b.remove(from)
}
