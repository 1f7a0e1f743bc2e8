package file

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/config"
)

func TestGlobs(t *testing.T) {
	files := []string{"a.log", "b.log", "b.txt", "x/a.log", "x/y/a.log", "x/y/c.gz", "z/{odd}.log", ".hidden.log"}
	for _, c := range []struct {
		paths, exclude []string
		want           []string
	}{
		{[]string{"a.log"}, nil, []string{"a.log"}},
		{[]string{"*.log"}, nil, []string{".hidden.log", "a.log", "b.log"}},
		{[]string{"*.log", "a.*"}, nil, []string{".hidden.log", "a.log", "b.log"}},
		{[]string{"[ab].{log,txt}"}, nil, []string{"a.log", "b.log", "b.txt"}},
		{[]string{"*/a.log"}, nil, []string{"x/a.log"}},
		{[]string{"**/a.log"}, nil, []string{"a.log", "x/a.log", "x/y/a.log"}},
		{[]string{"x/**"}, nil, []string{"x/a.log", "x/y/a.log", "x/y/c.gz"}},
		{[]string{"x/**/*.log"}, nil, []string{"x/a.log", "x/y/a.log"}},
		{[]string{"**/y/*"}, nil, []string{"x/y/a.log", "x/y/c.gz"}},
		{[]string{"**"}, []string{"*.gz", "*.log"}, []string{"b.txt"}},
		{[]string{"**"}, []string{"/**/x/**", "z*/**"}, []string{".hidden.log", "a.log", "b.log", "b.txt", "z/{odd}.log"}},
		{[]string{`z/\{odd\}.log`}, nil, []string{"z/{odd}.log"}},
		{[]string{"none/*.log", "x"}, nil, nil},
	} {
		b := newBench(t)
		cfg := Default()
		cfg.Exclude = c.exclude
		for _, p := range c.paths {
			cfg.Paths = append(cfg.Paths, config.Path(filepath.Join(b.dir, p)))
		}
		if err := cfg.Check(); err != nil {
			t.Fatalf("%q: %v", c.paths, err)
		}
		for _, f := range files {
			b.must(os.MkdirAll(filepath.Dir(b.path(f)), 0o700))
			b.write(f, "x\n")
		}
		d := newDiscovery(cfg, testLog(b), func(string) {})
		d.refresh()
		var got []string
		for _, e := range d.entries {
			rel, _ := filepath.Rel(b.dir, e.path)
			got = append(got, rel)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q without %q: got %q, want %q", c.paths, c.exclude, got, c.want)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []struct{ path, exclude, want string }{
		{"/var/log/*.log", "*.gz", ""},
		{"", "*", "empty path"},
		{"/var/log/", "*", `write "/var/log/*"`},
		{"log/*.log", "*", "not absolute"},
		{"/var/log/[a", "*", "bracket"},
		{"/var/{log/a,b}", "*", "slash within braces"},
		{"/var/[a/b]*", "*", "bracket"},
		{`/var/log\/a`, "*", "backslash"},
		{"/a", "[", "exclude[0]"},
	} {
		cfg := Default()
		cfg.Paths, cfg.Exclude = []config.Path{config.Path(c.path)}, []string{c.exclude}
		err := cfg.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, %q: %v, want %q", c.path, c.exclude, err, c.want)
		}
	}
	if err := config.Lint(Default()); err != nil {
		t.Error(err)
	}
}

func TestFilesThatAppearLaterAreReadFromTheirBeginning(t *testing.T) {
	for _, startAt := range []string{"beginning", "end"} {
		for _, watch := range []string{"auto", "poll"} {
			b := newBench(t)
			b.cfg.StartAt, b.cfg.Watch = startAt, watch
			b.cfg.Paths = []config.Path{config.Path(b.path("**/*.log"))}
			b.start()
			b.scanned()
			b.write("a.log", "1\n")
			b.want("1")
			b.must(os.MkdirAll(b.path("new/sub"), 0o700))
			b.write("new/sub/a.log", "2\n")
			b.want("1", "2")
			b.stop()
			b.write("later.log", "3\n")
			b.start()
			b.want("1", "2", "3")
			b.stop()
		}
	}
}

func TestNotificationsComeBeforeTheScan(t *testing.T) {
	b := newBench(t)
	b.cfg.ScanInterval = time.Hour
	b.start()
	b.said("folder is watched", 1)
	b.write("a.log", "1\n")
	b.want("1")
	b.write("a.log", "2\n")
	b.want("1", "2")
	b.rename("a.log", "a.log.1")
	b.write("a.log.1", "3\n")
	b.write("a.log", "4\n")
	b.want("1", "2", "3", "4")
}

func TestEmptyGlobIsSaidOnce(t *testing.T) {
	b := newBench(t)
	b.cfg.Paths[0] = config.Path(b.path("a.log"))
	b.cfg.Paths = append(b.cfg.Paths, config.Path(b.path("zz*.log")))
	b.start()
	b.scanned()
	b.write("other", "x")
	b.scanned()
	if n := b.log.count("names none\" path=" + b.path("a.log")); n != 1 {
		t.Fatalf("said %d times, want once:\n%s", n, b.log)
	}
	b.write("a.log", "1\n")
	b.want("1")
}

// A link to itself can't be opened by anyone, root included.
func TestUnreadableFileIsSaidOnceAndRetried(t *testing.T) {
	b := newBench(t)
	b.must(os.Symlink("a.log", b.path("a.log")))
	b.write("b.log", "1\n")
	b.start()
	b.want("1")
	b.scanned()
	if n := b.log.count("path=" + b.path("a.log")); n != 1 {
		t.Fatalf("said %d times, want once:\n%s", n, b.log)
	}
	b.write("real", "2\n")
	b.rename("real", "a.log")
	b.want("1", "2")
	if b.log.count("can be read again") != 1 {
		t.Fatalf("want to hear that it can be read:\n%s", b.log)
	}
}

func TestOnlyRegularFilesAreRead(t *testing.T) {
	b := newBench(t)
	b.must(os.Mkdir(b.path("dir.log"), 0o700))
	b.must(mkfifo(b.path("fifo.log")))
	b.write("a.log", "1\n")
	b.once()
	b.want("1")
}

func TestFewOpenFilesServeMany(t *testing.T) {
	b := newBench(t)
	b.cfg.MaxOpenFiles = 2
	var want []string
	for round := range 5 {
		for i := range 20 {
			name := string(rune('a'+i)) + ".log"
			line := name + string(rune('0'+round))
			b.write(name, line+"\n")
			want = append(want, line)
		}
		if round == 0 {
			b.start()
		}
		if round == 2 {
			b.rename("c.log", "c.log.1")
			b.copy("d.log", "d.log.1")
			b.truncate("d.log")
		}
		b.want(want...)
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	open := 0
	for _, fd := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(to, b.dir) && strings.Contains(to, ".log") {
			open++
		}
	}
	if open > 2 {
		t.Fatalf("%d files open, want at most 2", open)
	}
}

func TestWithoutWatchesScansSuffice(t *testing.T) {
	b := newBench(t)
	w := newWatcher(testLog(b), func(string) {})
	if w == nil {
		t.Skip("the system gives no notifications")
	}
	b.must(w.fs.Close()) // every further watch is refused
	defer w.close()
	d := newDiscovery(b.cfg, testLog(b), func(string) {})
	d.refresh()
	for range 3 {
		w.follow(d, time.Now())
	}
	if n := b.log.count("refuses to watch"); n != 1 {
		t.Fatalf("said %d times, want once:\n%s", n, b.log)
	}
}
