package file

import (
	"crypto/rand"
	"encoding/hex"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/spillway/spillway/record"
)

// file is a file that is followed: a source. It belongs to the reader's goroutine.
type file struct {
	source string
	path   string // where it was last seen
	former string // where it was before it was renamed; copies of it were made there
	identity
	content
	marks    marks  // while it is open
	tail     []byte // the last tailBytes before the offset; nil until it was opened
	skipping bool   // the rest of a cut line, up to its line end, is passed over

	// isCopy: the file is a copy of original, as far as they have been
	// compared, which is to the offset; its lines are those of the original.
	isCopy   bool
	original *file
	unlike   []*file // files that turned out not to be the original

	records, bytes, cut, lost int64

	fd       int       // -1: closed
	slot     int       // in the reader's list of open files
	mtime    int64     // when it was last looked at
	written  int64     // when it was last written to, as far as was seen; Unix nanoseconds
	grown    time.Time // when it was last seen to grow
	lookup   uint64    // the number of the scan that last found it at path
	queued   bool      // waits for its turn
	log      *logFiles // which it is one of while it is queued
	glimpse  int64     // the largest size seen since its turn, if it is still the same file
	moved    bool      // it has been renamed, or left the paths that are read
	stray    bool      // it is at none of the paths that are read
	ended    bool      // it is finished: its last line needs no line end
	unlinked bool      // it has been deleted
	failed   bool      // it was said that it can't be read
	dropped  bool      // it is not followed any more, though it may still be queued

	noted time.Time // when its position was last put into a batch; zero: never
	batch uint64    // the number of the batch that index belongs to
	index int       // of the source in that batch

	// partial is how many bytes from the offset hold no line end, once that
	// is much; need is how long a read must be to make progress, 0 for any.
	partial, need int
	held          bool // whole lines after the offset wait for the rest of their record
	lineBytes     int  // average length of the lines last read
}

// newSource returns a key for a source: random, so that it is never used twice,
// and with the file's first name, for people.
func newSource(path string) string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	name := filepath.Base(path)
	if len(name) > 64 {
		name = name[:64]
	}
	for !utf8.ValidString(name) {
		name = name[:len(name)-1]
	}
	return hex.EncodeToString(random[:]) + "-" + name
}

// restart makes f a file of which nothing was read.
func (f *file) restart() {
	f.content = content{generation: f.generation, size: f.size}
	f.headLen, f.tailLen, f.tail, f.marks = 0, 0, f.tail[:0], f.marks[:0]
	f.skipping, f.partial, f.need, f.held = false, 0, 0, false
}

// keepTail remembers the end of data, which was just read, as the bytes before
// the offset.
func (f *file) keepTail(data []byte) {
	if len(data) >= tailBytes {
		f.tail = append(f.tail[:0], data[len(data)-tailBytes:]...)
		return
	}
	if over := len(f.tail) + len(data) - tailBytes; over > 0 {
		f.tail = f.tail[:copy(f.tail, f.tail[over:])]
	}
	f.tail = append(f.tail, data...)
}

// position fills in p, which is durable once the batch that holds it is.
func (f *file) position(p *record.Position, now time.Time) {
	if f.tail != nil {
		f.tailLen, f.tailHash = len(f.tail), hashTail(f.tail)
	}
	s := state{identity: f.identity, content: f.content, skipping: f.skipping, isCopy: f.isCopy, path: f.path}
	p.Offset = f.offset
	p.State = s.append(p.State[:0])
	p.Records, p.Bytes, p.Cut, p.Lost = f.records, f.bytes, f.cut, f.lost
	p.Seen = now
}

// resume makes f the file that s describes.
func (f *file) resume(s *saved) {
	inode, birth := f.inode, f.birth
	f.source = s.position.Source
	f.identity, f.content = s.identity, s.content
	f.inode, f.birth = inode, birth
	f.skipping, f.isCopy = s.skipping, s.isCopy
	f.noted = s.position.Seen
	f.records, f.bytes, f.cut, f.lost = s.position.Records, s.position.Bytes, s.position.Cut, s.position.Lost
}
