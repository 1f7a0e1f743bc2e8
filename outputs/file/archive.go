package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/spillway/spillway/outputs"
)

// archiveRetry is when what failed is tried again, if no rotation comes before.
const archiveRetry = time.Minute

// archive compresses rotated files and removes the oldest, in a goroutine of its
// own. Files from released on are not its business: the writer may still cut or
// rename them.
type archive struct {
	path     string
	ext      string // empty: no compression
	keep     int
	log      *slog.Logger
	released atomic.Uint64
	wake     chan struct{}
	ended    sync.WaitGroup
}

func newArchive(c *Config, path string, log *slog.Logger) *archive {
	return &archive{path: path, ext: extensions[c.Compress], keep: c.Rotate.Keep, log: log, wake: make(chan struct{}, 1)}
}

// release says that files with numbers below seq are done with.
func (a *archive) release(seq uint64) {
	if a.released.Load() == seq {
		return
	}
	a.released.Store(seq)
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// start begins with what an earlier process has left. The end of ctx stops it,
// within a file, too; the caller waits on ended.
func (a *archive) start(ctx context.Context) {
	a.ended.Go(func() {
		for {
			var again <-chan time.Time
			if err := a.tidy(ctx); err != nil && ctx.Err() == nil {
				a.log.Warn("rotated files could not be put away, will be tried again", "error", err)
				again = time.After(archiveRetry)
			}
			select {
			case <-a.wake:
			case <-again:
			case <-ctx.Done():
				return
			}
		}
	})
}

// tidy leaves the newest keep files, and those compressed.
func (a *archive) tidy(ctx context.Context) (err error) {
	defer outputs.Contain(&err)
	files, err := rotatedFiles(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the folder is not made yet
	}
	if err != nil {
		return err
	}
	released := a.released.Load()
	var done []rotatedFile
	for _, f := range files {
		switch {
		case f.seq >= released:
		case f.temp:
			if err := os.Remove(f.name); err != nil {
				return err
			}
		default:
			done = append(done, f)
		}
	}
	if done, err = a.removeOld(done); err != nil {
		return err
	}
	for i, f := range done {
		switch {
		case f.ext != "":
			continue
		case i+1 < len(done) && done[i+1].seq == f.seq:
			// The compressed form was given its name before this was removed.
			err = os.Remove(f.name)
		case a.ext != "":
			err = a.compress(ctx, f.name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeOld removes all but the newest keep files and returns those.
func (a *archive) removeOld(files []rotatedFile) ([]rotatedFile, error) {
	if a.keep == 0 {
		return files, nil
	}
	kept := map[uint64]bool{}
	for _, f := range slices.Backward(files) {
		if len(kept) < a.keep {
			kept[f.seq] = true
		}
	}
	var rest []rotatedFile
	for _, f := range files {
		if kept[f.seq] {
			rest = append(rest, f)
		} else if err := os.Remove(f.name); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// compress replaces a file by its compressed form. What is there under the final
// name is complete and durable before the plain file is removed.
func (a *archive) compress(ctx context.Context, name string) error {
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	temp := name + a.ext + tempSuffix
	if err := a.compressTo(ctx, temp, from, info); err != nil {
		os.Remove(temp)
		return fmt.Errorf("compress %s: %w", name, err)
	}
	if err := os.Rename(temp, name+a.ext); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(name)); err != nil {
		return err
	}
	return os.Remove(name)
}

func (a *archive) compressTo(ctx context.Context, temp string, from io.Reader, info fs.FileInfo) error {
	to, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer to.Close()
	encoder, err := a.encoder(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(encoder, cancelable{ctx, from}); err != nil {
		encoder.Close()
		return err
	}
	if err := encoder.Close(); err != nil {
		return err
	}
	if err := os.Chtimes(temp, info.ModTime(), info.ModTime()); err != nil {
		return err
	}
	return to.Sync()
}

func (a *archive) encoder(to io.Writer) (io.WriteCloser, error) {
	if a.ext == extensions["gzip"] {
		return gzip.NewWriter(to), nil
	}
	// Small on purpose: the defaults hold 148 MB.
	return zstd.NewWriter(to, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(512<<10), zstd.WithLowerEncoderMem(true))
}

// cancelable is a reader that ends with its context.
type cancelable struct {
	ctx context.Context
	io.Reader
}

func (c cancelable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}
