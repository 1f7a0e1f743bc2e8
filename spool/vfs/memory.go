package vfs

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// chunkBytes is the unit of a memory file: writing never moves what is there.
const chunkBytes = 1 << 20

// maxFreeChunks bounds the removed files' chunks that are kept for new ones.
const maxFreeChunks = 16

// Memory returns an empty file system in memory. Its files are gone with the
// process, so syncing does nothing. It holds memory in chunks of 1 MiB: a file
// takes its size rounded up to that, and gives it back when it is truncated, or
// removed and closed.
func Memory() FS { return &memory{files: map[string]*memoryFile{}} }

type memory struct {
	mu     sync.Mutex
	files  map[string]*memoryFile
	chunks chunkPool
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
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

func (m *memory) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = filepath.Clean(name)
	if m.files[name] != nil {
		return nil, &os.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	f := &memoryFile{pool: &m.chunks, handles: 1}
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

// chunkPool keeps some of the chunks that files give back. It has its own lock,
// which is taken last: files take chunks while they are locked.
type chunkPool struct {
	mu   sync.Mutex
	free [][]byte
}

func (p *chunkPool) get() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		c := p.free[n-1]
		p.free = p.free[:n-1]
		return c
	}
	return make([]byte, chunkBytes)
}

func (p *chunkPool) put(chunks [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, chunks[:min(len(chunks), maxFreeChunks-len(p.free))]...)
}

type memoryFile struct {
	pool *chunkPool

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
		f.pool.put(chunks)
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
		return 0, fs.ErrClosed
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
		return 0, fs.ErrClosed
	}
	if total == 0 {
		return 0, nil
	}
	h.extend(off)
	h.reserve(off + total)
	for _, b := range bufs {
		for len(b) > 0 {
			n := copy(h.chunks[off/chunkBytes][off%chunkBytes:], b)
			b, off = b[n:], off+int64(n)
		}
	}
	h.size = max(h.size, off)
	return int(total), nil
}

// reserve has chunks for size bytes. What is in them behind the file's end is
// anything.
func (f *memoryFile) reserve(size int64) {
	for int64(len(f.chunks))*chunkBytes < size {
		f.chunks = append(f.chunks, f.pool.get())
	}
}

// extend makes the file at least size long; new bytes are zero.
func (f *memoryFile) extend(size int64) {
	f.reserve(size)
	for f.size < size {
		c := f.chunks[f.size/chunkBytes][f.size%chunkBytes:]
		c = c[:min(int64(len(c)), size-f.size)]
		clear(c)
		f.size += int64(len(c))
	}
}

func (h *memoryHandle) Truncate(size int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return fs.ErrClosed
	}
	if size >= h.size {
		h.extend(size)
		return nil
	}
	h.size = size
	used := int((size + chunkBytes - 1) / chunkBytes)
	h.pool.put(h.chunks[used:])
	clear(h.chunks[used:])
	h.chunks = h.chunks[:used]
	return nil
}

func (h *memoryHandle) Sync() error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		return fs.ErrClosed
	}
	return nil
}

func (h *memoryHandle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return fs.ErrClosed
	}
	h.closed = true
	h.handles--
	h.freeIfUnused()
	return nil
}
