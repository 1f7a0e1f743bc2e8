package file

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// rotationDue tells whether more bytes belong into a new file.
func (w *writer) rotationDue(more int64) bool {
	most := int64(w.cfg.Rotate.MaxBytes)
	return w.length > 0 && most > 0 && w.length+more > most || w.tooOld()
}

func (w *writer) tooOld() bool {
	age := w.cfg.Rotate.MaxAge
	return w.length > 0 && age > 0 && time.Since(w.file.born) >= age
}

// rotate begins a new file. Everything in the old one is acknowledged before.
func (w *writer) rotate() error {
	if err := w.sync(); err != nil {
		return err
	}
	w.step("rotate")
	if w.file != nil && !w.file.isAt(w.path) {
		w.moved()
	}
	if w.file == nil {
		return w.reopen()
	}
	name, err := w.freeName()
	if err != nil {
		return err
	}
	if err := os.Rename(w.path, name); err != nil {
		return err
	}
	w.step("renamed")
	w.next()
	if err := w.reopen(); err != nil {
		return err
	}
	w.step("created")
	return nil
}

// next leaves the file for one with the next number.
func (w *writer) next() {
	w.abandon()
	w.seq++
	w.inode, w.synced, w.length = 0, 0, 0
}

// freeName is the name that the file is rotated to. It never is one that exists:
// renaming would replace that file.
func (w *writer) freeName() (string, error) {
	name := rotatedName(w.path, w.seq)
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	files, err := rotatedFiles(w.path)
	if err != nil {
		return "", err
	}
	w.seq = max(w.seq, highest(files)+1)
	return rotatedName(w.path, w.seq), nil
}

// inspect looks, before a write, whether the file is as we left it. If lost is
// true there is a new one to be opened.
func (w *writer) inspect() (lost bool, err error) {
	st, err := w.file.stat()
	if err != nil {
		return false, err
	}
	switch {
	case st.Nlink == 0:
		// What was written to it and not acknowledged is in no file any more.
		w.env.Log.Warn("the file was deleted by somebody else; beginning a new one", "path", w.path)
		w.next()
		return true, nil
	case st.Size < w.length:
		w.env.Log.Warn("the file was truncated by somebody else; what was not yet acknowledged is written again",
			"path", w.path, "size", st.Size, "expected", w.length, "frames", w.written)
		w.seq++
		w.written, w.synced, w.length = 0, st.Size, st.Size
	case st.Size > w.length:
		if err := w.sync(); err != nil || w.file == nil {
			return true, err
		}
		w.env.Log.Warn("somebody else appends to the file, which can cost both what they wrote", "path", w.path,
			"bytes", st.Size-w.length)
		w.seq++
		w.synced, w.length = st.Size, st.Size
	}
	return false, nil
}

// settle does what is due when the clock says so: it syncs, and begins a new file
// if this one is too old.
func (w *writer) settle() error {
	if w.file != nil {
		if _, err := w.inspect(); err != nil {
			return err
		}
	}
	if w.written < len(w.pending) { // inspect has found them lost
		if err := w.write(); err != nil {
			return err
		}
	}
	if err := w.sync(); err != nil || w.file == nil || !w.tooOld() {
		return err
	}
	return w.rotate()
}

func (w *writer) moved() {
	w.env.Log.Info("the file was moved by somebody else; beginning a new one", "path", w.path)
	w.next()
}
