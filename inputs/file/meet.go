package file

import (
	"path/filepath"
	"time"
)

// meet takes in a file that is not followed yet; nil if it can't be read, or is
// followed by now. It stays open: should it be renamed or deleted before its
// turn comes, nothing of it is lost.
func (r *reader) meet(s *sight) *file {
	if r.files[s.inode] != nil {
		return nil // two new names of one file
	}
	fd, err := open(s.path)
	if err != nil {
		if !gone(err) {
			r.refuse(s.path, reasonOpen, err)
		}
		return nil
	}
	f := &file{path: s.path, fd: -1}
	st, err := r.attach(f, fd)
	if err != nil || !st.regular || r.files[st.inode] != nil {
		closeFD(fd)
		return nil
	}
	saved, same, err := r.saved.match(fd, f.path, &st)
	if err != nil {
		closeFD(fd)
		r.refuse(s.path, reasonRead, err)
		return nil
	}
	r.readable(s.path)
	if saved == nil {
		if f = r.stranger(f, fd, &st); f == nil {
			return nil // a copy that was taken in because its original has been truncated
		}
	} else {
		f.resume(saved)
		if path := f.path; saved.path != path && saved.path != "" {
			f.path = saved.path
			r.rename(f, path)
		}
		r.follow(f, fd)
		r.resumed(f, same, &st)
	}
	s.entry.file, f.lookup = f, r.scanned
	return f
}

// attach fills in what the open file is.
func (r *reader) attach(f *file, fd int) (st stat, err error) {
	err = statFD(fd, &st)
	f.inode, f.birth = st.inode, st.birth
	f.size, f.mtime, f.written, f.grown = st.size, st.mtime, st.mtime, r.now
	f.moved = r.rotated(f.path)
	return st, err
}

// follow makes the open f one of the files.
func (r *reader) follow(f *file, fd int) {
	r.files[f.inode] = f
	r.metrics.files.Inc()
	r.hold(f, fd)
}

// resumed goes on with a file where its position says.
func (r *reader) resumed(f *file, same bool, st *stat) {
	if f.isCopy {
		r.copies[f] = struct{}{}
	}
	if !same {
		r.truncated(f, st)
		return
	}
	f.size = st.size
	r.loadTail(f)
	r.extendHead(f) // it may have been empty: a copy of what it is now is told by its head
	r.log.Debug("file found again", "path", f.path, "source", f.source, "offset", f.offset)
}

// loadTail reads the bytes before the offset, which were found to be the same.
func (r *reader) loadTail(f *file) {
	f.tail = make([]byte, tailBytes)[:f.tailLen]
	if _, err := pread(f.fd, f.tail, f.offset-int64(f.tailLen)); err != nil {
		r.fail(f, reasonRead, err)
	}
}

// stranger takes in a file that was never seen before; nil if that showed that it
// is the rest of one that was.
func (r *reader) stranger(f *file, fd int, st *stat) *file {
	for _, o := range r.originalsOf(f) {
		if !r.check(o) && r.files[f.inode] != nil {
			closeFD(fd)
			return nil
		}
	}
	gone := r.goneOriginal(f, fd)
	if r.files[f.inode] != nil {
		closeFD(fd)
		return nil
	}
	f.source = newSource(f.path)
	f.tail = make([]byte, 0, tailBytes)
	r.follow(f, fd)
	r.extendHead(f)
	r.log.Debug("file found", "path", f.path, "source", f.source)
	old := r.cfg.IgnoreOlder > 0 && r.now.Sub(time.Unix(0, st.mtime)) > r.cfg.IgnoreOlder
	switch {
	case gone != nil:
		r.inherit(f, gone)
	case r.nextOriginal(f):
		f.isCopy = true
		r.copies[f] = struct{}{}
	case st.size > 0 && (old || r.first && r.cfg.StartAt == "end"):
		r.startAtEnd(f, st.size)
	case st.size == 0:
		r.note(f) // it is known from now on, although no turn will come
	}
	return f
}

// startAtEnd leaves out what is in f. If that is not whole lines, the rest of
// the last one is left out, too.
func (r *reader) startAtEnd(f *file, size int64) {
	r.beginAt(f, size)
	f.skipping = len(f.tail) > 0 && f.tail[len(f.tail)-1] != '\n'
}

// beginAt begins f, of which nothing was read, at offset.
func (r *reader) beginAt(f *file, offset int64) {
	f.sumFrom, f.offset = offset, offset
	f.tailLen = int(min(offset, tailBytes))
	r.loadTail(f)
	r.note(f)
}

