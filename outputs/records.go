package outputs

import (
	"fmt"
	"slices"

	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/recordbatch"
)

// Records iterates over the records of a frame that are still to be delivered.
// One goroutine uses it, for one frame after the other: buffers are kept.
type Records struct {
	frame  *spool.Frame
	reader recordbatch.Reader
	index  int32
	err    error
	// begin is the first record that was not confirmed; skip are, sorted,
	// those after it that were rejected.
	begin int32
	skip  []int32
}

// Open makes r iterate over f, from its first record. f must stay valid as long
// as r is used.
func (r *Records) Open(f *spool.Frame) {
	r.frame, r.begin, r.skip = f, 0, r.skip[:0]
	r.index, r.err = -1, f.Records(&r.reader)
}

// Rewind starts again at the first record that is still to be delivered.
func (r *Records) Rewind() {
	if r.index < 0 {
		return // nothing was read: once decompressed is enough
	}
	r.index, r.err = -1, r.frame.Records(&r.reader)
}

// Frame is what the records are of.
func (r *Records) Frame() *spool.Frame { return r.frame }

// Next goes to the next record and tells whether there is one. After it has
// said no, Err tells why.
func (r *Records) Next() bool {
	for r.err == nil && r.reader.Next() {
		r.index++
		if r.index < r.begin || len(r.skip) > 0 && r.rejected(r.index) {
			continue
		}
		return true
	}
	if r.err == nil {
		r.err = r.reader.Err()
	}
	return false
}

// Index is the record's position in its frame, from 0. Rejected and confirmed
// records keep theirs.
func (r *Records) Index() int32 { return r.index }

// Key is the record's key; nil if it has none. It is valid until the next
// Rewind or Open.
func (r *Records) Key() []byte { return r.reader.Record().Key }

// Value is the encoded record. It is valid until the next Rewind or Open.
func (r *Records) Value() []byte { return r.reader.Record().Value }

// Err is not nil if the frame can't be read. [Each] knows it without being told.
func (r *Records) Err() error {
	if r.err == nil {
		return nil
	}
	return fmt.Errorf("frame at offset %d: %w", r.frame.Base, r.err)
}

// Confirm says that all records up to and including this index are delivered:
// what fails later need not send them again.
func (r *Records) Confirm(index int32) { r.begin = max(r.begin, index+1) }

// AppendLines appends all values that are still to be delivered, each followed
// by a newline.
func (r *Records) AppendLines(dst []byte) ([]byte, error) {
	for r.Rewind(); r.Next(); {
		dst = append(append(dst, r.Value()...), '\n')
	}
	return dst, r.Err()
}

// reject takes a record out of what is to be delivered.
func (r *Records) reject(index int32) {
	if at, found := slices.BinarySearch(r.skip, index); !found {
		r.skip = slices.Insert(r.skip, at, index)
	}
}

func (r *Records) rejected(index int32) bool {
	_, found := slices.BinarySearch(r.skip, index)
	return found
}

// holds tells whether the record is one of those still to be delivered.
func (r *Records) holds(index int32) bool {
	return index >= r.begin && index < r.frame.Count && !r.rejected(index)
}

// pending is how many records are still to be delivered.
func (r *Records) pending() int32 {
	after, _ := slices.BinarySearch(r.skip, r.begin)
	return r.frame.Count - r.begin - int32(len(r.skip)-after)
}
