package file

import "bytes"

// compareBytes is how much of a copy is compared in one turn.
const compareBytes = 4 << 20

// compare goes on comparing the copy c with its original. As long as all of c is
// in the original, c is not read; if it turns out to be a file of its own, it is
// read from its beginning, for two files with the same beginning are two files.
func (r *reader) compare(c *file) {
	if c.size <= c.offset {
		return
	}
	if c.original == nil {
		c.original = r.originalOf(c)
	}
	o := c.original
	if o == nil || o.isCopy {
		r.diverge(c)
		return
	}
	if !r.check(o) {
		c.mtime = -1 // look again, unless c was adopted as the rest of o
		return
	}
	equal, err := r.compareMore(c, o)
	switch {
	case err != nil:
		r.fail(c, reasonRead, err)
	case !equal && r.check(o):
		r.diverge(c)
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
	c.isCopy, c.original = false, nil
	delete(r.copies, c)
	c.restart()
	r.note(c)
	r.enqueue(c)
}

// settle makes c, the copy of a file that is not followed any more, a file that
// is read from where o was, or where they were last compared.
func (r *reader) settle(c, o *file) {
	c.isCopy, c.original = false, nil
	delete(r.copies, c)
	if o.offset < c.offset {
		c.continueAt(o)
	}
	r.note(c)
	r.enqueue(c)
}

// continueAt makes c, which has the same bytes as o up to there, go on where o
// was.
func (c *file) continueAt(o *file) {
	size := c.size
	c.content = o.content
	c.generation, c.size = 0, size
	c.tail = append(c.tail[:0], o.tail...)
	c.skipping = o.skipping
	c.partial, c.need = 0, 0
}