// originalsOf returns the files of which f may be a copy: their name is, or was,
// the one that f has by a rotation, and they are older. Files born within one
// tick of the clock are as old as each other.
func (r *reader) originalsOf(f *file) (list []*file) {
	dir := filepath.Dir(f.path)
	for _, name := range originals(filepath.Base(f.path)) {
		path := filepath.Join(dir, name)
		if e := r.found.byPath[path]; e != nil && e.file != nil && e.file != f && f.after(e.file) {
			list = append(list, e.file)
		}
		if o := r.former[path]; o != nil && o != f && f.after(o) {
			list = append(list, o)
		}
	}
	return list
}

// rotated says whether path is a rotation name of another path that is read.
func (r *reader) rotated(path string) bool {
	dir := filepath.Dir(path)
	for _, name := range originals(filepath.Base(path)) {
		if r.found.byPath[filepath.Join(dir, name)] != nil {
			return true
		}
	}
	return false
}

// after says whether f appeared after o, as far as is known.
func (f *file) after(o *file) bool {
	return f.birth == 0 || o.birth == 0 || o.birth <= f.birth
}

// lookForSaved looks, after the first scan, for the files with a position that
// no path led to: they were renamed, or are gone, with something left to read
// or not.
func (r *reader) lookForSaved() {
	listed := map[string][]sight{}  // by folder
	rotated := map[string][]sight{} // of those, by what their names may have been
	for _, s := range r.saved.all() {
		if _, ok := r.refused[s.path]; ok || s.path == "" {
			continue
		}
		found, rotations := false, []sight(nil)
		for _, place := range places(s.path) {
			dir := filepath.Dir(place)
			if _, ok := listed[dir]; !ok {
				listed[dir] = listFiles(dir)
				for _, s := range listed[dir] {
					for _, name := range originals(filepath.Base(s.path)) {
						path := filepath.Join(dir, name)
						rotated[path] = append(rotated[path], s)
					}
				}
			}
			found = found || r.lookFor(s, listed[dir])
			rotations = append(rotations, rotated[place]...)
		}
		if !found && !s.isCopy {
			r.miss(s, rotations)
		}
	}
}

// lookFor looks for the file of s among its siblings.
func (r *reader) lookFor(s *saved, siblings []sight) (found bool) {
	for i := range siblings {
		st := &siblings[i].stat
		if st.ino != s.ino || s.born(st.birth) == birthDiffers || r.files[st.inode] != nil {
			continue
		}
		if r.meetStray(s, siblings[i].path) {
			return true
		}
	}
	return false
}

// miss handles a file that is nowhere: what is left of it is compressed, or, if
// at least its folder is there, lost.
func (r *reader) miss(s *saved, rotations []sight) {
	f := s.file()
	var folder stat
	if f.size > f.offset {
		if c := r.adoptCopy(f, r.knownCopies(rotations)); c != nil {
			r.writeOff(s, c.size)
			return
		}
	}
	switch rest := r.readPacked(f, f.source, rotations); {
	case rest > f.offset: // it goes on, as what was found
		r.saved.remove(s)
	case rest == f.offset:
		r.writeOff(s, f.size)
	case f.size > f.offset && statPath(filepath.Dir(f.path), &folder) == nil:
		r.writeOff(s, f.offset)
	}
}

// knownCopies returns those of the siblings that were found to be copies.
func (r *reader) knownCopies(siblings []sight) (list []sight) {
	for _, s := range siblings {
		if c := r.files[s.inode]; c != nil && c.isCopy {
			list = append(list, s)
		}
	}
	return list
}

// meetStray takes in the file of s, which is at path now.
func (r *reader) meetStray(s *saved, path string) bool {
	fd, err := open(path)
	if err != nil {
		return false
	}
	f := &file{path: path, fd: -1}
	st, err := r.attach(f, fd)
	holds := false
	if err == nil && st.regular {
		holds, err = s.holds(fd, st.size)
	}
	if err != nil || !holds && s.born(st.birth) != birthEqual {
		closeFD(fd)
		return false
	}
	r.saved.remove(s)
	f.resume(s)
	f.path = s.path
	r.follow(f, fd)
	if path != f.path {
		r.rename(f, path)
	}
	r.stray(f)
	r.resumed(f, holds, &st)
	r.enqueue(f)
	return true
}

// meetMoved takes in the file of s if it is not gone.
func (r *reader) meetMoved(s *saved) bool {
	path, ok := r.sibling(s.path, &s.identity)
	if !ok {
		return false
	}
	at := sight{entry: &entry{path: path}}
	if statPath(path, &at.stat) != nil {
		return false
	}
	f := r.meet(&at)
	if f != nil {
		r.enqueue(f)
	}
	return f != nil
}
