package file

import (
	"bytes"
	"crypto/sha256"
	"hash/crc32"
)

const (
	headBytes = 1 << 10 // of the beginning, at most, tell files apart
	tailBytes = 256     // before the offset, at most, tell that a file is still the one that was read
)

// identity is what makes a file the same file under another name and after a
// restart. Names are no part of it: they change with each rotation.
type identity struct {
	inode
	birth    int64 // Unix nanoseconds; 0 where the file system does not tell
	headLen  int   // how many bytes of the beginning head stands for
	head     [16]byte
	tailLen  int // how many bytes before the offset tailHash stands for
	tailHash [8]byte
}

// content is the part of a file that was read: it says whether another file
// holds the same bytes.
type content struct {
	generation uint32 // how often the file was found truncated
	offset     int64  // of the next byte to read
	size       int64  // of the file when it was last looked at
	// sum is the CRC-32C of the bytes from sumFrom, where reading began, to offset.
	sumFrom int64
	sum     uint32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func hashHead(p []byte) (h [16]byte) {
	sum := sha256.Sum256(p)
	copy(h[:], sum[:])
	return h
}

func hashTail(p []byte) (h [8]byte) {
	sum := sha256.Sum256(p)
	copy(h[:], sum[:])
	return h
}

// sameHead says whether the open file begins with what h was seen to begin with.
func (id *identity) sameHead(fd int) (bool, error) {
	if id.headLen == 0 {
		return true, nil
	}
	var buf [headBytes]byte
	n, err := pread(fd, buf[:id.headLen], 0)
	return err == nil && n == id.headLen && hashHead(buf[:n]) == id.head, err
}

// sameTail says whether the bytes before offset are those that were read, and
// returns them.
func (id *identity) sameTail(fd int, offset int64, buf []byte) (tail []byte, same bool, err error) {
	if id.tailLen == 0 {
		return buf[:0], true, nil
	}
	n, err := pread(fd, buf[:id.tailLen], offset-int64(id.tailLen))
	if err != nil || n < id.tailLen || hashTail(buf[:n]) != id.tailHash {
		return nil, false, err
	}
	return buf[:n], true, nil
}

// born compares birth times: two files of the same inode number that were born
// at different times are two files.
func (id *identity) born(birth int64) birthMatch {
	switch {
	case id.birth == 0 || birth == 0:
		return birthUnknown
	case id.birth == birth:
		return birthEqual
	}
	return birthDiffers
}

type birthMatch int

const (
	birthUnknown birthMatch = iota
	birthEqual
	birthDiffers
)

// mark says what sum was when the offset was at a line end.
type mark struct {
	offset int64
	sum    uint32
}

// marks are line ends that were passed, closest together near the offset. They
// prove that a file which is shorter than what was read is a copy of it: the
// one that copytruncate made while lines were still being written and read.
type marks []mark

const (
	maxMarks   = 1024
	denseMarks = 512 // of these, the newest are never thinned out
)

func (m *marks) add(offset int64, sum uint32) {
	if len(*m) == maxMarks {
		m.thin()
	}
	*m = append(*m, mark{offset, sum})
}

// thin drops every other of the older marks, so that what is left reaches back
// to the beginning however long the file is.
func (m *marks) thin() {
	old := *m
	n := 0
	for i := 0; i < maxMarks-denseMarks; i += 2 {
		old[n] = old[i]
		n++
	}
	n += copy(old[n:], old[maxMarks-denseMarks:])
	*m = old[:n]
}

// pass moves c past the lines in data, which ends with a line end, and notes a
// mark at the end of each of the last of them.
func (c *content) pass(data []byte, m *marks) {
	dense := len(data)
	for range denseMarks {
		i := bytes.LastIndexByte(data[:max(dense-1, 0)], '\n')
		if i < 0 {
			dense = 0
			break
		}
		dense = i + 1
	}
	c.skip(data[:dense])
	for data = data[dense:]; len(data) > 0; {
		n := bytes.IndexByte(data, '\n') + 1
		c.skip(data[:n])
		data = data[n:]
		m.add(c.offset, c.sum)
	}
}

// skip moves c past data.
func (c *content) skip(data []byte) {
	c.sum = crc32.Update(c.sum, castagnoli, data)
	c.offset += int64(len(data))
}
