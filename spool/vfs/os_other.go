//go:build !linux

package vfs

import (
	"os"
	"runtime"
)

func (f osFile) Writev(bufs [][]byte, off int64) (int, error) {
	written := 0
	for _, b := range bufs {
		n, err := f.WriteAt(b, off+int64(written))
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// SyncDir does nothing on Windows, where folders cannot be synced.
func (osFS) SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
