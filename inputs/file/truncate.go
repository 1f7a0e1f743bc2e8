package file

import (
	"bytes"
	"path/filepath"
)

// check says whether the bytes of f before the offset are still there. If not,
// f has been truncated, and is handled as such.
func (r *reader) check(f *file) bool {
	generation := f.generation
	if f.fd < 0 && !r.reopen(f) || f.generation != generation {
		return false
	}
	var st stat
	if err := statFD(f.fd, &st); err != nil {
		r.fail(f, reasonStat, err)
		return false
	}
	if f.cutShort(st.size) {
		r.truncated(f, &st)
		return false
	}
	if st.size != f.size {
		f.mtime = -1 // this is not its turn: the next scan gives it one
	}
	return r.unchanged(f, st.size) && f.generation == generation
}

// cutShort says whether a size is too small for the file that f was.
func (f *file) cutShort(size int64) bool {
	return size < f.offset || f.offset == 0 && size < f.size
}

// truncated begins f again, in a new generation. If a copy of what it was has
// been made, the copy is read on from where f was; the batch that is being
// filled says both, so that neither is committed without the other.
func (r *reader) truncated(f *file, st *stat) {
	was, kept := f.size, f.offset
	c := r.adoptCopy(f, rotationsOf(f))
	if c == nil && f.glimpse > st.size {
		was = max(was, f.glimpse)
	}
	switch {
	case c != nil:
		kept = max(kept, c.size)
	case f.offset == 0 && f.size > 0 && copied(f):
		kept = was
	case !f.isCopy:
		kept = max(kept, r.readPacked(f, newSource(f.path), rotationsOf(f)))
	}
	r.metrics.gens.Inc()
	switch lost := was - kept; {
	case lost > 0 && !f.isCopy:
		r.lose(f, lost, "a file was truncated before it was read to its end")
	case c != nil:
		r.log.Info("file truncated after it was copied; it is begun again", "path", f.path, "source", f.source, "copy", c.path)
	default:
		r.log.Info("file truncated; it is begun again", "path", f.path, "source", f.source)
	}
	r.orphan(f, c)
	f.isCopy, f.original = false, nil
	delete(r.copies, f)
	f.generation++
	f.restart()
	f.size, f.glimpse, f.mtime, f.grown = 0, 0, -1, r.now
	if f.fd >= 0 || r.reopen(f) { // its copy may have taken its place among the open files
		var now stat // what led here was perhaps seen before the truncation
		if statFD(f.fd, &now) == nil {
			f.size = now.size
		}
		r.extendHead(f)
		f.glimpse = f.size
	}
	r.note(f)
	r.enqueue(f)
}

// adoptCopy looks for the copy of what f was before it was truncated, or went
// away: among its siblings with a rotation name, one that is not older, was not
// read so far and holds what was read from f. It returns the copy, set to go on
// where f was.
func (r *reader) adoptCopy(f *file, siblings []sight) *file {
	if f.isCopy {
		return nil
	}
	var best *candidate
	for _, s := range siblings {
		if !r.unread(&s.stat) || s.birth != 0 && f.birth != 0 && s.birth < f.birth {
			continue
		}
		c, err := r.candidate(f, &s)
		if err != nil {
			r.refuse(s.path, reasonRead, err)
			continue
		}
		if c != nil && (best == nil || c.offset > best.offset || c.offset == best.offset && c.birth > best.birth) {
			c, best = best, c
		}
		if c != nil {
			closeFD(c.fd)
		}
	}
	if best == nil {
		return nil
	}
	if best.offset < f.offset && best.offset < best.size {
		r.log.Warn("a copy made while the original was being truncated can't be told from it to the end: lines may be read twice",
			"path", best.path, "original", f.path, "bytes", min(best.size, f.offset)-best.offset)
	}
	return r.adopt(f, best)
}

// rotationsOf returns the files beside f that have a rotation name of one of
// its names.
func rotationsOf(f *file) []sight {
	paths := places(f.path)
	if f.former != "" && f.former != f.path {
		paths = append(paths, places(f.former)...)
	}
	var list []sight
	for _, path := range paths {
		dir, name := filepath.Split(path)
		for _, s := range listFiles(dir) {
			if rotationOf(name, filepath.Base(s.path)) {
				list = append(list, s)
			}
		}
	}
	return list
}

