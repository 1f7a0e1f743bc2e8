package file

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRotatedFilesOfALogAreReadOneAfterTheOther has several batches in each of them, and
// another log beside them that must not wait.
func TestRotatedFilesOfALogAreReadOneAfterTheOther(t *testing.T) {
	const lines = 40_000
	b := newBench(t)
	text := func(log string, from int) string {
		var s strings.Builder
		for i := range lines {
			fmt.Fprintf(&s, "%s %08d of a log that nobody has read yet\n", log, from+i)
		}
		return s.String()
	}
	for n, name := range []string{"app.log.2", "app.log.1", "app.log"} {
		b.write(name, text("app", n*lines))
		time.Sleep(20 * time.Millisecond) // births are told apart by ticks of the kernel's clock
	}
	b.write("other.log", text("other", 0))
	b.start()
	b.out.Await(t, 4*lines)
	texts := b.out.Texts()
	app := slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return !strings.HasPrefix(s, "app") })
	if len(app) != 3*lines || !slices.IsSorted(app) {
		t.Errorf("%d lines of the rotated log, in their order: %v", len(app), slices.IsSorted(app))
	}
	if first := slices.IndexFunc(texts, func(s string) bool { return strings.HasPrefix(s, "other") }); first > lines {
		t.Errorf("the other log's first line came behind %d of the rotated log", first)
	}
}

func TestQueueKeepsTheOrderOfALog(t *testing.T) {
	made := func(path string, birth, written int64) *file {
		return &file{path: path, identity: identity{birth: birth}, written: written}
	}
	for _, c := range []struct {
		what  string
		files []*file
		want  string
	}{
		{"first in, first out", []*file{made("/b", 2, 2), made("/a", 1, 1)}, "/b /a"},
		{"rotated files", []*file{made("/a.log", 3, 4), made("/a.log.1", 2, 3), made("/a.log.2", 1, 2)}, "/a.log.2 /a.log.1 /a.log"},
		{"another log between", []*file{made("/a.log", 3, 4), made("/b.log", 9, 9), made("/a.log.1", 2, 3)}, "/b.log /a.log.1 /a.log"},
		{"instances that are all written to", []*file{made("/a-2.log", 3, 9), made("/a-1.log", 1, 9)}, "/a-2.log /a-1.log"},
		{"the same name elsewhere", []*file{made("/x/a.log", 3, 4), made("/y/a.log.1", 1, 2)}, "/x/a.log /y/a.log.1"},
		{"births unknown", []*file{made("/a.log", 0, 4), made("/a.log.1", 0, 2)}, "/a.log /a.log.1"},
		{"times set back", []*file{made("/a.log", 5, 0), made("/a.log.1", 5, 0), made("/a.log.2", 6, 0)}, "/a.log /a.log.1 /a.log.2"},
	} {
		var q queue
		for _, f := range c.files {
			q.push(f)
		}
		var got []string
		for q.len() > 0 {
			f := q.pop()
			q.unpop(f)
			if again := q.pop(); again != f {
				t.Errorf("%s: %s was given its place back, and %s came", c.what, f.path, again.path)
			}
			got = append(got, f.path)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, want %s", c.what, got, c.want)
		}
		if len(q.logs) > 0 {
			t.Errorf("%s: %v is left", c.what, q.logs)
		}
	}
}
