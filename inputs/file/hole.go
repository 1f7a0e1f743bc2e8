package file

import "bytes"

const (
	// holeBlock is how much of a hole is looked at at a time, where the system
	// does not tell where it ends.
	holeBlock = 64 << 10
	// leastHole is from how many NULs on the beginning of a file that was never
	// found truncated is a hole.
	leastHole = 4 << 10
)

// hole says how long the hole is at the beginning of f: the NULs that a writer
// leaves who goes on where it was after its file was truncated. Nobody has
// written them, and with them the line behind might be too long. It is not known
// yet while nothing follows.
func (r *reader) hole(f *file) (length int64, known bool) {
	space := r.filling().Space(holeBlock)[:holeBlock]
	length = dataFrom(f.fd, 0)
	for {
		n, err := pread(f.fd, space, length)
		if err != nil {
			r.fail(f, reasonRead, err)
			return 0, false
		}
		nuls := n - len(bytes.TrimLeft(space[:n], "\x00"))
		length += int64(nuls)
		if nuls == n && n > 0 {
			continue
		}
		if f.generation == 0 && length < leastHole {
			return 0, true
		}
		return length, n > 0 || f.ended
	}
}
