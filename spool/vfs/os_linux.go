package vfs

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// maxBuffers is the kernel's IOV_MAX.
const maxBuffers = 1024

// Writev is pwritev, as often as it takes.
func (f osFile) Writev(bufs [][]byte, off int64) (written int, err error) {
	closed := f.control(func(fd int) { written, err = writeAll(fd, bufs, off) })
	if err = errors.Join(closed, err); err != nil {
		return written, &os.PathError{Op: "write", Path: f.Name(), Err: err}
	}
	return written, nil
}

func writeAll(fd int, bufs [][]byte, off int64) (written int, err error) {
	for len(bufs) > 0 {
		n, err := unix.Pwritev(fd, bufs[:min(len(bufs), maxBuffers)], off+int64(written))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return written, err
		}
		if n == 0 && len(bufs[0]) > 0 {
			return written, io.ErrShortWrite
		}
		written += n
		for len(bufs) > 0 && n >= len(bufs[0]) {
			n -= len(bufs[0])
			bufs = bufs[1:]
		}
		if n > 0 {
			bufs = append([][]byte{bufs[0][n:]}, bufs[1:]...)
		}
	}
	return written, nil
}

// Sync is fdatasync: times are not worth a second write to the disk.
func (f osFile) Sync() error {
	var err error
	closed := f.control(func(fd int) {
		for err = unix.EINTR; errors.Is(err, unix.EINTR); {
			err = unix.Fdatasync(fd)
		}
	})
	if err = errors.Join(closed, err); err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}

// control calls do with the file's descriptor, which Close leaves alone meanwhile:
// without that, the number could by then be another file's.
func (f osFile) control(do func(fd int)) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if c.Control(func(fd uintptr) { do(int(fd)) }) != nil {
		return os.ErrClosed
	}
	return nil
}
