package testkit

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// AppendLine appends line n of a source: its name, its number, and padding that
// follows from the number, so that every byte of it can be checked.
func AppendLine(dst []byte, source string, n int) []byte {
	return fmt.Appendf(dst, "%s %d %s\n", source, n, padding(n))
}

func padding(n int) string { return strings.Repeat("x", n%120) }

// WriteLines appends the lines from to to-1 of a source to a file.
func WriteLines(t testing.TB, path, source string, from, to int) {
	t.Helper()
	var text []byte
	for n := from; n < to; n++ {
		text = AppendLine(text, source, n)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Source writes a live log Dir/NAME.log and rotates it by renaming. Rotated files
// are deleted once every line in them has arrived.
type Source struct {
	Name string // a word
	Dir  string
	// FileLines is how many lines a file gets.
	FileLines int
	// Burst lines are written each Pause.
	Burst int
	Pause time.Duration

	written   int
	files     int
	rotated   []rotatedFile
	delivered atomic.Int64
	deleted   int
}

type rotatedFile struct {
	path string
	end  int // the number of the first line after it
}

// Written is how many lines there are, once Run has returned.
func (s *Source) Written() int { return s.written }

// Deleted is how many rotated files were deleted, once Run has returned.
func (s *Source) Deleted() int { return s.deleted }

// Delivered tells the source, while it runs, that all lines below n have arrived.
func (s *Source) Delivered(n int) { s.delivered.Store(int64(n)) }

// Run writes until ctx is done. Every third burst or so ends in the middle of a
// line, which the next one completes.
func (s *Source) Run(ctx context.Context) error {
	f, err := s.open()
	if err != nil {
		return err
	}
	var rest []byte
	for inFile := 0; ctx.Err() == nil; time.Sleep(s.Pause) {
		text := bytes.Clone(rest)
		for range s.Burst {
			text = AppendLine(text, s.Name, s.written)
			s.written++
			inFile++
		}
		cut := len(text)
		if s.written%3 == 0 && inFile < s.FileLines {
			cut -= 7
		}
		if _, err := f.Write(text[:cut]); err != nil {
			return err
		}
		rest = text[cut:]
		if inFile >= s.FileLines {
			inFile = 0
			if f, err = s.rotate(f); err != nil {
				return err
			}
		}
	}
	if _, err := f.Write(rest); err != nil {
		return err
	}
	return f.Close()
}

func (s *Source) rotate(f *os.File) (*os.File, error) {
	if err := f.Close(); err != nil {
		return nil, err
	}
	s.files++
	old := rotatedFile{fmt.Sprintf("%s.%d", s.path(), s.files), s.written}
	if err := os.Rename(s.path(), old.path); err != nil {
		return nil, err
	}
	s.rotated = append(s.rotated, old)
	for len(s.rotated) > 0 && int64(s.rotated[0].end) <= s.delivered.Load() {
		if err := os.Remove(s.rotated[0].path); err != nil {
			return nil, err
		}
		s.rotated = s.rotated[1:]
		s.deleted++
	}
	return s.open()
}

func (s *Source) path() string { return filepath.Join(s.Dir, s.Name+".log") }

func (s *Source) open() (*os.File, error) {
	return os.OpenFile(s.path(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}
