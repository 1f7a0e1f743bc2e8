package file

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/spillway/spillway/spool"
)

// note is what is staged with a frame: where in which file it is about to go.
//
//	version u8 = 1 · path u64 · seq u64 · inode u64 · before i64 · after i64, big-endian
//
// path is the FNV-1a hash of the path, links followed: after the path was changed,
// the notes speak of files that are no longer ours.
type note struct {
	path, seq, inode uint64
	before, after    int64
}

const (
	noteVersion = 1
	noteBytes   = 41
)

func (n *note) append(dst []byte) []byte {
	dst = append(dst, noteVersion)
	for _, v := range []uint64{n.path, n.seq, n.inode, uint64(n.before), uint64(n.after)} {
		dst = binary.BigEndian.AppendUint64(dst, v)
	}
	return dst
}

func parseNote(b []byte) (n note, ok bool) {
	if len(b) != noteBytes || b[0] != noteVersion {
		return n, false
	}
	word := func(i int) uint64 { return binary.BigEndian.Uint64(b[1+8*i:]) }
	n = note{word(0), word(1), word(2), int64(word(3)), int64(word(4))}
	return n, 0 <= n.before && n.before <= n.after
}

func hashPath(path string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(path))
	return h.Sum64()
}

// staging is a frame that the journal knows, and where it went.
type staging struct {
	note
	offset, end int64
}

// stagings picks those of this path.
func stagings(list []spool.Staged, path uint64) (ours []staging, others int) {
	for _, s := range list {
		n, ok := parseNote(s.Note)
		if !ok || n.path != path {
			others++
			continue
		}
		ours = append(ours, staging{n, s.Offset, s.End})
	}
	return ours, others
}