// copied says whether a file that may be a copy of f, which was not read at all,
// begins as f did: it is read as a file of its own.
func copied(f *file) bool {
	for _, s := range rotationsOf(f) {
		fd, err := open(s.path)
		if err != nil {
			continue
		}
		same, err := f.sameHead(fd)
		closeFD(fd)
		if err == nil && same && f.headLen > 0 && s.size >= f.size {
			return true
		}
	}
	return false
}

// unread says whether no line of the file has been read as its own. A file that is
// gone may have left its inode number to this one.
func (r *reader) unread(st *stat) bool {
	if known := r.files[st.inode]; known != nil && r.same(known, st) {
		return known.isCopy
	}
	s, ok := r.saved.known(st)
	return !ok || s.isCopy
}

// candidate is a file that begins with what was read from another, up to offset.
type candidate struct {
	stat
	mark
	fd   int
	path string
}

// candidate says how much of what was read from f the file at s begins with; nil
// if that is nothing.
func (r *reader) candidate(f *file, s *sight) (*candidate, error) {
	fd, err := open(s.path)
	if err != nil {
		return nil, err
	}
	c := &candidate{fd: fd, path: s.path}
	if err = statFD(fd, &c.stat); err == nil && c.inode == s.inode && c.size > 0 {
		var proven bool
		c.mark, proven, err = prove(fd, c.size, f)
		if err == nil && proven {
			return c, nil
		}
	}
	closeFD(fd)
	return nil, err
}

// prove returns the last of the places in f, a line end or the offset, up to
// which the open file is known to hold the same bytes.
func prove(fd int, size int64, f *file) (at mark, proven bool, err error) {
	if f.headLen > 0 && size >= int64(f.headLen) {
		if same, err := f.sameHead(fd); err != nil || !same {
			return at, false, err
		}
		at, proven = mark{f.sumFrom, 0}, size >= f.offset && f.sumFrom == f.offset
	}
	sum := content{offset: f.sumFrom}
	buf := make([]byte, 64<<10)
	points := append(append(marks(nil), f.marks...), mark{f.offset, f.sum})
	for _, p := range points {
		if p.offset > size {
			break
		}
		for sum.offset < p.offset {
			n, err := pread(fd, buf[:min(int64(len(buf)), p.offset-sum.offset)], sum.offset)
			if err != nil || n == 0 {
				return at, proven, err
			}
			sum.skip(buf[:n])
		}
		if sum.sum != p.sum {
			return at, false, nil
		}
		if p.offset > f.sumFrom {
			at, proven = p, true
		}
	}
	if at.offset < f.offset && proven {
		return withinLine(fd, size, at)
	}
	return at, proven, nil
}

// withinLine is for a copy that ends before what was read from the original: if
// it goes on after at with a part of one line, that line was read from the
// original, and the copy holds nothing more.
func withinLine(fd int, size int64, at mark) (mark, bool, error) {
	rest := make([]byte, min(size-at.offset, headBytes*64))
	n, err := pread(fd, rest, at.offset)
	if err != nil || int64(n) < size-at.offset || bytes.IndexByte(rest, '\n') >= 0 {
		return at, true, err
	}
	sum := content{offset: at.offset, sum: at.sum}
	sum.skip(rest)
	return mark{sum.offset, sum.sum}, true, nil
}

// adopt makes the file that was found to be a copy of what f was a file that is
// read on from where f was.
func (r *reader) adopt(f *file, found *candidate) *file {
	c := r.files[found.inode]
	if c != nil && !r.same(c, &found.stat) {
		r.vanish(c) // its inode number has been given to the copy
		c = nil
	}
	if c == nil {
		c = &file{path: found.path, fd: -1, source: newSource(found.path)}
		c.inode, c.birth = found.inode, found.birth
		if s, ok := r.saved.known(&found.stat); ok {
			r.saved.remove(s)
			c.resume(s)
		}
		r.follow(c, found.fd)
		if e := r.found.byPath[c.path]; e != nil {
			e.file, c.lookup = c, r.scanned
		} else {
			r.stray(c)
		}
	} else {
		if c.fd >= 0 {
			closeFD(found.fd)
		} else {
			r.hold(c, found.fd)
		}
	}
	c.size, c.mtime, c.grown, c.moved = found.size, -1, r.now, true
	r.startAt(c, f, found.mark)
	return c
}
