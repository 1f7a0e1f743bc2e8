package file

import (
	"cmp"
	"slices"
	"time"
)

// sight is a path at which a scan sees a file that was not there before.
type sight struct {
	*entry
	stat
}

// look is a scan: it finds out which files are at the paths, which of them have
// changed, moved or gone, and which are new.
func (r *reader) look() {
	began := time.Now()
	r.now = began
	r.scanned++
	if r.found.refresh() && r.watch != nil {
		r.watch.follow(r.found, r.now)
	}
	var others []sight
	seen := 0
	for _, e := range r.found.entries {
		var st stat
		if err := statPath(e.path, &st); err != nil {
			r.unseen(e, err)
			continue
		}
		f := e.file
		if f == nil || !r.same(f, &st) {
			if e.file = nil; st.regular {
				others = append(others, sight{e, st})
			}
			continue
		}
		if f.lookup != r.scanned {
			f.lookup = r.scanned
			seen++
		}
		r.changed(f, &st)
	}
	fresh := r.renamed(others, &seen)
	if seen+len(r.strays) < len(r.files) {
		r.leave()
	}
	took := time.Since(began)
	r.meetAll(fresh)
	r.lookAtStrays()
	r.closeIdle()
	r.renew(r.beginning)
	r.saved.expire(r.now)
	if r.scanned == 1 {
		r.begun()
	}
	r.scan.done(took)
}

// renew commits the position of an idle file from time to time.
func (r *reader) renew(f *file) {
	if !f.noted.IsZero() && r.now.Sub(f.noted) >= renewAfter {
		r.note(f)
	}
}

// begun ends the first scan.
func (r *reader) begun() {
	r.lookForSaved()
	if r.cfg.StartAt == "end" {
		r.note(r.beginning)
	}
	if len(r.inBatch) > 0 && r.full == nil && r.first {
		r.handOff() // where files begin must be committed before they grow
	}
	r.first = false
}

// unseen handles a path that can't be looked at. That it has gone shows later,
// when its file was not seen by this scan.
func (r *reader) unseen(e *entry, err error) {
	if gone(err) {
		e.file = nil
		delete(r.refused, e.path)
		return
	}
	if e.file != nil {
		e.file.lookup = r.scanned // out of reach is not gone
		r.renew(e.file)
	}
	r.refuse(e.path, reasonStat, err)
}

// same says whether st is f. While f is open its inode number can't be reused.
func (r *reader) same(f *file, st *stat) bool {
	return r.files[st.inode] == f && (f.fd >= 0 || f.born(st.birth) != birthDiffers)
}

// changed gives f a turn if it is no longer as its last turn left it.
func (r *reader) changed(f *file, st *stat) {
	if st.size > f.glimpse {
		f.grown = r.now
	}
	f.glimpse, f.written = max(f.glimpse, st.size), st.mtime
	r.renew(f)
	same := st.size == f.size && st.mtime == f.mtime
	if st.size > f.size && !f.isCopy {
		r.grew(f, st.size)
	}
	switch {
	case !same:
		r.enqueue(f)
	case f.moved && f.size > f.offset && !f.isCopy && r.now.Sub(f.grown) >= r.cfg.CloseAfter:
		f.ended = true
		r.enqueue(f)
	}
}

// grew looks at what was added to f where its turn may come too late to tell
// what is lost, or what a copy is a copy of: while the pipeline is full, and as
// long as nothing but its size would be known of f.
func (r *reader) grew(f *file, size int64) {
	if unknown := f.offset == 0 && f.headLen == 0; unknown && (f.fd >= 0 || r.reopen(f)) || r.full != nil && f.fd >= 0 {
		r.unchanged(f, size)
	}
}

// renamed finds the files that others are, under new names or further ones, and
// returns the rest: those that are new.
func (r *reader) renamed(others []sight, seen *int) (fresh []sight) {
	for _, s := range others {
		f := r.files[s.inode]
		switch {
		case f == nil:
			fresh = append(fresh, s)
		case !r.same(f, &s.stat):
			r.vanish(f) // its inode number has been given to another file
			fresh = append(fresh, s)
		case f.lookup == r.scanned: // a second name, by which it is not read
		default:
			f.lookup = r.scanned
			s.entry.file = f
			*seen++
			r.move(f, s.path)
			r.changed(f, &s.stat)
		}
	}
	return fresh
}

// move notes that f is called path now.
func (r *reader) move(f *file, path string) {
	if path != f.path {
		r.log.Debug("file renamed", "path", path, "was", f.path)
		r.rename(f, path)
	}
	f.stray = false
	delete(r.strays, f)
}

// rename notes that f has another path. Copies of it may be known by the former.
func (r *reader) rename(f *file, path string) {
	if r.former[f.former] == f {
		delete(r.former, f.former)
	}
	f.former, f.path, f.moved = f.path, path, true
	r.former[f.former] = f
}

// leave handles the files that are at none of the paths any more.
func (r *reader) leave() {
	for _, f := range r.files {
		if f.stray || f.lookup == r.scanned {
			continue
		}
		r.stray(f)
		if f.fd < 0 {
			r.seek(f)
			continue
		}
		r.enqueue(f)
	}
}

func (r *reader) stray(f *file) {
	f.moved, f.stray = true, true
	r.former[f.path] = f
	r.strays[f] = struct{}{}
}

// seek looks for a closed stray under another name in its folder, and gives it
// up if there is none.
func (r *reader) seek(f *file) {
	if path, ok := r.sibling(f.path, &f.identity); ok {
		r.rename(f, path)
		r.enqueue(f)
		return
	}
	if max(f.size, f.glimpse) > f.offset && r.readPacked(f, f.source, rotationsOf(f)) >= 0 {
		r.drop(f)
		return
	}
	r.vanish(f)
}

// lookAtStrays reads what has been added to files that no path leads to, and
// finishes those to which nothing has been added for long.
func (r *reader) lookAtStrays() {
	for f := range r.strays {
		if r.now.Sub(f.grown) >= r.cfg.CloseAfter {
			f.ended = true
		}
		r.enqueue(f)
	}
}

// meetAll takes in the files that are new, the older ones first: a copy is
// recognised by its original. Read they are in the order they were written.
func (r *reader) meetAll(fresh []sight) {
	slices.SortStableFunc(fresh, func(a, b sight) int { return cmp.Compare(a.birth, b.birth) })
	var met []*file
	for i := range fresh {
		if f := r.meet(&fresh[i]); f != nil && (f.size > f.offset || f.isCopy) {
			met = append(met, f)
		}
	}
	slices.SortStableFunc(met, func(a, b *file) int { return cmp.Compare(a.mtime, b.mtime) })
	for _, f := range met {
		r.enqueue(f)
	}
}
