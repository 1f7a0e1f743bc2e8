package kafka

import (
	"slices"
	"sync"
	"sync/atomic"

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

// job is a frame on its way. A piece belongs to its partition's goroutine, which
// changes its batches only with mu held, since each note speaks of all pieces.
type job struct {
	frame *spool.Frame
	// base is the frame's: it outlives it.
	base int64
	// routes are the topics that its records go to, as they were when the frame
	// was taken apart: so it is taken apart in the same way again.
	routes []route
	pieces []*piece
	// deferred says that the frame went back to the spool.
	deferred atomic.Bool

	mu sync.Mutex
	// slot says that it takes one of the window's.
	slot bool
	// owed is what partitions get later that were left behind. Run's goroutine
	// changes it, while pieces are left.
	owed []owed
	// left is how many pieces are not done.
	left int
	// rejected are the records that went to the dead letters, sorted.
	rejected []int32
}

// route is a topic of a job.
type route struct {
	topic string
	// partitions is how many the topic had; 0 says that all of the frame goes to
	// the one piece there is.
	partitions int32
	// sticky is the partition of records without key, or elsewhere.
	sticky int32
}

// piece are the records of a job that go to one partition, in batches that are sent
// one after the other: one, unless the broker wanted smaller ones.
type piece struct {
	job *job
	// route is an index of the job's.
	route     int
	partition int32
	batches   []batch
	// resumed says that an earlier life has staged it: what it says was sent may
	// be on the broker.
	resumed bool
	// round is the transaction's attempt that it is part of, if there are any.
	round *round
	// data is the record batch of all of the piece, if the frame was taken apart
	// in this life and nothing was rejected since.
	data []byte
}

// batch are the records of a piece in [first, end) of the frame.
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
// as a whole, so that none of it was taken. It is false for a batch of one record.
func (p *piece) halve(i int) bool {
	b := p.batches[i]
	if b.end-b.first < 2 {
		return false
	}
	middle := b.first + (b.end-b.first)/2
	p.job.mu.Lock()
	defer p.job.mu.Unlock()
	p.batches[i] = batch{first: b.first, end: middle}
	p.batches = slices.Insert(p.batches, i+1, batch{first: middle, end: b.end})
	return true
}

// mark changes the state of the batch at i.
func (p *piece) mark(i int, s state) {
	p.job.mu.Lock()
	defer p.job.mu.Unlock()
	p.batches[i].state = s
}

// whole says that b is all of the piece.
func (p *piece) whole(b *batch) bool { return b.first == 0 && b.end == p.job.frame.Count }

// waits says that the record with this index in the frame is in a batch that is not done.
func (p *piece) waits(index int32) bool {
	return slices.ContainsFunc(p.batches, func(b batch) bool { return b.state != done && b.first <= index && index < b.end })
}

// reject notes that a record went to the dead letters.
func (j *job) reject(index int32) {
	if at, found := slices.BinarySearch(j.rejected, index); !found {
		j.rejected = slices.Insert(j.rejected, at, index)
	}
}

func (j *job) isRejected(index int32) bool {
	_, found := slices.BinarySearch(j.rejected, index)
	return found
}
