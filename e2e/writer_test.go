package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// source writes a log of numbered lines, and rotates it by renaming.
type source struct {
	name string
	dir  string
	// rotate is how many lines a file gets.
	rotate int
	// written is how many lines there are; read it once run has returned.
	written int
	files   int
}

// run writes bursts of lines until ctx is done. Some bursts end in the middle of
// a line, which the next one completes.
func (s *source) run(ctx context.Context, perBurst int, pause time.Duration) error {
	f, err := s.open()
	if err != nil {
		return err
	}
	var rest []byte
	for inFile := 0; ctx.Err() == nil; time.Sleep(pause) {
		var b bytes.Buffer
		b.Write(rest)
		for range perBurst {
			fmt.Fprintf(&b, "%s %d %s\n", s.name, s.written, strings.Repeat("x", s.written%120))
			s.written++
			inFile++
		}
		data := b.Bytes()
		cut := len(data)
		if s.written%3 == 0 && inFile < s.rotate {
			cut -= 7
		}
		if _, err := f.Write(data[:cut]); err != nil {
			return err
		}
		rest = bytes.Clone(data[cut:])
		if inFile >= s.rotate {
			if err := f.Close(); err != nil {
				return err
			}
			s.files++
			if err := os.Rename(s.path(), fmt.Sprintf("%s.%d", s.path(), s.files)); err != nil {
				return err
			}
			if f, err = s.open(); err != nil {
				return err
			}
			inFile = 0
		}
	}
	if _, err := f.Write(rest); err != nil {
		return err
	}
	return f.Close()
}

func (s *source) path() string { return filepath.Join(s.dir, s.name+".log") }

func (s *source) open() (*os.File, error) {
	return os.OpenFile(s.path(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

// delivery is what is wrong with what an output got.
type delivery struct {
	lines                                 int
	lost, doubled, outOfOrder, unexpected int
	first                                 string
}

func (d *delivery) note(n *int, format string, args ...any) {
	*n++
	if d.first == "" {
		d.first = fmt.Sprintf(format, args...)
	}
}

func (d *delivery) exact() bool { return d.lost+d.doubled+d.outOfOrder+d.unexpected == 0 }

func (d *delivery) String() string {
	return fmt.Sprintf("%d lines: %d lost, %d doubled, %d out of order, %d unexpected; first: %s", d.lines, d.lost, d.doubled, d.outOfOrder, d.unexpected, d.first)
}

// checkDelivery reads files, in order, and holds them against what was written.
func checkDelivery(t *testing.T, files []string, sources []*source) *delivery {
	t.Helper()
	d := &delivery{}
	next := map[string]int{}
	seen := map[string][]bool{}
	for _, s := range sources {
		seen[s.name] = make([]bool, s.written)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		scan := bufio.NewScanner(f)
		scan.Buffer(nil, 1<<20)
		for scan.Scan() {
			d.lines++
			who, rest, _ := strings.Cut(scan.Text(), " ")
			number, padding, _ := strings.Cut(rest, " ")
			n, err := strconv.Atoi(number)
			if err != nil || n < 0 || n >= len(seen[who]) || padding != strings.Repeat("x", n%120) {
				d.note(&d.unexpected, "%s: line %d: %q", name, d.lines, scan.Text())
				continue
			}
			switch {
			case seen[who][n]:
				d.note(&d.doubled, "%s %d comes again in line %d", who, n, d.lines)
				continue
			case n < next[who]:
				d.note(&d.outOfOrder, "%s %d comes behind %d", who, n, next[who]-1)
			}
			seen[who][n] = true
			next[who] = max(next[who], n+1)
		}
		if err := scan.Err(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for who, lines := range seen {
		for n, ok := range lines {
			if !ok {
				d.note(&d.lost, "%s %d is missing", who, n)
			}
		}
	}
	return d
}
