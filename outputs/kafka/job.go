package kafka

import (
	"slices"
	"sync"

	"github.com/spillway/spillway/spool"
)

// identity is what a broker knows a batch by: who sent it, in which of its lives,
// and which record of that life is the batch's first. Sequences are counted per
// partition.
type identity struct {
	producer int64
	epoch    int16
	sequence int32
}

// after is the identity of what follows n records. Sequences wrap to 0 after the
// largest int32.
func (id identity) after(n int32) identity {
	id.sequence = int32((int64(id.sequence) + int64(n)) & 0x7fffffff)
	return id
}

// job is a frame on its way. Its pieces belong to their partitions' goroutines; mu
// guards what these share.
type job struct {
	frame  *spool.Frame
	pieces []*piece

	mu sync.Mutex
	// left is how many pieces are not done.
	left int
	// rejected are the records that went to the dead letters, sorted.
	rejected []int32
}

// piece are the records of a job that go to one partition, in batches that are sent
// one after the other: one, unless the broker wanted smaller ones.
type piece struct {
	job       *job
	partition int32
	batches   []batch
}

// batch are the records [first, end) of a piece.
type batch struct {
	first, end int32
	state      state
	// id is how the batch was sent. It stays the same until the broker has
	// answered: so it knows a batch that comes twice.
	id identity
	// since is when it was sent first under that identity, in Unix milliseconds.
	since int64
}

type state uint8

const (
	unsent state = iota
	// sent: the broker may have it.
	sent
	done
)

// halve puts two batches in the place of the one at i, which the broker has refused
// as a whole, so that none of it was taken.
func (p *piece) halve(i int) {
	b := p.batches[i]
	middle := b.first + (b.end-b.first)/2
	p.batches[i] = batch{first: b.first, end: middle}
	p.batches = slices.Insert(p.batches, i+1, batch{first: middle, end: b.end})
}

// reject notes that a record went to the dead letters.
func (j *job) reject(index int32) {
	if at, found := slices.BinarySearch(j.rejected, index); !found {
		j.rejected = slices.Insert(j.rejected, at, index)
	}
}

// whole says that the records of b are those of the frame, none left out.
func (j *job) whole(b *batch) bool {
	return b.first == 0 && b.end == j.frame.Count && len(j.rejected) == 0
}
