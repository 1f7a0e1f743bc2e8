package file

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/config"
)

func TestFilesRotateBySizeAndTheNewestAreKept(t *testing.T) {
	for compress, ext := range extensions {
		t.Run(compress, func(t *testing.T) {
			x := newFixture(t)
			x.cfg.Rotate.MaxBytes, x.cfg.Rotate.Keep, x.cfg.Compress = 3*frameBytes, 2, compress
			x.append(14) // 3+3+3+3 frames in rotated files, 2 in the active one
			stop := x.start()
			x.untilAcked()
			want := []string{"out.log", "out.log.000003" + ext, "out.log.000004" + ext}
			x.until("the old ones are put away", func() bool { return slices.Equal(x.names(), want) })
			stop()
			x.want = x.want[6*3:]
			x.verify()
		})
	}
}

func TestFrameLargerThanAFileIsAFileOfItsOwn(t *testing.T) {
	x := newFixture(t)
	x.cfg.Rotate.MaxBytes = frameBytes / 2
	x.append(3)
	x.deliver()
	x.verify()
	if names := x.names(); len(names) != 3 {
		t.Errorf("files: %v, wanted three", names)
	}
}

func TestFileRotatesByAgeWithoutNewRecordsAndNotWhenEmpty(t *testing.T) {
	x := newFixture(t)
	x.cfg.Rotate.MaxAge = 300 * time.Millisecond
	x.append(1)
	stop := x.start()
	x.until("it is rotated", func() bool { return len(x.names()) == 2 })
	time.Sleep(600 * time.Millisecond)
	stop()
	if names := x.names(); !slices.Equal(names, []string{"out.log", "out.log.000001"}) {
		t.Errorf("files: %v", names)
	}
	x.verify()
}

func TestNumbersGoOnAfterTheHighest(t *testing.T) {
	x := newFixture(t)
	x.cfg.Rotate.MaxBytes = frameBytes
	if err := os.WriteFile(rotatedName(x.path(), 41)+".gz", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x.append(2)
	x.deliver()
	want := []string{"out.log", "out.log.000041.gz", "out.log.000042"}
	if names := x.names(); !slices.Equal(names, want) {
		t.Errorf("files: %v, wanted %v", names, want)
	}
}

func TestTakenNameIsNotReplaced(t *testing.T) {
	x := newFixture(t)
	x.cfg.Rotate.MaxBytes = frameBytes
	x.append(1)
	stop := x.start()
	x.untilAcked()
	if err := os.WriteFile(rotatedName(x.path(), 1), []byte("somebody's\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	x.append(1)
	x.untilAcked()
	stop()
	if got := string(x.content(rotatedName(x.path(), 1))); got != "somebody's\n" {
		t.Errorf("the file that was there holds %q", got)
	}
	x.want = slices.Insert(x.want, 0, "somebody's")
	x.verify()
	x.append(1)
	x.deliver()
	x.verify()
}

func TestLinkIsFollowed(t *testing.T) {
	x := newFixture(t)
	x.cfg.Rotate.MaxBytes = frameBytes
	target := filepath.Join(t.TempDir(), "real.log")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, x.path()); err != nil {
		t.Fatal(err)
	}
	x.append(2)
	x.deliver()
	if got := len(x.content(rotatedName(target, 1))); got != frameBytes {
		t.Errorf("%d bytes in the rotated file beside the target, wanted %d", got, frameBytes)
	}
	if names := x.names(); !slices.Equal(names, []string{"out.log"}) {
		t.Errorf("beside the link: %v", names)
	}
}

// TestLinksStandForTheSameFileFromTheFirstStartOn has the output make the file: what
// the path leads to can be told only when it is there.
func TestLinksStandForTheSameFileFromTheFirstStartOn(t *testing.T) {
	for name, link := range map[string]func(x *fixture, real string) error{
		"Folder": func(x *fixture, real string) error {
			link := filepath.Join(t.TempDir(), "link")
			x.cfg.Path = config.Path(filepath.Join(link, "out.log"))
			return os.Symlink(real, link)
		},
		"Dangling": func(x *fixture, real string) error { return os.Symlink(filepath.Join(real, "out.log"), x.path()) },
	} {
		t.Run(name, func(t *testing.T) {
			x, real := newFixture(t), t.TempDir()
			x.cfg.Rotate.MaxBytes = 2 * frameBytes
			if err := link(x, real); err != nil {
				t.Fatal(err)
			}
			x.append(5)
			if !x.kill("written", 1) {
				t.Fatal("not killed")
			}
			x.deliver()
			x.cfg.Path = config.Path(filepath.Join(real, "out.log"))
			x.verify()
		})
	}
}

func TestOnlyNamesThatRotationGivesAreTaken(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	for _, name := range []string{
		"a.log", "a.log.000007", "a.log.000007.gz", "a.log.1000000.zst", "a.log.000009.gz.tmp", // ours
		"a.log.7", "a.log.00007", "a.log.000007.bz2", "a.log.000007.tmp", "a.log.+00007", "a.log.", "b.log.000007", "a.logx.000007",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := rotatedFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, fmt.Sprint(filepath.Base(f.name), " ", f.seq, " ", f.ext, " ", f.temp))
	}
	want := []string{
		"a.log.000007 7  false", "a.log.000007.gz 7 .gz false", "a.log.000009.gz.tmp 9 .gz true", "a.log.1000000.zst 1000000 .zst false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, wanted %q", got, want)
	}
}

func FuzzNote(f *testing.F) {
	f.Add((&note{1, 2, 3, 4, 5}).append(nil))
	f.Add([]byte{})
	f.Add(make([]byte, noteBytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := parseNote(b)
		if !ok {
			return
		}
		if again := n.append(nil); !slices.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
		if n.before < 0 || n.after < n.before {
			t.Errorf("taken: %+v", n)
		}
	})
}
