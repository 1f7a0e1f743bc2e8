package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spillway/spillway/internal/failpoint"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/spool"
)

const (
	// What is written is synced after syncEvery at the latest, when nothing
	// came for syncIdle, and before more than syncBytes are held.
	syncEvery = time.Second
	syncIdle  = 100 * time.Millisecond
	syncBytes = 16 << 20
	// keepBytes bounds the buffer that is kept after a long frame.
	keepBytes = 4 << 20
)

// writer is the state of one Run. One goroutine owns it.
//
// Invariants: the file holds synced bytes that are acknowledged, followed by
// those of pending[:written], and ends at length. Every pending frame is still
// ours, so that whatever goes wrong, the file is cut back to synced and all of
// them are written again.
type writer struct {
	cfg     *Config
	path    string
	hash    uint64
	env     outputs.Env
	in      outputs.Frames
	meter   *outputs.Meter
	retry   *outputs.Retry
	archive *archive
	records outputs.Records
	buf     []byte
	noted   []byte

	file           *active // nil while it can't be opened
	seq, inode     uint64  // inode is 0 for a file that is yet to be opened
	synced, length int64
	folderSynced   bool
	pending        []pendingFrame
	written        int
	firstWrite     time.Time // of the unsynced ones
	lastWrite      time.Time
	looked         time.Time
	broken         error // the journal's; it ends the Run

	// at is called at each point where a kill leaves another state behind; a
	// test may panic there.
	at        func(point string)
	fdatasync func(fd int) error
}

type pendingFrame struct {
	*spool.Frame
	staged   note
	rejected bool
}

// step passes a point of the package comment's list.
func (w *writer) step(point string) {
	failpoint.Hit("file." + point)
	if w.at != nil {
		w.at(point)
	}
}

// add takes a frame and returns when it is written, or with the error that ends
// the Run.
func (w *writer) add(ctx context.Context, f *spool.Frame) error {
	w.pending = append(w.pending, pendingFrame{Frame: f})
	return w.persist(ctx, w.write)
}

// persist tries until it works.
func (w *writer) persist(ctx context.Context, try func() error) error {
	for {
		err := try()
		switch {
		case err == nil:
			w.retry.Succeeded()
			return nil
		case w.broken != nil:
			return w.broken
		case errors.Is(err, spool.ErrClosed):
			return err
		}
		if err := w.retry.Wait(ctx, err); err != nil {
			return err
		}
	}
}

// write writes all pending frames, and syncs when that is due.
func (w *writer) write() error {
	for w.file == nil || w.written < len(w.pending) {
		if err := w.writeNext(); err != nil {
			// What is written need not wait for the disk to have room for more.
			return errors.Join(err, w.sync())
		}
	}
	if w.env.SyncAlways || w.length-w.synced >= syncBytes {
		return w.sync()
	}
	return nil
}

// writeNext opens the file if need be and writes one pending frame.
func (w *writer) writeNext() error {
	if w.file == nil {
		if err := w.reopen(); err != nil || w.written == len(w.pending) {
			return err
		}
	}
	if lost, err := w.inspect(); lost || err != nil {
		return err
	}
	if err := w.gather(); err != nil {
		return err
	}
	if w.rotationDue(int64(len(w.buf))) {
		if err := w.rotate(); err != nil {
			return err
		}
	}
	f := &w.pending[w.written] // after a rotation, which acknowledges those before
	if err := w.stage(f); err != nil {
		return err
	}
	if err := w.put(); err != nil {
		return err
	}
	now := time.Now()
	if w.written == 0 {
		w.firstWrite = now
	}
	w.lastWrite = now
	w.written++
	return nil
}

// gather fills buf with the next frame's bytes: none if it can't be read, and
// then it goes to the dead letters.
func (w *writer) gather() error {
	f := &w.pending[w.written]
	if cap(w.buf) > keepBytes {
		w.buf = nil
	}
	w.records.Open(f.Frame)
	var err error
	if w.buf, err = w.records.AppendLines(w.buf[:0]); err == nil {
		return nil
	}
	w.buf = w.buf[:0]
	if !f.rejected {
		w.env.Log.Error("frame can't be read, sent to the dead letters", "error", err)
		if err := w.in.Reject(f.Frame, -1, err); err != nil {
			return fmt.Errorf("dead letters: %w", err)
		}
		f.rejected = true
	}
	return nil
}

