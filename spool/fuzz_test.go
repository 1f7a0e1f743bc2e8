package spool

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/spillway/spillway/spool/vfs"
)

// FuzzRecover opens spools over arbitrary bytes.
func FuzzRecover(f *testing.F) {
	fs := vfs.Memory()
	s, err := Open(fs, testDir, Options{BootID: "boot", Outputs: []Output{{ID: "o", Lane: "l"}}})
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if err := tryPut(context.Background(), s, "l", int64(i), fmt.Sprint(i)); err != nil {
			f.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	contents := func(name string) []byte {
		file, err := fs.Open(filepath.Join(testDir, name))
		if err != nil {
			f.Fatal(err)
		}
		data, err := readAll(file)
		if err != nil {
			f.Fatal(err)
		}
		return data
	}
	segment, journal := contents(segmentName(0, 0)), contents("outputs/"+journalName("o", 1))
	f.Add(segment, journal, []byte{})
	f.Add(segment[:len(segment)-9], journal[:len(journal)-1], segment)
	f.Add([]byte{}, []byte("x"), make([]byte, 300))
	f.Fuzz(func(t *testing.T, first, journal, second []byte) {
		fs := vfs.Memory()
		write := func(name string, data []byte) {
			file, err := fs.Create(filepath.Join(testDir, name))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.Writev([][]byte{data}, 0); err != nil {
				t.Fatal(err)
			}
		}
		write(segmentName(0, 0), first)
		write("outputs/"+journalName("o", 1), journal)
		write(segmentName(1000, 0), second)
		s, err := Open(fs, testDir, Options{BootID: "boot", Outputs: []Output{{ID: "o", Lane: "l"}}})
		if errors.Is(err, ErrNewer) {
			return
		}
		if err != nil {
			t.Fatalf("nothing else stops the start: %v", err)
		}
		c, err := s.Cursor("o")
		if err != nil {
			t.Fatal(err)
		}
		take(t, c)
		if err := tryPut(t.Context(), s, "l", 1, "after"); err != nil {
			t.Fatal(err)
		}
		if got := take(t, c); len(got) != 1 || got[0] != "after" {
			t.Fatalf("got %q, want what was appended", got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
