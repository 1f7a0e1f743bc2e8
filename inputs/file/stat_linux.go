package file

import (
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// withoutStatx is set once the kernel, or what filters its calls, has refused
// statx: birth times are then unknown.
var withoutStatx atomic.Bool

// statPath fills s with the state of the file at path, following links.
func statPath(path string, s *stat) error {
	return statAt(unix.AT_FDCWD, path, 0, s)
}

// statFD fills s with the state of an open file.
func statFD(fd int, s *stat) error {
	return statAt(fd, "", unix.AT_EMPTY_PATH, s)
}

func statAt(fd int, path string, flags int, s *stat) error {
	if withoutStatx.Load() {
		return fstatAt(fd, path, flags, s)
	}
	var x unix.Statx_t
	err := retry(func() error {
		return unix.Statx(fd, path, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &x)
	})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		withoutStatx.Store(true)
		return fstatAt(fd, path, flags, s)
	}
	if err != nil {
		return err
	}
	*s = stat{
		inode:   inode{dev: unix.Mkdev(x.Dev_major, x.Dev_minor), ino: x.Ino},
		size:    int64(x.Size),
		mtime:   x.Mtime.Sec*1e9 + int64(x.Mtime.Nsec),
		links:   x.Nlink,
		regular: x.Mode&unix.S_IFMT == unix.S_IFREG,
		folder:  x.Mode&unix.S_IFMT == unix.S_IFDIR,
	}
	if x.Mask&unix.STATX_BTIME != 0 {
		s.birth = x.Btime.Sec*1e9 + int64(x.Btime.Nsec)
	}
	return nil
}

func fstatAt(fd int, path string, flags int, s *stat) error {
	var u unix.Stat_t
	err := retry(func() error { return unix.Fstatat(fd, path, &u, flags) })
	if err != nil {
		return err
	}
	*s = stat{
		inode:   inode{dev: uint64(u.Dev), ino: u.Ino},
		size:    u.Size,
		mtime:   u.Mtim.Nano(),
		links:   uint32(u.Nlink),
		regular: u.Mode&unix.S_IFMT == unix.S_IFREG,
		folder:  u.Mode&unix.S_IFMT == unix.S_IFDIR,
	}
	return nil
}

// dataFrom returns where, from offset on, the file has something else than a
// hole, as far as the system tells.
func dataFrom(fd int, offset int64) int64 {
	at, err := unix.Seek(fd, offset, unix.SEEK_DATA)
	if err != nil {
		return offset
	}
	return at
}
