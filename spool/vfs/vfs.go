// Package vfs is the layer between the spool and files: two interfaces of five
// methods each, so that every fault of a disk can be made in tests.
//
// What the layer promises, and what it does not:
//
//   - What is missing is told by an error that wraps [io/fs.ErrNotExist], what is there already by one that wraps [io/fs.ErrExist]; a folder that is missing is an empty one.
//   - What is short is told: a read or a write that does less than asked for returns how much it did, and why it did no more.
//   - What is corrupt is not told. The bytes may have rotted, and after a power cut what was not synced may be there in any part; whoever reads must know good bytes by a checksum.
//   - A write is there for every reader at once, and survives the end of the process. A power cut it survives only if the file was synced after it, and the folder after the file was created.
package vfs

// FS is a file system. Names are paths of the operating system. Its methods may be
// called by several goroutines.
type FS interface {
	// List returns the files in dir, not those in its folders, sorted by name.
	// A folder that does not exist has no files. A file that is removed
	// meanwhile may be left out.
	List(dir string) ([]Entry, error)
	// Create creates an empty file, readable and writable for this user alone,
	// and the folders above it that are missing. The error wraps fs.ErrExist if
	// there is a file already, which is left as it is.
	Create(name string) (File, error)
	// Open opens a file as it is. The error wraps fs.ErrNotExist if there is
	// none. A file that this user may only read is opened for that.
	Open(name string) (File, error)
	// Remove takes a file's name away; who has it open goes on reading and
	// writing. The error wraps fs.ErrNotExist if there is none. A power cut
	// may bring the file back until the folder is synced.
	Remove(name string) error
	// SyncDir makes the creations and removals in dir survive a power cut. It
	// says nothing of what is in the files. After an error both may or may not
	// survive.
	SyncDir(dir string) error
}

// Entry is a file in a folder.
type Entry struct {
	Name string
	// Size is in bytes, as of the listing.
	Size int64
}

// File is an open file. There is no position: every read and write says where.
// Offsets and sizes are in bytes, and never negative.
// ReadAt and Sync may be called at any time, by several goroutines; Writev and
// Truncate belong to one goroutine at a time. After Close all of them return an
// error that wraps fs.ErrClosed.
type File interface {
	// ReadAt reads as io.ReaderAt: fewer bytes than len(p) come with an error,
	// which is io.EOF at the file's end and behind it.
	ReadAt(p []byte, off int64) (int, error)
	// Writev writes all of bufs at off, one behind the other; what lies between
	// the file's end and off becomes zero. It returns how many bytes were
	// written from the first on, and an error if that is not all; the rest is
	// as it was. Neither the buffers nor bufs are modified or kept.
	Writev(bufs [][]byte, off int64) (int, error)
	// Truncate sets the size of the file. What it grows by is zero. After an
	// error the size is the old or the new one.
	Truncate(size int64) error
	// Sync makes what was written before survive a power cut. After an error
	// anything written since the last success may be lost, even if it can still
	// be read and a later Sync succeeds: systems forget what they could not
	// write. What matters must be written again, to another file.
	Sync() error
	// Close gives the file back. It syncs nothing.
	Close() error
}
