// Package faultfs is a file system in memory for tests, in which every fault of a
// disk can be made: errors, short writes, a full disk, syncs that fail and forget,
// flipped bits, kills, and power cuts that keep any part of what was not synced.
package faultfs

import (
	"bytes"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"

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

// FS is the file system. Its fields are set while no operation is under way.
type FS struct {
	// Inject, if set, is asked before each operation; nil lets it pass. It is
	// called with the file system locked.
	Inject func(op Op, name string, bytes int) *Fault
	// Capacity bounds the bytes of all files together; 0 does not.
	Capacity int64

	mu      sync.Mutex
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

// Injected is how many faults were made of an operation.
func (f *FS) Injected(op Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[op]
}

func (f *FS) fault(op Op, name string, bytes int) *Fault {
	if f.Inject == nil {
		return nil
	}
	fault := f.Inject(op, name, bytes)
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

func (f *FS) used() (n int64) {
	for _, file := range f.files {
		n += int64(len(file.data))
	}
	return n
}

type handle struct {
	fs   *FS
	name string
	file *file
}

func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if fault := h.fs.fault(OpRead, h.name, len(p)); fault != nil {
		return 0, &os.PathError{Op: "read", Path: h.name, Err: fault.Err}
	}
	if off >= int64(len(h.file.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.file.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) Writev(bufs [][]byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	var flat []byte
	for _, b := range bufs {
		flat = append(flat, b...)
	}
	var fail error
	if fault := h.fs.fault(OpWrite, h.name, len(flat)); fault != nil {
		flat, fail = flat[:min(fault.Short, len(flat))], fault.Err
	}
	if limit := h.fs.Capacity; limit > 0 {
		grow := off + int64(len(flat)) - int64(len(h.file.data))
		if free := limit - h.fs.used(); grow > free {
			flat, fail = flat[:max(0, int64(len(flat))-(grow-max(free, 0)))], syscall.ENOSPC
			h.fs.counts[OpWrite]++
		}
	}
	if end := off + int64(len(flat)); end > int64(len(h.file.data)) {
		h.file.data = append(h.file.data, make([]byte, end-int64(len(h.file.data)))...)
	}
	copy(h.file.data[off:], flat)
	if fail != nil {
		return len(flat), &os.PathError{Op: "write", Path: h.name, Err: fail}
	}
	return len(flat), nil
}

func (h *handle) Truncate(size int64) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if fault := h.fs.fault(OpTruncate, h.name, 0); fault != nil {
		return &os.PathError{Op: "truncate", Path: h.name, Err: fault.Err}
	}
	if size <= int64(len(h.file.data)) {
		h.file.data = h.file.data[:size]
	} else {
		h.file.data = append(h.file.data, make([]byte, size-int64(len(h.file.data)))...)
	}
	return nil
}

func (h *handle) Sync() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if fault := h.fs.fault(OpSync, h.name, 0); fault != nil {
		if fault.Forget {
			size := len(h.file.data)
			h.file.data = make([]byte, size)
			copy(h.file.data, h.file.synced)
		}
		return &os.PathError{Op: "sync", Path: h.name, Err: fault.Err}
	}
	h.file.synced = append([]byte(nil), h.file.data...)
	return nil
}

func (h *handle) Close() error { return nil }

// Kill returns the file system as a process killed now leaves it: everything
// that was written is there.
func (f *FS) Kill() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := New()
	for name, old := range f.files {
		c := &file{data: append([]byte(nil), old.data...), synced: append([]byte(nil), old.synced...)}
		next.files[name] = c
		if f.durable[name] == old {
			next.durable[name] = c
		}
	}
	return next
}

// block is the unit in which a disk writes.
const block = 512

// PowerCut returns the file system as a power cut now might leave it. What was
// synced survives. Each block that was not may be as written, as it was before,
// zero, or torn; a file may end anywhere between its synced and its written size;
// a name may be there or not unless its folder was synced.
func (f *FS) PowerCut(r *rand.Rand) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := New()
	seen := map[*file]*file{}
	survive := func(name string, old *file) {
		if seen[old] == nil {
			data := old.afterPowerCut(r)
			seen[old] = &file{data: data, synced: append([]byte(nil), data...)}
		}
		next.files[name], next.durable[name] = seen[old], seen[old]
	}
	for name, old := range f.durable {
		if f.files[name] == old || r.IntN(2) == 0 {
			survive(name, old)
		}
	}
	for name, old := range f.files {
		if f.durable[name] != old && r.IntN(2) == 0 {
			survive(name, old)
		}
	}
	return next
}

func (old *file) afterPowerCut(r *rand.Rand) []byte {
	low, high := len(old.synced), len(old.data)
	size := min(low, high) + r.IntN(max(low, high)-min(low, high)+1)
	if r.IntN(2) == 0 {
		size = high
	}
	data := make([]byte, size)
	copy(data, old.synced)
	for at := 0; at < size; at += block {
		end := min(at+block, size, high)
		if end <= at || end <= low && string(old.data[at:end]) == string(old.synced[at:end]) {
			continue
		}
		switch r.IntN(4) {
		case 0, 1:
			copy(data[at:end], old.data[at:end])
		case 2:
			torn := at + r.IntN(end-at)
			copy(data[at:torn], old.data[at:torn])
		}
	}
	copyPrefix := min(low, high, size)
	for i := 0; i < copyPrefix; i++ {
		if old.data[i] == old.synced[i] {
			data[i] = old.synced[i]
		}
	}
	return data
}

// FlipBit flips a bit of a file at rest, at the given byte.
func (f *FS) FlipBit(name string, at int64, bit uint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file := f.files[filepath.Clean(name)]
	file.data[at] ^= 1 << (bit % 8)
	if at < int64(len(file.synced)) {
		file.synced[at] ^= 1 << (bit % 8)
	}
}

// Durable says whether some file would hold these bytes after any power cut.
func (f *FS) Durable(p []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, file := range f.durable {
		if f.files[name] == file && bytes.Contains(file.synced, p) && bytes.Contains(file.data, p) {
			return true
		}
	}
	return false
}