// stage notes where the next frame goes, unless the journal knows that already.
func (w *writer) stage(f *pendingFrame) error {
	n := note{w.hash, w.seq, w.inode, w.length, w.length + int64(len(w.buf))}
	if f.staged == n {
		return nil
	}
	w.step("stage")
	w.noted = n.append(w.noted[:0])
	if err := w.in.Stage(f.Frame, w.noted); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	f.staged = n
	w.step("staged")
	// The journal has moved on to this file: no start will look for the end of
	// an earlier one any more.
	w.archive.release(w.seq)
	return nil
}

// put writes buf at the end of the file, or leaves the file as it was.
func (w *writer) put() error {
	if failpoint.Enabled || w.at != nil {
		w.tear()
	}
	if _, err := w.file.Write(w.buf); err != nil {
		if cutErr := w.file.Truncate(w.length); cutErr != nil {
			w.abandon()
			return errors.Join(err, cutErr)
		}
		return err
	}
	w.length += int64(len(w.buf))
	w.step("written")
	return nil
}

// tear is the point at which half of a frame is written.
func (w *writer) tear() {
	half := w.buf[:len(w.buf)/2]
	if n, err := w.file.Write(half); n < len(half) || err != nil {
		return
	}
	w.step("torn")
	w.file.Truncate(w.length)
}

// sync makes what is written durable and acknowledges it.
// Afterwards the file may be gone: nil.
func (w *writer) sync() error {
	if w.broken != nil {
		return w.broken // some of pending are acknowledged and no longer ours
	}
	if w.file == nil || w.written == 0 {
		return nil
	}
	if err := w.fdatasync(int(w.file.Fd())); err != nil {
		// The kernel may have dropped the pages and would report success next
		// time. Writing everything again makes them dirty again.
		w.abandon()
		return &os.PathError{Op: "fdatasync", Path: w.path, Err: err}
	}
	if !w.folderSynced {
		if err := syncFolder(filepath.Dir(w.path)); err != nil {
			return err
		}
		w.folderSynced = true
	}
	w.step("synced")
	for i := range w.pending[:w.written] {
		f := w.pending[i].Frame
		w.meter.Sent(f)
		if err := w.in.Ack(f); err != nil {
			w.broken = fmt.Errorf("journal: %w", err)
			return w.broken
		}
		w.step("acked")
	}
	rest := copy(w.pending, w.pending[w.written:])
	clear(w.pending[rest:])
	w.pending, w.written, w.synced = w.pending[:rest], 0, w.length
	w.look()
	return nil
}

// look notices, now and then, that the file was moved away, as logrotate does.
func (w *writer) look() {
	now := time.Now()
	if now.Sub(w.looked) < syncEvery {
		return
	}
	w.looked = now
	if !w.file.isAt(w.path) {
		w.moved()
	}
}

// abandon closes the file: all pending frames are written again, after it was
// cut back to what is synced.
func (w *writer) abandon() {
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
	w.written = 0
}

// reopen opens the file in the middle of a Run, where the last one left off.
func (w *writer) reopen() error {
	a, err := openActive(w.path)
	if err != nil {
		return err
	}
	switch {
	case w.inode == 0: // a new file is what we want
		w.synced = a.size
	case a.inode == w.inode && a.size >= w.synced:
		if err := a.Truncate(w.synced); err != nil {
			a.Close()
			return err
		}
	default:
		w.env.Log.Warn("the file was replaced or truncated by somebody else; appending at its end", "path", w.path)
		w.seq++
		w.synced = a.size
	}
	w.take(a)
	return nil
}

// take makes a the file, of which synced bytes stay.
func (w *writer) take(a *active) {
	w.file, w.inode, w.length, w.folderSynced = a, a.inode, w.synced, false
}
