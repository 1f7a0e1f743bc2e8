package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	fileMode   = 0o640
	folderMode = 0o750
)

// active is the file that is being appended to, open and locked.
type active struct {
	*os.File
	inode   uint64
	size    int64 // when it was opened
	created bool  // by opening it
	born    time.Time
}

// openActive opens the file at path, or makes it, and locks it: of two writers
// to one path the second waits and says so.
func openActive(path string) (*active, error) {
	dir := filepath.Dir(path)
	if err := makeFolder(dir); err != nil {
		return nil, allow(err, dir)
	}
	_, err := os.Lstat(path)
	a := &active{created: errors.Is(err, fs.ErrNotExist)}
	if a.File, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK, fileMode); err != nil {
		if a.created {
			return nil, allow(err, dir)
		}
		return nil, allow(err, path)
	}
	if err := a.lock(path); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (a *active) lock(path string) error {
	fd := int(a.Fd())
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("%s is locked: another output or process writes to it", path)
		}
		return fmt.Errorf("lock %s: %w", path, err)
	}
	st, err := a.stat()
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if !a.isAt(path) {
		return fmt.Errorf("%s was moved while it was opened", path)
	}
	a.inode, a.size, a.born = st.Ino, st.Size, birth(fd, st)
	return nil
}

// stat is fstat.
func (a *active) stat() (st unix.Stat_t, err error) {
	if err = unix.Fstat(int(a.Fd()), &st); err != nil {
		err = fmt.Errorf("stat %s: %w", a.Name(), err)
	}
	return st, err
}

// isAt tells whether the path still leads to this file.
func (a *active) isAt(path string) bool {
	there, err := os.Stat(path)
	if err != nil {
		return false
	}
	here, err := a.Stat()
	return err == nil && os.SameFile(here, there)
}

// birth is when the file was made, or, where that is not kept, last changed.
func birth(fd int, st unix.Stat_t) time.Time {
	var x unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &x); err == nil && x.Mask&unix.STATX_BTIME != 0 {
		return time.Unix(x.Btime.Sec, int64(x.Btime.Nsec))
	}
	return time.Unix(st.Mtim.Unix())
}

// makeFolder makes a folder and those above it, each of them durable.
func makeFolder(dir string) error {
	err := os.Mkdir(dir, folderMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeFolder(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, folderMode)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		// A folder that is there may still be one that we must not make.
		if info, statErr := os.Stat(dir); statErr == nil && info.IsDir() {
			return nil
		}
		return err
	}
	return syncFolder(filepath.Dir(dir))
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}
