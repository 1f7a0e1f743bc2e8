// Package faultfs is a file system in memory for tests, in which every fault of a
// disk can be made: errors, short writes, a full disk, syncs that fail and forget,
// flipped bits, kills, and power cuts that keep any part of what was not synced.
package faultfs

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spillway/spillway/spool/vfs"
)

// Op is a kind of operation on the file system.
type Op uint8

// The operations.
const (
	OpList Op = iota
	OpCreate
	OpOpen
	OpRemove
	OpSyncDir
	OpRead
	OpWrite
	OpTruncate
	OpSync
	ops
)

var opNames = [ops]string{"list", "create", "open", "remove", "syncdir", "read", "write", "truncate", "sync"}

func (o Op) String() string { return opNames[o] }

// Fault is what may be made of an operation.
type Fault struct {
	// Err is returned instead of doing the operation.
	Err error
	// Short is how many bytes of a write are done before Err.
	Short int
	// Forget makes a failed sync lose what was not synced, as Linux may: the
	// file keeps its size, but what the disk holds shows through.
	Forget bool
}

// FS is the file system.
type FS struct {
	mu      sync.Mutex
	inject  func(op Op, name string, bytes int) *Fault
	files   map[string]*file
	durable map[string]*file // names as the last SyncDir left them
	counts  [ops]int
}

// file is the content of a file: what was written, and what a power cut surely
// keeps.
type file struct {
	data   []byte
	synced []byte
}

var _ vfs.FS = (*FS)(nil)

// New returns an empty file system.
func New() *FS { return &FS{files: map[string]*file{}, durable: map[string]*file{}} }

// Inject has decide asked before each operation from now on; nil lets it pass. It is
// called with the file system locked.
func (f *FS) Inject(decide func(op Op, name string, bytes int) *Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inject = decide
}

// Injected is how many faults were made of an operation.
func (f *FS) Injected(op Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[op]
}

func (f *FS) fault(op Op, name string, bytes int) *Fault {
	if f.inject == nil {
		return nil
	}
	fault := f.inject(op, name, bytes)
	if fault != nil {
		f.counts[op]++
	}
	return fault
}

// List lists the files in dir.
func (f *FS) List(dir string) ([]vfs.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault := f.fault(OpList, dir, 0); fault != nil {
		return nil, fault.Err
	}
	dir = filepath.Clean(dir)
	var entries []vfs.Entry
	for name, file := range f.files {
		if filepath.Dir(name) == dir {
			entries = append(entries, vfs.Entry{Name: filepath.Base(name), Size: int64(len(file.data))})
		}
	}
	slices.SortFunc(entries, func(a, b vfs.Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

// Create creates a file.
func (f *FS) Create(name string) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = filepath.Clean(name)
	if fault := f.fault(OpCreate, name, 0); fault != nil {
		return nil, &os.PathError{Op: "create", Path: name, Err: fault.Err}
	}
	if f.files[name] != nil {
		return nil, &os.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	f.files[name] = &file{}
	return &handle{fs: f, name: name, file: f.files[name]}, nil
}

// Open opens a file.
func (f *FS) Open(name string) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = filepath.Clean(name)
	if fault := f.fault(OpOpen, name, 0); fault != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: fault.Err}
	}
	if f.files[name] == nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &handle{fs: f, name: name, file: f.files[name]}, nil
}

// Remove removes a file.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = filepath.Clean(name)
	if fault := f.fault(OpRemove, name, 0); fault != nil {
		return &os.PathError{Op: "remove", Path: name, Err: fault.Err}
	}
	if f.files[name] == nil {
		return &os.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(f.files, name)
	return nil
}

// SyncDir makes the names in dir durable.
func (f *FS) SyncDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir = filepath.Clean(dir)
	if fault := f.fault(OpSyncDir, dir, 0); fault != nil {
		return fault.Err
	}
	for name := range f.durable {
		if filepath.Dir(name) == dir && f.files[name] == nil {
			delete(f.durable, name)
		}
	}
	for name, file := range f.files {
		if filepath.Dir(name) == dir {
			f.durable[name] = file
		}
	}
	return nil
}

type handle struct {
	fs     *FS
	name   string
	file   *file
	closed bool
}

// begin locks the file system for an operation, unless the handle is closed, and
// asks for a fault. The caller unlocks.
func (h *handle) begin(op Op, bytes int) (*Fault, error) {
	h.fs.mu.Lock()
	if h.closed {
		return nil, h.failed(op, fs.ErrClosed)
	}
	return h.fs.fault(op, h.name, bytes), nil
}

func (h *handle) failed(op Op, err error) error {
	return &os.PathError{Op: op.String(), Path: h.name, Err: err}
}

// resize sets the size of the file; what it grows by is zero.
func (f *file) resize(size int64) {
	if grow := size - int64(len(f.data)); grow > 0 {
		f.data = append(f.data, make([]byte, grow)...)
	}
	f.data = f.data[:size]
}

func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	fault, err := h.begin(OpRead, len(p))
	defer h.fs.mu.Unlock()
	if fault != nil {
		err = h.failed(OpRead, fault.Err)
	}
	if err != nil {
		return 0, err
	}
	n := copy(p, h.file.data[min(off, int64(len(h.file.data))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) Writev(bufs [][]byte, off int64) (int, error) {
	flat := bytes.Join(bufs, nil)
	fault, err := h.begin(OpWrite, len(flat))
	defer h.fs.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if fault != nil {
		flat, err = flat[:min(fault.Short, len(flat))], h.failed(OpWrite, fault.Err)
	}
	if len(flat) > 0 {
		h.file.resize(max(int64(len(h.file.data)), off+int64(len(flat))))
		copy(h.file.data[off:], flat)
	}
	return len(flat), err
}

func (h *handle) Truncate(size int64) error {
	fault, err := h.begin(OpTruncate, 0)
	defer h.fs.mu.Unlock()
	switch {
	case err != nil:
		return err
	case fault != nil:
		return h.failed(OpTruncate, fault.Err)
	}
	h.file.resize(size)
	return nil
}

func (h *handle) Sync() error {
	fault, err := h.begin(OpSync, 0)
	defer h.fs.mu.Unlock()
	switch {
	case err != nil:
		return err
	case fault == nil:
		h.file.synced = slices.Clone(h.file.data)
		return nil
	}
	if fault.Forget {
		data := make([]byte, len(h.file.data))
		copy(data, h.file.synced)
		h.file.data = data
	}
	return h.failed(OpSync, fault.Err)
}

func (h *handle) Close() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return fs.ErrClosed
	}
	h.closed = true
	return nil
}
