package file

import (
	"bytes"
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

// settle makes c, the copy of a file that is not followed any more, a file that
// is read from where o was, or where they were last compared.
func (r *reader) settle(c, o *file) {
	c.isCopy, c.original, c.unlike = false, nil, nil
	delete(r.copies, c)
	if o.offset < c.offset {
		c.continueAt(o)
	}
	r.note(c)
	r.enqueue(c)
}

// proofBytes is how much of a file that is gone must be at the beginning of
// another one for that to be its copy although it goes on.
const proofBytes = 4 << 10

// copyOfGone says whether c, which is new, is a copy of a file that is gone: one
// that was read as far as c goes, or so far that it can't be chance. C is then
// read on from there.
func (r *reader) copyOfGone(c *file) bool {
	dir := filepath.Dir(c.path)
	for _, name := range originals(filepath.Base(c.path)) {
		for _, s := range r.saved.byPath[filepath.Join(dir, name)] {
			o := &file{identity: s.identity, content: s.content, skipping: s.skipping}
			if s.isCopy || s.offset == 0 || c.size < s.offset || !c.after(o) {
				continue
			}
			at, proven, err := prove(c.fd, c.size, o)
			if err != nil {
				r.fail(c, reasonRead, err)
				continue
			}
			if proven && at.offset == s.offset && (c.size == s.offset || s.offset-s.sumFrom >= proofBytes) {
				r.log.Info("file is a copy of one that is gone, and read on from there", "path", c.path, "original", s.path)
				r.startAt(c, o, at)
				return true
			}
		}
	}
	return false
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

// continueAt makes f, which has the same bytes as o up to there, go on where o
// was.
func (f *file) continueAt(o *file) {
	size := f.size
	f.content = o.content
	f.generation, f.size = 0, size
	f.tail = append(f.tail[:0], o.tail...)
	f.skipping = o.skipping
	f.partial, f.need = 0, 0
}
