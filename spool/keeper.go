package spool

import (
	"errors"
	"time"
)

// keepEvery is how often the keeper looks.
const keepEvery = time.Second

// keeper deletes what outputs have passed, drops what is too old, keeps the ballast
// in place, and makes the cursors durable, also while nothing is appended.
func (s *Spool) keeper() {
	t := time.NewTicker(keepEvery)
	defer t.Stop()
	for {
		select {
		case <-s.closing.Done():
			return
		case <-t.C:
		}
		select {
		case s.turn <- struct{}{}:
		case <-s.closing.Done():
			return
		}
		s.useTurn(func() {
			s.expire(time.Now())
			_ = s.deletePassed() // it has said why
			s.restoreBallast()
		})
		for _, c := range s.cursors {
			c.catchUp()
		}
	}
}

func (s *Spool) ballastName() string { return s.path("ballast") }

// dropBallast gives up the ballast, so that cursors can still be written on a full
// disk, and says whether there was one.
func (s *Spool) dropBallast() bool {
	if !s.ballast.CompareAndSwap(true, false) || s.fs.Remove(s.ballastName()) != nil {
		return false
	}
	s.log.Warn("disk full: the ballast file is given up so that cursors can be written")
	return true
}

// withBallast writes, and where the disk is full, again without the ballast.
func (s *Spool) withBallast(write func() error) error {
	err := write()
	if isFull(err) && s.dropBallast() {
		err = write()
	}
	return err
}

// findBallast looks for the ballast of a former process.
func (s *Spool) findBallast() {
	if f, err := s.fs.Open(s.ballastName()); err == nil {
		s.ballast.Store(true)
		_ = f.Close()
	}
}

// restoreBallast writes the ballast file where there is none. Its bytes are not
// zero, so that no file system can keep them for nothing.
func (s *Spool) restoreBallast() {
	if s.ballast.Load() || s.o.Checkpoints != nil || s.reason() != "" {
		return
	}
	f, err := s.fs.Create(s.ballastName())
	if isExist(err) {
		s.ballast.Store(true)
		return
	}
	if err != nil {
		return
	}
	block := make([]byte, ballastBytes)
	for i := range block {
		block[i] = byte(i*7 + i>>8)
	}
	n, err := f.Writev([][]byte{block}, 0)
	if errors.Join(err, f.Close()) != nil || n < len(block) {
		_ = s.fs.Remove(s.ballastName())
		return
	}
	s.ballast.Store(true)
}

// reason is what keeps the spool from taking records, if anything does.
func (s *Spool) reason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble.Reason
}
