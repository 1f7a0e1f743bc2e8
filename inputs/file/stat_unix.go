//go:build unix && !linux

package file

import "golang.org/x/sys/unix"

// statPath fills s with the state of the file at path, following links.
func statPath(path string, s *stat) error {
	var u unix.Stat_t
	err := retry(func() error { return unix.Stat(path, &u) })
	s.fill(&u)
	return err
}

// statFD fills s with the state of an open file.
func statFD(fd int, s *stat) error {
	var u unix.Stat_t
	err := retry(func() error { return unix.Fstat(fd, &u) })
	s.fill(&u)
	return err
}

// fill leaves the birth time unknown: not every system tells it.
func (s *stat) fill(u *unix.Stat_t) {
	*s = stat{
		inode:   inode{dev: uint64(u.Dev), ino: uint64(u.Ino)},
		size:    u.Size,
		mtime:   u.Mtim.Nano(),
		links:   uint32(u.Nlink),
		regular: u.Mode&unix.S_IFMT == unix.S_IFREG,
		folder:  u.Mode&unix.S_IFMT == unix.S_IFDIR,
	}
}

// dataFrom returns offset: not every system tells where a hole ends.
func dataFrom(_ int, offset int64) int64 { return offset }
