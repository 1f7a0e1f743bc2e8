package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// setAside copies what an unusable segment holds into the quarantine, and removes
// it.
func (s *Spool) setAside(seg *segment) error {
	data, err := readAll(seg.file)
	if err != nil {
		return err
	}
	if len(data) > 0 {
		if err := s.quarantine(fmt.Sprintf("%020d", seg.base), data); err != nil {
			return err
		}
	}
	return errors.Join(seg.file.Close(), s.fs.Remove(seg.name))
}

// keepUnreadable copies what could not be read as a journal into the quarantine: the
// next journal takes its place.
func (j *journal) keepUnreadable(s *Spool) {
	for _, name := range j.unreadable {
		f, err := j.fs.Open(name)
		if err != nil {
			continue // it stays where it is
		}
		data, err := readAll(f)
		if err == nil && len(data) > 0 {
			err = s.quarantine(j.id, data)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			s.log.Error("cannot keep an unreadable journal aside", "journal", name, "error", err)
		}
	}
}

// quarantine keeps unreadable bytes in a side file, unless they are there already.
// What it returns from without an error is durable.
func (s *Spool) quarantine(what string, data []byte) error {
	return s.withBallast(func() error {
		for i := 0; ; i++ {
			name := s.path(fmt.Sprintf("quarantine/%s-%d.bad", what, i))
			f, err := s.fs.Create(name)
			if isExist(err) {
				if s.holds(name, data) {
					return nil
				}
				continue
			}
			if err != nil {
				return err
			}
			n, err := f.Writev([][]byte{data}, 0)
			if err == nil && n < len(data) {
				err = io.ErrShortWrite
			}
			if err == nil {
				err = errors.Join(f.Sync(), s.fs.SyncDir(s.path("quarantine")))
			}
			if err = errors.Join(err, f.Close()); err != nil {
				return errors.Join(err, s.fs.Remove(name))
			}
			s.mu.Lock()
			s.quarantined += int64(len(data))
			s.mu.Unlock()
			s.log.Error("unreadable bytes are kept aside", "file", name, "bytes", len(data))
			return nil
		}
	})
}

// holds says whether a file holds just these bytes.
func (s *Spool) holds(name string, data []byte) bool {
	f, err := s.fs.Open(name)
	if err != nil {
		return false
	}
	kept, err := readAll(f)
	return errors.Join(err, f.Close()) == nil && bytes.Equal(kept, data)
}
