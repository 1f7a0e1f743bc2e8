package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// DataDir is the lock on a data folder: one process at a time may own it.
type DataDir struct {
	lock *flock.Flock
	pid  string
}

// ErrTaken says that another process owns the data folder.
var ErrTaken = errors.New("data_dir belongs to another process")

// LockDataDir creates dir if need be and takes it for this process. The error
// wraps [ErrTaken] and says which process has it.
func LockDataDir(dir string) (*DataDir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data_dir: %w: choose a folder this user can write to", err)
	}
	d := &DataDir{lock: flock.New(filepath.Join(dir, "lock")), pid: filepath.Join(dir, "pid")}
	ok, err := d.lock.TryLock()
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("data_dir: %w: choose a folder this user can write to", err)
		}
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	if !ok {
		holder := "of unknown id"
		if pid, err := os.ReadFile(d.pid); err == nil {
			holder = strings.TrimSpace(string(pid))
		}
		return nil, fmt.Errorf("%w: process %s owns %s: stop it, or give this one its own data_dir", ErrTaken, holder, dir)
	}
	if err := os.WriteFile(d.pid, fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		// On a full disk the lock is what counts; the number is for people.
		_ = os.Remove(d.pid)
	}
	return d, nil
}

// Unlock gives the folder back.
func (d *DataDir) Unlock() error {
	_ = os.Remove(d.pid)
	return d.lock.Unlock()
}
