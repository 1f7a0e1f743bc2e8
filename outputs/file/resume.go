package file

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// place is where the journal says that the acknowledged bytes end.
type place struct {
	seq, inode uint64
	length     int64
}

// journalled is what the journal says at a start.
type journalled struct {
	end place
	// bounds are, newest first, places between frames, each with the offset of
	// the record that follows there.
	bounds []bound
	// doubtful is how many records were on their way.
	doubtful int64
}

type bound struct {
	place
	offset int64
}

// readJournal finds the place. The last acknowledgement is the truth; what was
// staged after it counts where it went to a later file. ok is false if the
// journal knows nothing of this path.
func (w *writer) readJournal() (j journalled, ok bool) {
	acked, _ := stagings(w.in.Acked(), w.hash)
	doubt, otherDoubt := stagings(w.in.InDoubt(), w.hash)
	slices.SortFunc(doubt, func(a, b staging) int { return cmp.Compare(a.offset, b.offset) })
	if otherDoubt > 0 {
		w.env.Log.Warn("the path was changed while frames were on their way; their records may stand in the old file, too",
			"path", w.path, "frames", otherDoubt)
	}
	for _, s := range acked {
		j.bounds = append(j.bounds,
			bound{place{s.seq, s.inode, s.after}, s.end}, bound{place{s.seq, s.inode, s.before}, s.offset})
	}
	if len(acked) > 0 {
		j.end, ok = j.bounds[0].place, true
	}
	for _, s := range doubt {
		j.doubtful += s.end - s.offset
	}
	if i := slices.IndexFunc(doubt, func(s staging) bool { return !ok || s.seq > j.end.seq }); i >= 0 {
		first := doubt[i]
		j.end, ok = place{first.seq, first.inode, first.before}, true
		j.bounds = slices.Insert(j.bounds, 0, bound{j.end, first.offset})
	}
	return j, ok
}

// resume opens the file and makes it end where the acknowledged bytes end.
func (w *writer) resume() error {
	a, err := openActive(w.path)
	if err != nil {
		return err
	}
	// Now that the file is there, links lead to it at every start alike. Rotation is
	// to rename the file and not the link.
	target, err := filepath.EvalSymlinks(w.path)
	if err != nil {
		a.Close()
		return err
	}
	w.path, w.hash = target, hashPath(target)
	if err := w.resolve(a); err != nil {
		a.Close()
		return err
	}
	w.take(a)
	return nil
}

// resolve decides which of the files the journal speaks of, and cuts it.
func (w *writer) resolve(a *active) error {
	files, err := rotatedFiles(w.path)
	if err != nil {
		return err
	}
	after := highest(files) + 1
	j, known := w.readJournal()
	rotated, found := w.findRotated(files, j.end)
	switch {
	case !known:
		w.seq, w.synced = after, a.size
		return nil
	case !a.created && a.inode == j.end.inode:
		w.seq, w.synced = max(j.end.seq, after), w.holds(a.Name(), a.size, &j)
	case found:
		// What is in the active file came later, so none of it is acknowledged.
		w.seq, w.synced = after, 0
		if err := w.cutRotated(rotated, &j); err != nil {
			return err
		}
	default:
		w.seq, w.synced = max(j.end.seq+1, after), a.size
		w.env.Log.Warn("the file was moved, replaced or deleted while nobody wrote to it; beginning anew at the end of what is there",
			"path", w.path, "records_maybe_doubled", j.doubtful)
		return nil
	}
	if a.size > w.synced {
		return cut(a.File, w.synced)
	}
	return nil
}

// findRotated finds the file that the journal speaks of among the rotated ones.
// One that is compressed has another inode; its number has to do.
func (w *writer) findRotated(files []rotatedFile, p place) (rotatedFile, bool) {
	for _, f := range files {
		if f.seq != p.seq || f.temp {
			continue
		}
		var st unix.Stat_t
		if f.ext != "" || unix.Stat(f.name, &st) == nil && st.Ino == p.inode {
			return f, true
		}
	}
	return rotatedFile{}, false
}

// cutRotated cuts a file that was rotated after its end had become durable and
// before the journal had: after a power cut the journal may be the older one.
func (w *writer) cutRotated(f rotatedFile, j *journalled) error {
	if f.ext != "" {
		if j.doubtful > 0 {
			w.env.Log.Warn("the journal is older than a file that was rotated and compressed; records may stand twice",
				"path", f.name, "records_maybe_doubled", j.doubtful)
		}
		return nil
	}
	file, err := os.OpenFile(f.name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	length := w.holds(f.name, info.Size(), j)
	if length == info.Size() {
		return nil
	}
	for _, ext := range extensions { // made from what is cut now
		if ext != "" {
			if err := os.Remove(f.name + ext); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return cut(file, length)
}

// holds returns how much of a file of the given size stays: what is journalled as
// acknowledged. If the file is shorter, that is what it has up to the last place
// between frames, and Next goes on there; what the journal or the spool has
// forgotten is lost.
func (w *writer) holds(name string, size int64, j *journalled) (length int64) {
	if size >= j.end.length {
		return j.end.length
	}
	var err error
	here := slices.DeleteFunc(slices.Clone(j.bounds), func(b bound) bool { return b.seq != j.end.seq })
	last := slices.IndexFunc(here, func(b bound) bool { return b.length <= size })
	if last < 0 {
		last = len(here) - 1
	}
	for ; last >= 0; last-- {
		b := here[last]
		if err = w.in.Rewind(b.offset); err != nil {
			continue
		}
		w.env.Log.Warn("the file is shorter than what was acknowledged; what is missing is written again", "path", name,
			"missing_bytes", j.end.length-size, "from_offset", b.offset, "lost_bytes", max(0, b.length-size))
		return min(b.length, size)
	}
	w.env.Log.Error("the file is shorter than what was acknowledged, and the spool has forgotten what is missing",
		"path", name, "lost_bytes", j.end.length-size, "error", err)
	return size
}

// cut truncates f for good: after the journal has moved on, nobody looks again.
func cut(f *os.File, length int64) error {
	if err := f.Truncate(length); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("after cutting %s: %w", f.Name(), err)
	}
	return nil
}
