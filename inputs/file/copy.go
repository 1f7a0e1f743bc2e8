package file

import (
	"bytes"
	"cmp"
	"path/filepath"
	"slices"
)

// compareBytes is how much of a copy is compared in one turn.
const compareBytes = 4 << 20

// compare goes on comparing the copy c with its original. As long as all of c is
// in the original, c is not read; if it turns out to be a file of its own, it is
// read from its beginning, for two files with the same beginning are two files.
func (r *reader) compare(c *file) {
	if c.size <= c.offset {
		return
	}
	if c.original == nil && !r.nextOriginal(c) {
		r.diverge(c)
		return
	}
	o := c.original
	if !r.check(o) {
		c.mtime = -1 // look again, unless c was adopted as the rest of o
		return
	}
	equal, err := r.compareMore(c, o)
	switch {
	case err != nil:
		r.fail(c, reasonRead, err)
	case !equal && r.check(o):
		c.unlike, c.original = append(c.unlike, o), nil
		c.restart()
		r.enqueue(c)
	case !equal:
		c.mtime = -1
	case c.size > c.offset:
		r.enqueue(c)
	default:
		r.extendHead(c)
		r.note(o) // without it nobody would know, after a crash, that its lines are still to be read
		r.note(c)
		r.log.Debug("file is a copy, and not read", "path", c.path, "original", o.path)
	}
}

// nextOriginal sets c's original to a file that it may be a copy of and has not
// been found to differ from, if there is one.
func (r *reader) nextOriginal(c *file) bool {
	for _, o := range r.originalsOf(c) {
		if !o.isCopy && !o.dropped && !slices.Contains(c.unlike, o) {
			c.original = o
			return true
		}
	}
	return false
}

// compareMore compares the next bytes of c and moves it past them.
func (r *reader) compareMore(c, o *file) (equal bool, err error) {
	buf := make([]byte, 2*minRead*8)
	mine, its := buf[:len(buf)/2], buf[len(buf)/2:]
	for done := 0; done < compareBytes; {
		n, err := pread(c.fd, mine, c.offset)
		if err != nil || n == 0 {
			return err == nil, err
		}
		m, err := pread(o.fd, its[:n], c.offset)
		if err != nil || !bytes.Equal(mine[:n], its[:m]) {
			return false, err
		}
		c.skip(mine[:n])
		c.keepTail(mine[:n])
		done += n
	}
	return true, nil
}

// diverge makes c, which has bytes that its original has not, a file of its own.
func (r *reader) diverge(c *file) {
	c.isCopy, c.unlike = false, nil
	delete(r.copies, c)
	c.restart()
	r.note(c)
	r.enqueue(c)
}

// orphan finds the copies of o, which is not followed any more or not what it
// was, something else to be. What o had left to read is read from heir, or, if
// that is nil, from the longest of them; the others are copies of that one.
func (r *reader) orphan(o, heir *file) {
	var list []*file
	for c := range r.copies {
		if c.original == o && c != heir {
			r.measure(c)
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *file) int { return cmp.Compare(b.size, a.size) })
	for _, c := range list {
		if heir != nil {
			c.original = heir
			r.enqueue(c)
			continue
		}
		if r.settle(c, o) {
			heir = c
		}
	}
}

// measure finds out the size of c: it may have been met while it was being made.
func (r *reader) measure(c *file) {
	var st stat
	if c.fd >= 0 && statFD(c.fd, &st) == nil || c.fd < 0 && statPath(c.path, &st) == nil && st.inode == c.inode {
		c.size = st.size
	}
}

// settle makes c, the copy of a file that is not followed any more, a file that
// is read from where o was; or, if it has turned out to be none, from its
// beginning. It says whether c is a copy.
//
// Where c is shorter than what was read from o, and it is not known any more what
// that was there, it goes on where they were last compared, at the next line.
func (r *reader) settle(c, o *file) bool {
	c.isCopy, c.original, c.unlike = false, nil, nil
	delete(r.copies, c)
	c.skipping = len(c.tail) > 0 && c.tail[len(c.tail)-1] != '\n'
	if c.fd < 0 && !r.reopen(c) {
		return true
	}
	at, proven, err := prove(c.fd, c.size, o)
	switch {
	case err != nil:
		r.fail(c, reasonRead, err)
	case proven:
		r.startAt(c, o, at)
		return true
	case c.size >= o.offset:
		r.diverge(c)
		return false
	}
	r.note(c)
	r.enqueue(c)
	return true
}

// proofBytes is how much of a file that is gone must be at the beginning of
// another one for that to be its copy although it goes on.
const proofBytes = 4 << 10

// goneOriginal returns the position of the file, gone by now, that c, which is
// new and open as fd, is a copy of: one that was read as far as c goes, or so far
// that it can't be chance. Files that are not gone, but were renamed while this
// scan looked for them, it takes in.
func (r *reader) goneOriginal(c *file, fd int) *saved {
	dir := filepath.Dir(c.path)
	for _, name := range originals(filepath.Base(c.path)) {
		for _, s := range slices.Clone(r.saved.byPath[filepath.Join(dir, name)]) {
			o := &file{identity: s.identity, content: s.content}
			if s.isCopy || s.offset == 0 || c.size < s.offset || !c.after(o) {
				continue
			}
			at, proven, err := prove(fd, c.size, o)
			if err != nil {
				r.fail(c, reasonRead, err)
				continue
			}
			if !proven || at.offset < s.offset || r.meetMoved(s) {
				continue
			}
			if c.size == s.offset || s.offset-s.sumFrom >= proofBytes {
				return s
			}
		}
	}
	return nil
}

// inherit reads c, which is a copy of the file of s, which is gone, on from where
// that was. The batch that is being filled says both: nothing of c is lost with s.
func (r *reader) inherit(c *file, s *saved) {
	r.log.Info("file is a copy of one that is gone, and read on from there", "path", c.path, "original", s.path)
	r.startAt(c, s.file(), mark{s.offset, s.sum})
	r.writeOff(s, c.size)
}

// writeOff ends what s says: its file is gone, and what was kept of it, up to
// there, is read as another.
func (r *reader) writeOff(s *saved, kept int64) {
	f := s.file()
	if lost := f.size - max(f.offset, kept); lost > 0 {
		r.lose(f, lost, "a file went away while it was not being watched")
	}
	r.saved.remove(s)
	f.size = f.offset
	r.note(f)
	r.keep(f)
}

// startAt makes c, which has the same bytes as o up to at, a file that was read
// that far.
func (r *reader) startAt(c, o *file, at mark) {
	c.isCopy, c.original, c.unlike = false, nil, nil
	delete(r.copies, c)
	c.content = content{offset: at.offset, size: c.size, sumFrom: o.sumFrom, sum: at.sum}
	c.skipping = o.skipping && at.offset == o.offset
	c.partial, c.need, c.marks = 0, 0, nil
	c.tailLen = int(min(at.offset, tailBytes))
	r.loadTail(c)
	r.extendHead(c)
	r.note(c)
	r.enqueue(c)
}
