package file

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The state of a source, as it is kept with its position. Integers are uvarints
// unless a width is given; fixed ones are little-endian.
//
//	version     1 byte   1. A reader refuses others: it would misread them.
//	flags       1 byte   bit 0: the rest of a cut line is being skipped
//	                     bit 1: the file is a copy of another, read up to the offset there
//	generation           how often the file was found truncated; the offset counts from its last beginning
//	size                 of the file when last seen: what lies beyond the offset is unread
//	device               only breaks ties: devices are renumbered at boot
//	inode
//	birth       8 bytes  Unix nanoseconds, 0 where not known
//	head length          at most 1024
//	head        16 bytes SHA-256, cut short, of that many bytes of the beginning
//	tail length          at most 256
//	tail        8 bytes  SHA-256, cut short, of that many bytes before the offset
//	sum from             where reading began: not 0 if the file was begun at its end
//	sum         4 bytes  CRC-32C of all bytes from there to the offset
//	path length          at most 4096
//	path                 the last known name, for people and to look for the file's siblings
//
// The offset itself is the position's. Nothing may follow the path. There is no
// checksum: the spool keeps the state under one.
const stateVersion = 1

const (
	flagSkipping = 1 << iota
	flagCopy
	flagsKnown = 1<<iota - 1
)

const maxPath = 4096

// state is a decoded state.
type state struct {
	identity
	content
	skipping bool
	isCopy   bool
	path     string
}

var errNewerState = errors.New("written by a newer version")

func (s *state) append(dst []byte) []byte {
	var flags byte
	if s.skipping {
		flags |= flagSkipping
	}
	if s.isCopy {
		flags |= flagCopy
	}
	dst = append(dst, stateVersion, flags)
	dst = binary.AppendUvarint(dst, uint64(s.generation))
	dst = binary.AppendUvarint(dst, uint64(s.size))
	dst = binary.AppendUvarint(dst, s.dev)
	dst = binary.AppendUvarint(dst, s.ino)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.birth))
	dst = binary.AppendUvarint(dst, uint64(s.headLen))
	dst = append(dst, s.head[:]...)
	dst = binary.AppendUvarint(dst, uint64(s.tailLen))
	dst = append(dst, s.tailHash[:]...)
	dst = binary.AppendUvarint(dst, uint64(s.sumFrom))
	dst = binary.LittleEndian.AppendUint32(dst, s.sum)
	path := s.path[:min(len(s.path), maxPath)]
	dst = binary.AppendUvarint(dst, uint64(len(path)))
	return append(dst, path...)
}

// decodeState reads what append wrote, for a source that was read to offset.
func decodeState(p []byte, offset int64) (state, error) {
	if len(p) > 0 && p[0] > stateVersion {
		return state{}, fmt.Errorf("version %d: %w", p[0], errNewerState)
	}
	d := decoder{rest: p}
	head := d.bytes(2)
	if d.bad || head[0] != stateVersion || head[1]&^flagsKnown != 0 {
		return state{}, errors.New("not the state of a file")
	}
	s := state{
		skipping: head[1]&flagSkipping != 0,
		isCopy:   head[1]&flagCopy != 0,
	}
	s.offset = offset
	s.generation = uint32(d.uint(1<<32 - 1))
	s.size = int64(d.uint(1<<63 - 1))
	s.dev = d.uint(1<<64 - 1)
	s.ino = d.uint(1<<64 - 1)
	s.birth = int64(binary.LittleEndian.Uint64(d.bytes(8)))
	s.headLen = int(d.uint(headBytes))
	copy(s.head[:], d.bytes(len(s.head)))
	s.tailLen = int(d.uint(tailBytes))
	copy(s.tailHash[:], d.bytes(len(s.tailHash)))
	s.sumFrom = int64(d.uint(1<<63 - 1))
	s.sum = binary.LittleEndian.Uint32(d.bytes(4))
	s.path = string(d.bytes(int(d.uint(maxPath))))
	if d.bad || len(d.rest) > 0 {
		return state{}, errors.New("a torn state of a file")
	}
	if offset < 0 || int64(s.tailLen) > offset || s.sumFrom > offset {
		return state{}, fmt.Errorf("the state of a file does not fit its offset %d", offset)
	}
	return s, nil
}

// decoder takes values off the front of rest; after the first that is not there
// it is bad and yields zeros.
type decoder struct {
	rest []byte
	bad  bool
}

var zeros [16]byte

func (d *decoder) bytes(n int) []byte {
	if d.bad || n > len(d.rest) {
		d.bad = true
		return zeros[:min(n, len(zeros))]
	}
	p := d.rest[:n]
	d.rest = d.rest[n:]
	return p
}

func (d *decoder) uint(most uint64) uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.bad || n <= 0 || v > most {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}
