// Package vfs is the layer between the spool and files: two interfaces of five
// methods each, so that every fault of a disk can be made in tests.
package vfs

import "errors"

// FS is a file system. Names are slash or system paths; folders need not exist
// before a file is created in them.
type FS interface {
	// List returns the files in dir, without folders, in no order. A folder
	// that does not exist has no files.
	List(dir string) ([]Entry, error)
	// Create creates a file, with the folders above it, for this process's
	// user alone. The error wraps fs.ErrExist if there is one already.
	Create(name string) (File, error)
	// Open opens an existing file. The error wraps fs.ErrNotExist if there is
	// none.
	Open(name string) (File, error)
	// Remove removes a file. The error wraps fs.ErrNotExist if there is none.
	Remove(name string) error
	// SyncDir makes the creations and removals in dir survive a power cut.
	SyncDir(dir string) error
}

// Entry is a file in a folder.
type Entry struct {
	Name string
	// Size is in bytes, as of the listing.
	Size int64
}

// File is an open file. ReadAt may be called by several goroutines while another
// one writes; the other methods belong to one goroutine.
type File interface {
	// ReadAt reads as io.ReaderAt: fewer bytes than asked for come with an
	// error, io.EOF at the end.
	ReadAt(p []byte, off int64) (int, error)
	// Writev writes all of bufs at off, one behind the other. It returns how
	// many bytes were written; if not all, the error says why. The buffers are
	// not modified; the slice that holds them may be.
	Writev(bufs [][]byte, off int64) (int, error)
	// Truncate sets the size of the file, in bytes.
	Truncate(size int64) error
	// Sync makes what was written survive a power cut. After an error nothing
	// is known about what was written since the last success, and another
	// Sync of the same file proves nothing.
	Sync() error
	Close() error
}

// errClosed is returned for a file that has been closed.
var errClosed = errors.New("vfs: file is closed")
