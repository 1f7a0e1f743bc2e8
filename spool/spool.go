package spool

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway/spillway/internal/failpoint"
	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/vfs"
)

// Spool is the durable buffer of one pipeline.
//
// Who holds turn may write: the segment under construction and everything in
// writer belong to it. mu guards what appenders, senders and the syncer share; it
// is not held during I/O, but for rare looks at an opening. Who needs several takes
// turn first, then a cursor's turn, then mu.
type Spool struct {
	fs  vfs.FS
	dir string
	o   Options
	log *slog.Logger

	opened time.Time
	turn   chan struct{}
	// syncTurn is held during a sync, so that none can follow a failed one.
	syncTurn chan struct{}
	writer   writer

	mu       sync.Mutex
	st       *state
	next     int64
	segments []*segment
	bytes    int64
	tail     tail
	cursors  []*Cursor
	// visible is the offset up to which cursors may read: with SyncAlways the
	// synced one.
	visible int64
	// waiting are the answers that wait for a sync, by the offset they need.
	waiting []answer
	// unsynced are the groups since the last sync, oldest first.
	unsynced      []*written
	unsyncedBytes int64
	syncFailed    bool
	trouble       Trouble
	quarantined   int64
	checkpoints   checkpoints
	// uncertain counts cursors that went on where the marks knew them to be.
	uncertain int64

	// ballast says that the ballast file is there.
	ballast atomic.Bool

	// freed gets a token when a cursor has moved: a full spool may have room.
	freed chan struct{}
	// dirty asks the syncer to sync now.
	dirty chan struct{}

	// broken says that a panic has left something half done. Nothing is written any
	// more: what is on the disk is what a kill would leave.
	broken atomic.Bool

	closing context.Context
	stop    context.CancelFunc
	workers sync.WaitGroup
}

// start runs one of the spool's own goroutines, which ends when the spool closes.
func (s *Spool) start(run func()) {
	s.workers.Go(func() {
		defer func() {
			if s.o.Panicked == nil {
				return
			}
			if p := recover(); p != nil {
				s.breakDown()
				s.o.Panicked(p)
			}
		}()
		run()
	})
}

func (s *Spool) breakDown() {
	s.broken.Store(true)
	s.stop()
}

// useTurn does something with the turn, which the caller has taken, and gives it back,
// after a panic too.
func (s *Spool) useTurn(do func()) {
	done := false
	defer func() {
		if !done {
			s.breakDown()
		}
		<-s.turn
	}()
	do()
	done = true
}

// locked does something under mu.
func (s *Spool) locked(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

// answer is somebody who waits until everything before end is durable.
type answer struct {
	end  int64
	tell func(error)
}

// Trouble is what keeps the spool from taking records.
type Trouble struct {
	Reason string
	Since  time.Time
}

// Group is what one append puts into the spool in one write.
type Group struct {
	// Frames are the data batches. Append takes over their references, also on
	// an error.
	Frames []*Frame
	// Positions say how far sources have been read to make them. Append copies
	// what it keeps.
	Positions []record.Position
	// Account is what the group adds to the pipeline's account.
	Account Account
	// Durable, if set, is called once: when the group is as safe as the sync
	// setting promises, or with the error that ended the wait. It must not
	// block.
	Durable func(error)

	dead []deadID
}

// Lane returns the number of an encoding, by its fingerprint. It becomes durable
// with the mark that follows.
func (s *Spool) Lane(fingerprint string) (int16, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.lane(fingerprint), nil
}

func (st *state) lane(fingerprint string) int16 {
	for i := range st.lanes {
		if st.lanes[i].fingerprint == fingerprint {
			return int16(i)
		}
	}
	st.lanes = append(st.lanes, laneState{fingerprint: fingerprint})
	return int16(len(st.lanes) - 1)
}

// Resume returns the committed positions of the sources whose keys begin with
// prefix. The caller owns them.
func (s *Spool) Resume(prefix string) []record.Position {
	if failpoint.Disabled("checkpoints") {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var ps []record.Position
	for key, p := range s.st.sources {
		if strings.HasPrefix(key, prefix) {
			ps = append(ps, p.Clone())
		}
	}
	return ps
}

// Account is the pipeline's account since the spool began.
func (s *Spool) Account() Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.account
}
