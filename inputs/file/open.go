package file

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// hold makes fd the descriptor of f and keeps to max_open_files.
func (r *reader) hold(f *file, fd int) {
	f.fd, f.slot = fd, len(r.opened)
	r.opened = append(r.opened, f)
	r.metrics.open.Inc()
	if f.offset > f.sumFrom {
		f.marks.add(f.offset, f.sum)
	}
	if len(r.opened) > r.cfg.MaxOpenFiles {
		r.evict(f)
	}
}

// shut closes f, which can be found again.
func (r *reader) shut(f *file) {
	closeFD(f.fd)
	last := r.opened[len(r.opened)-1]
	r.opened[f.slot], last.slot = last, f.slot
	r.opened = r.opened[:len(r.opened)-1]
	f.fd, f.marks = -1, nil
	r.metrics.open.Dec()
}

// evict closes the open file that will be missed least, other than f: one that
// is idle before one that waits for its turn, and a deleted one, which can't be
// opened again, only if all are.
func (r *reader) evict(f *file) {
	for {
		var worst *file
		for _, o := range r.opened {
			if o != f && o != r.turning && !o.dropped && (worst == nil || o.value() < worst.value() || o.value() == worst.value() && o.grown.Before(worst.grown)) {
				worst = o
			}
		}
		if worst == nil {
			return
		}
		var st stat
		if !worst.unlinked && statFD(worst.fd, &st) == nil && st.links == 0 {
			worst.unlinked, worst.size = true, max(worst.size, st.size)
			continue
		}
		if worst.unlinked && worst.size > worst.offset {
			r.giveUp(worst)
		} else {
			r.shut(worst)
		}
		return
	}
}

// value ranks open files by what closing them costs.
func (f *file) value() int {
	switch {
	case f.unlinked:
		return 3
	case f.stray:
		return 2
	case f.queued:
		return 1
	}
	return 0
}

// giveUp drops a deleted file that is not read to its end.
func (r *reader) giveUp(f *file) {
	r.lose(f, f.size-f.offset, "max_open_files was reached with nothing but deleted files that were not read to their end")
	f.size = f.offset
	r.note(f)
	r.drop(f)
}

// closeIdle closes the files that have not grown for close_after.
func (r *reader) closeIdle() {
	for i := len(r.opened) - 1; i >= 0; i-- {
		f := r.opened[i]
		if !f.queued && !f.stray && r.now.Sub(f.grown) >= r.cfg.CloseAfter {
			r.shut(f)
		}
	}
}

// reopen opens f at its path and makes sure that it is still the file that was
// read. Where it is not, f is told from what took its place.
func (r *reader) reopen(f *file) bool {
	fd, err := open(f.path)
	if err != nil {
		r.missing(f, err)
		return false
	}
	var st stat
	if err := statFD(fd, &st); err != nil {
		closeFD(fd)
		r.fail(f, reasonStat, err)
		return false
	}
	if st.inode != f.inode || f.born(st.birth) == birthDiffers {
		closeFD(fd)
		r.missing(f, unix.ENOENT)
		return false
	}
	was := saved{state: state{identity: f.identity, content: f.content}}
	if f.tail != nil {
		was.tailLen, was.tailHash = len(f.tail), hashTail(f.tail)
	}
	same, err := was.holds(fd, st.size)
	if err != nil {
		closeFD(fd)
		r.fail(f, reasonRead, err)
		return false
	}
	r.hold(f, fd)
	if !same {
		r.truncated(f, &st)
	}
	return true
}

// missing handles a file that can't be opened at its path.
func (r *reader) missing(f *file, err error) {
	switch {
	case errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || !gone(err):
		r.fail(f, reasonOpen, err)
	case f.stray:
		r.seek(f)
	default:
		r.scan.soon() // which finds where it went
		f.mtime = -1
	}
}

// drop stops following f. What is left of its copies is theirs to read.
func (r *reader) drop(f *file) {
	f.dropped = true
	r.orphan(f, nil) // while it is known where its lines ended
	if f.fd >= 0 {
		r.shut(f)
	}
	delete(r.files, f.inode)
	delete(r.strays, f)
	delete(r.copies, f)
	for _, path := range []string{f.path, f.former} {
		if r.former[path] == f {
			delete(r.former, path)
		}
	}
	r.metrics.files.Dec()
}

// vanish drops a closed file that is at no path any more. Its position is kept
// at hand: its file system may only be unmounted.
func (r *reader) vanish(f *file) {
	if size := max(f.size, f.glimpse); size > f.offset && !f.isCopy {
		r.lose(f, size-f.offset, "a file was deleted before it was read to its end")
		f.size = f.offset
	}
	r.note(f) // it was there until now, which a search for it after a restart begins with
	r.drop(f)
	r.keep(f)
}

// keep keeps the position of f, which is not followed any more, at hand: f may
// come back.
func (r *reader) keep(f *file) {
	s := &saved{}
	f.position(&s.position, r.now)
	s.state, _ = decodeState(s.position.State, f.offset) // what position has encoded
	s.position.Source = f.source
	r.saved.put(s)
}

// lose counts bytes that went away unread.
func (r *reader) lose(f *file, bytes int64, why string) {
	f.lost += bytes
	r.metrics.lost.Add(float64(bytes))
	r.log.Warn("lost at source: "+why, "path", f.path, "source", f.source, "offset", f.offset, "bytes", bytes)
}

// fail counts an error with f, says it once, and lets the next scan try again.
func (r *reader) fail(f *file, reason string, err error) {
	r.count(reason)
	f.mtime = -1
	if !f.failed {
		r.log.Warn("cannot read a file; it will be tried again at each scan", "path", f.path, "error", err)
	}
	f.failed = true
}

// refuse counts an error with a path whose file is not known, and says it once.
func (r *reader) refuse(path, reason string, err error) {
	r.count(reason)
	if _, said := r.refused[path]; !said {
		r.log.Warn("cannot read a file; it will be tried again at each scan", "path", path, "error", err)
	}
	r.refused[path] = struct{}{}
}

func (r *reader) readable(path string) {
	if _, was := r.refused[path]; was {
		r.log.Info("a file can be read again", "path", path)
		delete(r.refused, path)
	}
}

// listFiles returns the regular files in dir.
func listFiles(dir string) []sight {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var list []sight
	for _, n := range names {
		s := sight{entry: &entry{path: filepath.Join(dir, n.Name())}}
		if !n.IsDir() && statPath(s.path, &s.stat) == nil && s.regular {
			list = append(list, s)
		}
	}
	return list
}

// sibling returns where the file that was at path is now, if it was renamed
// within its folder or, behind a link, within that of the link's target.
func (r *reader) sibling(path string, id *identity) (string, bool) {
	for _, place := range places(path) {
		for _, s := range listFiles(filepath.Dir(place)) {
			if s.inode == id.inode && id.born(s.birth) != birthDiffers {
				return s.path, true
			}
		}
	}
	return "", false
}

// maxLinks is how many links that lead from one to the next are followed.
const maxLinks = 16

// places are path and, if there is a link, the paths that it leads to, whether
// there is something or not: the siblings of a rotated file are beside its own
// name, not beside the link.
func places(path string) []string {
	list := []string{path}
	for range maxLinks {
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
		list = append(list, path)
	}
	return list
}
