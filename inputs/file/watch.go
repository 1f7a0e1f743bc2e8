package file

import (
	"errors"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watcher collects what the system tells about changes, as hints of where to
// look: a hint may be missing, late, or wrong, since scans find everything
// anyway. Folders are watched rather than files: ten thousand files in one
// folder need one watch.
//
// The methods that take a path belong to the reader's goroutine.
type watcher struct {
	log  *slog.Logger
	fail func(reason string)

	fs      *fsnotify.Watcher
	watched map[string]inode  // folders
	aliases map[string]string // real path of a link's target → the path that is read
	refused time.Time         // when the system last refused a watch
	said    bool

	ping chan struct{} // holds one token while there are hints
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.Mutex
	written map[string]struct{} // paths
	changed bool                // names came or went, or hints were lost: scan
}

const (
	// watchBuffer and watchPause bound what hints cost: while the collector
	// pauses, the kernel merges the events of a busy file.
	watchBuffer = 128
	watchPause  = 5 * time.Millisecond
	// maxHints is how many paths are worth keeping; beyond it a scan is due.
	maxHints = 8192
	// watchRetry is how long after a refusal another watch is asked for.
	watchRetry = time.Minute
)

// newWatcher starts a watcher; nil if the system has none to give, which it says.
func newWatcher(log *slog.Logger, fail func(reason string)) *watcher {
	fs, err := fsnotify.NewBufferedWatcher(watchBuffer)
	if err != nil {
		fail(reasonWatch)
		log.Warn("the system gives no notifications of changed files; changes are found by scanning", "error", err)
		return nil
	}
	w := &watcher{
		log: log, fail: fail, fs: fs,
		watched: map[string]inode{}, aliases: map[string]string{},
		ping: make(chan struct{}, 1), stop: make(chan struct{}), written: map[string]struct{}{},
	}
	w.done.Go(w.collect)
	return w
}

func (w *watcher) close() {
	close(w.stop)
	_ = w.fs.Close()
	w.done.Wait()
}

// collect turns events into hints until the watcher is closed.
func (w *watcher) collect() {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-w.stop:
			return
		case e, ok := <-w.fs.Events:
			if !ok {
				return
			}
			w.hint(e)
			w.drain()
		case err, ok := <-w.fs.Errors:
			if !ok {
				return
			}
			w.lost(err)
		}
		select {
		case w.ping <- struct{}{}:
		default:
		}
		pause.Reset(watchPause)
		select {
		case <-w.stop:
			return
		case <-pause.C:
		}
	}
}

// drain takes the events that have gathered.
func (w *watcher) drain() {
	for yielded := false; ; {
		select {
		case e, ok := <-w.fs.Events:
			if !ok {
				return
			}
			w.hint(e)
			yielded = false
		default:
			if yielded {
				return
			}
			runtime.Gosched() // lets the one who reads from the kernel go on
			yielded = true
		}
	}
}

func (w *watcher) hint(e fsnotify.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Op&^fsnotify.Write != 0 {
		w.changed = true
	}
	if e.Has(fsnotify.Write) {
		if len(w.written) >= maxHints {
			w.changed = true
			return
		}
		w.written[e.Name] = struct{}{}
	}
}

func (w *watcher) lost(err error) {
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		w.fail(reasonWatch)
		w.log.Debug("a notification of changed files failed; a scan makes up for it", "error", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed = true
}

// hints calls written for each path that was written to since the last call,
// and says whether a scan is worth it.
func (w *watcher) hints(written func(path string)) (scan bool) {
	w.mu.Lock()
	paths := w.written
	w.written = make(map[string]struct{}, len(paths))
	scan, w.changed = w.changed, false
	w.mu.Unlock()
	for path := range paths {
		if alias, ok := w.aliases[path]; ok {
			path = alias
		}
		written(path)
	}
	return scan
}

// follow makes the watches those of the folders that d has found, and of the
// folders that its links lead to.
func (w *watcher) follow(d *discovery, now time.Time) {
	wanted := make(map[string]inode, len(d.folders))
	for path, f := range d.folders {
		if f.inode != (inode{}) {
			wanted[path] = f.inode
		}
	}
	clear(w.aliases)
	for _, e := range d.entries {
		if e.link {
			w.followLink(e.path, wanted)
		}
	}
	for path, was := range w.watched {
		if is, ok := wanted[path]; !ok || is != was {
			_ = w.fs.Remove(path) // it may be gone already
			delete(w.watched, path)
		}
	}
	for path, is := range wanted {
		if _, ok := w.watched[path]; !ok && now.Sub(w.refused) >= watchRetry {
			w.add(path, is, now)
		}
	}
}

func (w *watcher) followLink(path string, wanted map[string]inode) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return
	}
	w.aliases[target] = path
	dir := filepath.Dir(target)
	var st stat
	if _, ok := wanted[dir]; !ok && statPath(dir, &st) == nil {
		wanted[dir] = st.inode
	}
}

func (w *watcher) add(path string, is inode, now time.Time) {
	err := w.fs.Add(path)
	switch {
	case err == nil:
		w.watched[path] = is
		w.log.Debug("folder is watched", "path", path)
		return
	case gone(err):
		return
	}
	w.fail(reasonWatch)
	w.refused = now
	if !w.said {
		w.log.Warn("the system refuses to watch more folders; changes there are found by scanning. "+
			"On Linux, raise fs.inotify.max_user_watches", "path", path, "error", err)
	}
	w.said = true
}
