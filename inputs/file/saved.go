package file

import (
	"log/slog"
	"slices"
	"time"

	"github.com/spillway/spillway/record"
)

// saved is a committed position whose file has not been met, or has gone.
type saved struct {
	state
	position record.Position
}

// file returns the file that s describes, which is not followed.
func (s *saved) file() *file {
	f := &file{path: s.path, fd: -1}
	f.resume(s)
	f.inode, f.birth = s.inode, s.birth
	return f
}

// pool holds the positions to match files with.
type pool struct {
	byInode map[uint64][]*saved // by inode number
	byPath  map[string][]*saved // by last known path
	expired time.Time           // when old ones were last dropped
}

const (
	// poolKeep is for how long the position of a file that has gone is kept, in
	// case it comes back: as long as the spool does.
	poolKeep   = 7 * 24 * time.Hour
	poolExpire = time.Hour // how often to look for those that are to go
)

// newPool decodes the committed positions. One that can't be read is left alone.
func newPool(positions []record.Position, log *slog.Logger, fail func(reason string)) pool {
	p := pool{byInode: map[uint64][]*saved{}, byPath: map[string][]*saved{}}
	for _, position := range positions {
		s, err := decodeState(position.State, position.Offset)
		if err != nil {
			fail(reasonState)
			log.Warn("cannot use a saved position; its file is read again from the beginning",
				"source", position.Source, "error", err)
			continue
		}
		p.put(&saved{state: s, position: position})
	}
	return p
}

func (p pool) put(s *saved) {
	p.byInode[s.ino] = append(p.byInode[s.ino], s)
	p.byPath[s.path] = append(p.byPath[s.path], s)
}

func (p pool) remove(s *saved) {
	removeFrom(p.byInode, s.ino, s)
	removeFrom(p.byPath, s.path, s)
}

func removeFrom[K comparable](m map[K][]*saved, key K, s *saved) {
	list := slices.DeleteFunc(m[key], func(o *saved) bool { return o == s })
	if m[key] = list; len(list) == 0 {
		delete(m, key)
	}
}

// all returns every position.
func (p pool) all() (list []*saved) {
	for _, some := range p.byInode {
		list = append(list, some...)
	}
	return list
}

// expire drops what is too old.
func (p *pool) expire(now time.Time) {
	if now.Sub(p.expired) < poolExpire {
		return
	}
	p.expired = now
	for _, s := range p.all() {
		if now.Sub(s.position.Seen) >= poolKeep {
			p.remove(s)
		}
	}
}

// known says whether a file with this inode was followed before.
func (p pool) known(st *stat) (s *saved, ok bool) {
	for _, s := range p.byInode[st.ino] {
		if s.born(st.birth) == birthEqual {
			return s, true
		}
	}
	return nil, false
}

// match takes the position of the open file out of the pool. A file is the one
// that was read if inode number and birth time agree, or, where birth times are
// not known, inode number and content. Same says whether its content is still
// what was read; if not, it has been truncated.
func (p pool) match(fd int, path string, st *stat) (best *saved, same bool, err error) {
	rank := 0
	for _, s := range p.byInode[st.ino] {
		birth := s.born(st.birth)
		if birth == birthDiffers {
			continue
		}
		holds, err := s.holds(fd, st.size)
		if err != nil {
			return nil, false, err
		}
		if n := s.rank(birth, holds, path, st); n > rank {
			best, same, rank = s, holds, n
		}
	}
	if best != nil {
		p.remove(best)
	}
	return best, same, nil
}

// rank says how well s fits; 0 is not at all.
func (s *saved) rank(birth birthMatch, holds bool, path string, st *stat) int {
	n := 0
	switch {
	case birth == birthEqual && holds:
		n = 30
	case holds && s.headLen > 0:
		n = 20
	case birth == birthEqual || s.path == path:
		n = 10
	default:
		return 0
	}
	if s.path == path {
		n += 2
	}
	if s.dev == st.dev {
		n++
	}
	return n
}

// holds says whether the open file begins and goes on, up to the offset, with
// the bytes that were read.
func (s *saved) holds(fd int, size int64) (bool, error) {
	if size < s.offset {
		return false, nil
	}
	// A head that goes beyond the offset is no proof: the rest of it was never
	// read, and may have been cut off.
	if s.offset == 0 || int64(s.headLen) <= s.offset {
		if ok, err := s.sameHead(fd); err != nil || !ok {
			return false, err
		}
	}
	var buf [tailBytes]byte
	_, same, err := s.sameTail(fd, s.offset, buf[:])
	return same, err
}
