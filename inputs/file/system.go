package file

import (
	"errors"

	"golang.org/x/sys/unix"
)

// inode is what the system calls a file while it lives. After its deletion the
// number may be given to another file; device numbers may change at boot.
type inode struct{ dev, ino uint64 }

// stat is what the system says about a file. Times are Unix nanoseconds.
type stat struct {
	inode
	birth   int64 // 0: not known
	size    int64
	mtime   int64
	links   uint32 // 0: deleted
	regular bool
	folder  bool
}

// open opens a file for reading. It does not wait for the other end of a pipe.
// Files are read by descriptor: an [os.File] would cost a second read to learn
// of the end of file, and memory for each of thousands of idle files.
func open(path string) (fd int, err error) {
	err = retry(func() error {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		return err
	})
	return fd, err
}

func closeFD(fd int) { _ = unix.Close(fd) }

// pread reads at offset into p. Less than len(p) means the end of the file, for
// now.
func pread(fd int, p []byte, offset int64) (n int, err error) {
	for {
		n, err = unix.Pread(fd, p, offset)
		if err == nil {
			return n, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return 0, err
		}
	}
}

func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// gone says that err means that there is no such file, rather than that the
// file can't be reached just now.
func gone(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) }

// dup returns another descriptor of an open file.
func dup(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }
