package file

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packed says whether a file called name can be unpacked.
func packed(name string) bool {
	ext := filepath.Ext(name)
	return ext == ".gz" || ext == ".zst"
}

// unpack returns what the compressed r holds.
func unpack(name string, r io.Reader) (io.ReadCloser, error) {
	if filepath.Ext(name) == ".gz" {
		return gzip.NewReader(r)
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}

// readPacked looks among the compressed siblings of f, which is gone or was
// truncated, for what f was. What follows the offset there is read on, as the
// given source; it returns the size of the whole, or -1 if it has found nothing.
//
// Where nothing was seen that is unread, siblings that are older than the position
// can't hold more than was read: unpacking them at each start would be in vain.
func (r *reader) readPacked(f *file, source string, siblings []sight) (size int64) {
	if f.offset == 0 && f.headLen == 0 {
		return -1
	}
	var since int64
	if max(f.size, f.glimpse) <= f.offset {
		since = f.noted.Add(-settled).UnixNano()
	}
	for _, s := range siblings {
		if !packed(s.path) || s.birth != 0 && s.birth < since {
			continue
		}
		rest, size, err := unpackRest(s.path, f)
		if err != nil {
			r.refuse(s.path, reasonRead, err)
			continue
		}
		if size < f.offset {
			continue
		}
		r.log.Info("what was left of a file is read from a compressed copy", "path", s.path, "original", f.path, "bytes", size-f.offset)
		if rest >= 0 {
			r.meetRest(f, source, rest)
		}
		return size
	}
	return -1
}

// meetRest takes in the open fd, an unpacked copy of f, as the source. Its state
// is that of f but for the inode: after a restart it is unpacked again.
//
// It is a stray, but none by whose name a copy could be told.
func (r *reader) meetRest(f *file, source string, fd int) {
	g := &file{path: f.path, fd: -1}
	st, err := r.attach(g, fd)
	if err != nil {
		closeFD(fd)
		r.fail(f, reasonStat, err)
		return
	}
	g.source, g.content, g.skipping = source, f.content, f.skipping
	if source == f.source {
		g.records, g.bytes, g.cut, g.lost = f.records, f.bytes, f.cut, f.lost
	}
	g.size, g.moved, g.unlinked = st.size, true, true
	g.tailLen = int(min(g.offset, tailBytes))
	r.follow(g, fd)
	r.loadTail(g)
	r.extendHead(g)
	g.stray = true
	r.strays[g] = struct{}{}
	r.note(g)
	r.enqueue(g)
}

// unpackRest says how much the compressed file at path holds, if it begins with
// what was read from f; -1 if it does not. If it holds more, that is in rest, a
// file without a name, at the same offset as in the whole.
func unpackRest(path string, f *file) (rest int, size int64, err error) {
	in, err := os.Open(path)
	if err != nil {
		return -1, -1, err
	}
	defer in.Close()
	z, err := unpack(path, in)
	if err != nil {
		return -1, -1, nil // not what its name says: not a copy
	}
	defer z.Close()
	head := make([]byte, headBytes)
	n, err := io.ReadFull(z, head)
	if n < f.headLen || hashHead(head[:f.headLen]) != f.head || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return -1, -1, nil
	}
	whole := io.MultiReader(bytes.NewReader(head[:n]), z)
	tail, same := begins(whole, f)
	if !same {
		return -1, -1, nil
	}
	first := make([]byte, 1)
	if n, err := io.ReadFull(whole, first); n == 0 {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return -1, f.offset, err
	}
	return writeRest(f.offset, head[:min(int64(n), f.offset)], tail, io.MultiReader(bytes.NewReader(first), whole))
}

// begins says whether whole begins with what was read from f, and returns the
// last of it.
func begins(whole io.Reader, f *file) (tail []byte, same bool) {
	var read file
	block := make([]byte, 64<<10)
	for read.offset < f.offset {
		end := f.offset
		if read.offset < f.sumFrom {
			end = f.sumFrom
		}
		n, err := io.ReadFull(whole, block[:min(int64(len(block)), end-read.offset)])
		if err != nil {
			return nil, false
		}
		read.skip(block[:n])
		read.keepTail(block[:n])
		if read.offset == f.sumFrom {
			read.sum = 0
		}
	}
	return read.tail, read.sum == f.sum
}

// writeRest writes to a file without a name the head, the tail before offset, and
// from there on the rest.
func writeRest(offset int64, head, tail []byte, rest io.Reader) (fd int, size int64, err error) {
	out, err := os.CreateTemp("", "spillway-rest-*")
	if err != nil {
		return -1, -1, err
	}
	defer out.Close()
	if err := os.Remove(out.Name()); err != nil {
		return -1, -1, err
	}
	_, err = out.WriteAt(head, 0)
	if err == nil {
		_, err = out.WriteAt(tail, offset-int64(len(tail)))
	}
	if err == nil {
		_, err = io.Copy(io.NewOffsetWriter(out, offset), rest)
	}
	if err != nil {
		return -1, -1, err
	}
	end, err := out.Seek(0, io.SeekEnd)
	if err == nil {
		fd, err = dup(int(out.Fd()))
	}
	if err != nil {
		return -1, -1, err
	}
	return fd, end, nil
}
