//go:build !linux

package vfs

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
