package file

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// discovery finds the paths that the globs name. It keeps what it has read of
// folders, and reads a folder again only when its modification time says that
// names came or went, so that looking at thousands of idle files costs one
// system call for each and no memory.
type discovery struct {
	globs   []glob
	exclude []string
	log     *slog.Logger
	fail    func(reason string)

	folders map[string]*folder
	walk    uint64
	entries []*entry // sorted by path
	byPath  map[string]*entry
}

// glob is a path split at its slashes.
type glob struct {
	pattern  string
	segments []string
	empty    bool // it was said that it names no file
}

// entry is a path that a glob names.
type entry struct {
	path string
	link bool  // it is a symbolic link
	file *file // what the reader last found there
	walk uint64
}

// folder is what is known of a folder.
type folder struct {
	path   string
	inode  inode
	mtime  int64
	listed time.Time // zero: it is to be looked at again
	read   bool      // names are those of that look
	names  []name    // as last read: a folder that can't be read just now has not lost them
	walk   uint64
	said   bool // it was said that it can't be read
}

type name struct {
	text string
	kind fs.FileMode // type bits
}

// settled is for how long after a change a modification time is not trusted: a
// second change within the clock's tick would not show in it.
const settled = 2 * time.Second

func newDiscovery(cfg *Config, log *slog.Logger, fail func(reason string)) *discovery {
	d := &discovery{
		exclude: cfg.Exclude, log: log, fail: fail,
		folders: map[string]*folder{}, byPath: map[string]*entry{},
	}
	for _, p := range cfg.Paths {
		pattern := filepath.Clean(string(p))
		d.globs = append(d.globs, glob{pattern: pattern, segments: strings.Split(pattern[1:], "/")})
	}
	return d
}

// refresh looks for paths that came or went and says whether there were any.
func (d *discovery) refresh() (changed bool) {
	if d.walk > 0 && !d.stale() {
		return false
	}
	d.walk++
	for i := range d.globs {
		g := &d.globs[i]
		n := d.descend("/", g.segments)
		if n == 0 && !g.empty {
			d.log.Warn("no file to read yet: this path names none", "path", g.pattern)
		}
		g.empty = g.empty || n == 0
	}
	for path, f := range d.folders {
		if f.walk != d.walk {
			delete(d.folders, path)
		}
	}
	d.collect()
	return true
}

// collect makes entries the sorted list of what this walk found.
func (d *discovery) collect() {
	d.entries = d.entries[:0]
	for path, e := range d.byPath {
		if e.walk != d.walk {
			delete(d.byPath, path)
			continue
		}
		d.entries = append(d.entries, e)
	}
	slices.SortFunc(d.entries, func(a, b *entry) int { return strings.Compare(a.path, b.path) })
}

// stale says whether a folder may have changed since it was read.
func (d *discovery) stale() bool {
	stale := false
	for _, f := range d.folders {
		var st stat
		err := statPath(f.path, &st)
		if err != nil {
			st = stat{}
		}
		if st.inode != f.inode || st.mtime != f.mtime || (st.mtime > 0 && f.listed.Sub(time.Unix(0, st.mtime)) < settled) {
			f.listed, stale = time.Time{}, true
		}
	}
	return stale
}

// descend adds the files below dir that the segments match, and says how many
// there are.
func (d *discovery) descend(dir string, segments []string) (n int) {
	segment, rest := segments[0], segments[1:]
	switch {
	case segment == "**":
		return d.descendAll(dir, segments)
	case !strings.ContainsAny(segment, `*?[{\`):
		path := filepath.Join(dir, segment)
		if len(rest) > 0 {
			return d.descend(path, rest)
		}
		d.folder(dir)
		if info, err := os.Lstat(path); err == nil && !info.IsDir() {
			return d.add(path, info.Mode())
		}
		return 0
	}
	for _, e := range d.list(dir) {
		if !doublestar.MatchUnvalidated(segment, e.text) {
			continue
		}
		path := filepath.Join(dir, e.text)
		switch {
		case len(rest) == 0 && !e.kind.IsDir():
			n += d.add(path, e.kind)
		case len(rest) > 0 && d.isFolder(path, e.kind):
			n += d.descend(path, rest)
		}
	}
	return n
}

// descendAll handles **, which stands for any number of folders. It does not
// follow links to folders: they may lead in circles.
func (d *discovery) descendAll(dir string, segments []string) (n int) {
	last := len(segments) == 1
	if !last {
		n += d.descend(dir, segments[1:])
	}
	for _, e := range d.list(dir) {
		path := filepath.Join(dir, e.text)
		switch {
		case e.kind.IsDir():
			n += d.descendAll(path, segments)
		case last:
			n += d.add(path, e.kind)
		}
	}
	return n
}

func (d *discovery) isFolder(path string, kind fs.FileMode) bool {
	if kind&fs.ModeSymlink == 0 {
		return kind.IsDir()
	}
	var st stat
	if statPath(path, &st) != nil {
		d.folder(path) // its target may appear, which does not show in the link's own folder
	}
	return st.folder
}

func (d *discovery) add(path string, kind fs.FileMode) int {
	if d.excluded(path) {
		return 0
	}
	e := d.byPath[path]
	if e == nil {
		e = &entry{path: path}
		d.byPath[path] = e
	}
	e.link, e.walk = kind&fs.ModeSymlink != 0, d.walk
	return 1
}

func (d *discovery) excluded(path string) bool {
	for _, pattern := range d.exclude {
		subject := path
		if !strings.Contains(pattern, "/") {
			subject = filepath.Base(path)
		}
		if doublestar.MatchUnvalidated(pattern, subject) {
			return true
		}
	}
	return false
}

// folder returns what is known of dir and keeps an eye on it.
func (d *discovery) folder(dir string) *folder {
	f := d.folders[dir]
	if f == nil {
		f = &folder{path: dir}
		d.folders[dir] = f
	}
	f.walk = d.walk
	if f.listed.IsZero() {
		var st stat
		if statPath(dir, &st) != nil {
			st = stat{}
		}
		f.inode, f.mtime, f.listed, f.read = st.inode, st.mtime, time.Now(), false
	}
	return f
}

// list returns the names in dir. One that can't be read is said once.
func (d *discovery) list(dir string) []name {
	f := d.folder(dir)
	if f.read {
		return f.names
	}
	list, err := os.ReadDir(dir)
	if err == nil || gone(err) {
		f.names = make([]name, 0, len(list))
		for _, e := range list {
			f.names = append(f.names, name{e.Name(), e.Type()})
		}
		f.read, f.said = true, false
		return f.names
	}
	d.fail(reasonList)
	f.listed = time.Time{}
	if !f.said {
		d.log.Warn("cannot read a folder; it will be tried again at each scan", "path", dir, "error", err)
	}
	f.said = true
	return f.names
}
