package faultfs

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"slices"
)

// Kill returns the file system as a process killed now leaves it: everything
// that was written is there.
func (f *FS) Kill() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := New()
	for name, old := range f.files {
		c := &file{data: slices.Clone(old.data), synced: slices.Clone(old.synced)}
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
			seen[old] = &file{data: data, synced: slices.Clone(data)}
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

func (f *file) afterPowerCut(r *rand.Rand) []byte {
	low, high := len(f.synced), len(f.data)
	size := min(low, high) + r.IntN(max(low, high)-min(low, high)+1)
	if r.IntN(2) == 0 {
		size = high
	}
	data := make([]byte, size)
	copy(data, f.synced)
	for at := 0; at < size; at += block {
		end := min(at+block, size, high)
		if end <= at || end <= low && string(f.data[at:end]) == string(f.synced[at:end]) {
			continue
		}
		switch r.IntN(4) {
		case 0, 1:
			copy(data[at:end], f.data[at:end])
		case 2:
			torn := at + r.IntN(end-at)
			copy(data[at:torn], f.data[at:torn])
		}
	}
	copyPrefix := min(low, high, size)
	for i := 0; i < copyPrefix; i++ {
		if f.data[i] == f.synced[i] {
			data[i] = f.synced[i]
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
