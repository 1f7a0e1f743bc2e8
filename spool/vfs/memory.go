package vfs

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// chunkBytes is the unit of a memory file: writing never moves what is there.
const chunkBytes = 1 << 20

// maxFreeChunks bounds the removed files' chunks that are kept for new ones.
const maxFreeChunks = 16

// Memory returns an empty file system in memory. Its files are as safe for
// concurrent use as [File] says, and are gone with the process.
func Memory() FS { return &memory{files: map[string]*memoryFile{}} }

type memory struct {
	mu    sync.Mutex
	files map[string]*memoryFile
	free  [][]byte
}

func (m *memory) List(dir string) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir = filepath.Clean(dir)
	var entries []Entry
	for name, f := range m.files {
		if filepath.Dir(name) == dir {
			entries = append(entries, Entry{filepath.Base(name), f.length()})
		}
	}
	return entries, nil
}

func (m *memory) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = filepath.Clean(name)
	if m.files[name] != nil {
		return nil, &os.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	f := &memoryFile{fs: m, handles: 1}
	m.files[name] = f
	return &memoryHandle{memoryFile: f}, nil
}

func (m *memory) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = filepath.Clean(name)
	f := m.files[name]
	if f == nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f.mu.Lock()
	f.handles++
	f.mu.Unlock()
	return &memoryHandle{memoryFile: f}, nil
}

// Remove takes the name away; handles that are open go on.
func (m *memory) Remove(name string) error {
	m.mu.Lock()
	name = filepath.Clean(name)
	f := m.files[name]
	delete(m.files, name)
	m.mu.Unlock()
	if f == nil {
		return &os.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.removed = true
	f.freeIfUnused()
	return nil
}

func (m *memory) SyncDir(string) error { return nil }

func (m *memory) chunk() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.free); n > 0 {
		c := m.free[n-1]
		m.free = m.free[:n-1]
		return c
	}
	return make([]byte, chunkBytes)
}

func (m *memory) giveBack(chunks [][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free = append(m.free, chunks[:min(len(chunks), maxFreeChunks-len(m.free))]...)
}

type memoryFile struct {
	fs *memory

	mu      sync.RWMutex
	chunks  [][]byte
	size    int64
	handles int
	removed bool
}

func (f *memoryFile) length() int64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.size
}

// freeIfUnused recycles the chunks of a removed file that nobody has open.
func (f *memoryFile) freeIfUnused() {
	if f.removed && f.handles == 0 {
		chunks := f.chunks
		f.chunks, f.size = nil, 0
		f.fs.giveBack(chunks)
	}
}

type memoryHandle struct {
	*memoryFile
	closed bool
}

func (h *memoryHandle) ReadAt(p []byte, off int64) (int, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		return 0, errClosed
	}
	n := 0
	for n < len(p) && off < h.size {
		c := h.chunks[off/chunkBytes][off%chunkBytes:]
		c = c[:min(int64(len(c)), h.size-off)]
		k := copy(p[n:], c)
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *memoryHandle) Writev(bufs [][]byte, off int64) (int, error) {
	total := int64(0)
	for _, b := range bufs {
		total += int64(len(b))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return 0, errClosed
	}
	h.extend(off + total)
	for _, b := range bufs {
		for len(b) > 0 {
			n := copy(h.chunks[off/chunkBytes][off%chunkBytes:], b)
			b, off = b[n:], off+int64(n)
		}
	}
	return int(total), nil
}

// extend makes the file at least size long; new bytes are zero.
func (f *memoryFile) extend(size int64) {
	for int64(len(f.chunks))*chunkBytes < size {
		f.chunks = append(f.chunks, f.fs.chunk())
	}
	for at := f.size; at < size; {
		c := f.chunks[at/chunkBytes][at%chunkBytes:]
		c = c[:min(int64(len(c)), size-at)]
		clear(c)
		at += int64(len(c))
	}
	f.size = max(f.size, size)
}

func (h *memoryHandle) Truncate(size int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errClosed
	}
	if size > h.size {
		h.extend(size)
		return nil
	}
	h.size = size
	used := int((size + chunkBytes - 1) / chunkBytes)
	h.fs.giveBack(h.chunks[used:])
	clear(h.chunks[used:])
	h.chunks = h.chunks[:used]
	return nil
}

func (h *memoryHandle) Sync() error { return nil }

func (h *memoryHandle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errClosed
	}
	h.closed = true
	h.handles--
	h.freeIfUnused()
	return nil
}
