package file

import (
	"cmp"
	"path/filepath"
	"slices"
)

// queue is a queue of files: first in, first out, but that a file waits for those of its
// log that were finished before it began. Rotated files that nobody has read yet, as
// after a long stop, are so read one after the other.
type queue struct {
	files []*file
	head  int
	logs  map[string]*logFiles
}

// logFiles are the queued files of one log, the first born first.
type logFiles struct {
	path  string
	files []*file
}

func (q *queue) len() int { return len(q.files) - q.head }

func (q *queue) push(f *file) {
	q.enlist(f)
	q.append(f)
}

func (q *queue) append(f *file) {
	if q.head > len(q.files)/2 && q.head > 64 {
		q.files = q.files[:copy(q.files, q.files[q.head:])]
		q.head = 0
	}
	q.files = append(q.files, f)
}

// pop takes the file that has waited longest, of those that need not wait for another:
// the first born of all never does.
func (q *queue) pop() *file {
	for {
		f := q.files[q.head]
		q.files[q.head] = nil
		if q.head++; q.head == len(q.files) {
			q.files, q.head = q.files[:0], 0
		}
		if waits(f) {
			q.append(f)
			continue
		}
		q.delist(f)
		return f
	}
}

// unpop gives the file that was popped last its place back.
func (q *queue) unpop(f *file) {
	q.enlist(f)
	if q.head == 0 {
		q.files = append([]*file{f}, q.files...)
		return
	}
	q.head--
	q.files[q.head] = f
}

func (q *queue) enlist(f *file) {
	path := logOf(f.path)
	if q.logs == nil {
		q.logs = map[string]*logFiles{}
	}
	log := q.logs[path]
	if log == nil {
		log = &logFiles{path: path}
		q.logs[path] = log
	}
	at, _ := slices.BinarySearchFunc(log.files, f, func(g, f *file) int { return cmp.Compare(g.birth, f.birth) })
	log.files = slices.Insert(log.files, at, f)
	f.queued, f.log = true, log
}

func (q *queue) delist(f *file) {
	f.log.files = slices.DeleteFunc(f.log.files, func(g *file) bool { return g == f })
	if len(f.log.files) == 0 {
		delete(q.logs, f.log.path)
	}
	f.queued, f.log = false, nil
}

// waits says whether a file of f's log is queued that was written to for the last time
// before f was made. Where birth times are not known none is.
func waits(f *file) bool {
	for _, g := range f.log.files {
		switch {
		case g.birth >= f.birth || f.isCopy:
			return false
		case g.birth > 0 && g.written <= f.birth && !g.isCopy:
			return true
		}
	}
	return false
}

// followed says whether a file waits for its turn that waits said to wait for f: f is
// complete, or the order of its log is lost.
func (q *queue) followed(f *file) bool {
	log := q.logs[logOf(f.path)]
	return log != nil && f.birth > 0 && !f.isCopy && slices.ContainsFunc(log.files, func(g *file) bool {
		return g.birth > f.birth && f.written <= g.birth && !g.isCopy
	})
}

// logOf is the path that the file at path had before it was rotated, as far as its name
// tells: the same for all files of a log.
func logOf(path string) string {
	dir, name := filepath.Split(path)
	if names := originals(name); len(names) > 0 {
		return dir + names[len(names)-1]
	}
	return path
}
