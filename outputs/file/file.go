// Package file is the output that appends records to a file, exactly once.
//
// # How exactly once is kept
//
// Before a frame's bytes are written, the journal takes a note of the file they
// go to (its sequence number and inode) and of its length before and after. Then
// the bytes are appended with one write. Once they are durable (fdatasync of the
// file, fsync of its folder if the file is new) the frame is acknowledged. At a
// start the file is cut back to the end of the last acknowledged frame, and the
// spool gives the frames after it again.
//
// The file at path has a sequence number, which it shows once it is rotated:
// path.000001 is the oldest, and the number of the file at path is one more than
// that of the newest rotated one. Rotation happens only when all that the old
// file holds is acknowledged:
//
//	sync and acknowledge · rename path to path.NNNNNN · create path · stage the
//	first frame in it · compress path.NNNNNN in the background
//
// # What a kill leaves behind
//
// At each of these points the process may die; names are those of the failpoints.
//
//	file.stage    nothing of the frame is anywhere. It is delivered again.
//	file.staged   the journal speaks of bytes that are not there: nothing to cut.
//	file.torn     half a frame is cut off.
//	file.written  a whole frame, not acknowledged, is cut off and written again.
//	file.synced   the same.
//	file.acked    frames after the acknowledged ones are cut off.
//	file.rotate   the old file is complete and acknowledged. It goes on.
//	file.renamed  path is missing; the journal speaks of the rotated file, which
//	              has its inode and length. A new file begins.
//	file.created  the same, with an empty file at path.
//
// A compression that was interrupted leaves path.NNNNNN.gz.tmp: it is removed and
// begun again. One that was interrupted after its last rename leaves the plain
// file beside the compressed one: the plain file is removed. Compression begins
// after a frame in a later file was staged, so no start needs to cut a file that
// is compressed.
//
// After a power cut the journal may be older than the files, by what its sync
// setting allows. The file that it speaks of is cut back all the same, also when
// it has been rotated since; what is in the file at path then came later and is
// cut off as well. Files rotated in between, and compressed ones, are left alone,
// and their records stand twice. If the file is shorter than what was
// acknowledged (a disk that lies, somebody's truncate), the spool is asked to go
// back to the last place between frames that the file still reaches.
//
// # What is assumed of the disk
//
// fdatasync makes the bytes of a file and its length durable, fsync of a folder
// the names in it, and rename is atomic. A failed fdatasync is not tried again:
// the file is cut back to what was synced before and written again.
//
// # Others at the same file
//
// The file is locked (flock), so that two writers to one path are one writer
// that waits. Tools that know no locks may move the file, and a new one is begun;
// or delete it, and what was not acknowledged is written to a new one; or truncate
// it, and what was not acknowledged is written again behind what is left. Moves
// are noticed within a second, the rest before the next write. What others append
// may be cut off at the next start.
package file

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/spool"
)

func init() {
	outputs.Register("file", "Appends records to a file, exactly once, with rotation and compression.", Default, New)
}

// Output appends to one file.
type Output struct {
	cfg *Config
	env outputs.Env
	// at and fdatasync are for tests: see writer.
	at        func(point string)
	fdatasync func(fd int) error
}

// New builds the output. It looks whether the file could be written, and touches
// nothing.
func New(c *Config, env outputs.Env) (outputs.Output, error) {
	if err := writable(string(c.Path)); err != nil {
		return nil, err
	}
	return &Output{cfg: c, env: env, fdatasync: unix.Fdatasync}, nil
}

// Check tells whether the file could be written.
func (o *Output) Check(context.Context) error { return writable(string(o.cfg.Path)) }

// Run implements [outputs.Output].
func (o *Output) Run(ctx context.Context, in outputs.Frames) error {
	w := &writer{
		cfg: o.cfg, path: string(o.cfg.Path), env: o.env, in: in, at: o.at, fdatasync: o.fdatasync,
		meter: outputs.NewMeter(o.env),
	}
	defer w.meter.Close()
	defer w.abandon()
	w.retry = outputs.NewRetry(o.env, w.meter)
	if err := w.persist(ctx, w.resume); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	w.archive = newArchive(o.cfg, w.path, o.env.Log)
	defer w.archive.ended.Wait()
	defer cancel()
	w.archive.released.Store(w.seq)
	w.archive.start(ctx)
	next := fetch(ctx, in)
	defer next.wait()
	defer cancel()
	return w.run(ctx, next)
}

// run takes frames and writes them until ctx or the spool ends.
func (w *writer) run(ctx context.Context, next *fetcher) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(w.due())
		select {
		case f, ok := <-next.frames:
			if !ok {
				w.finish()
				return next.err
			}
			if err := w.add(ctx, f); err != nil {
				return err
			}
			if w.due() > 0 {
				continue
			}
		case <-timer.C:
		}
		if err := w.persist(ctx, w.settle); err != nil {
			return err
		}
	}
}

// due is how long nothing needs to be done.
func (w *writer) due() time.Duration {
	wait := time.Hour
	if w.written > 0 {
		wait = min(time.Until(w.firstWrite.Add(syncEvery)), time.Until(w.lastWrite.Add(syncIdle)))
	}
	if age := w.cfg.Rotate.MaxAge; age > 0 && w.file != nil && w.length > 0 {
		wait = min(wait, time.Until(w.file.born.Add(age)))
	}
	return wait
}

// finish acknowledges what it can at the end of a Run. What it can't is cut off
// and delivered again after the next start.
func (w *writer) finish() {
	if w.written == 0 {
		return
	}
	if err := w.settle(); err != nil {
		w.env.Log.Warn("the last frames could not be acknowledged, they are delivered again", "error", err)
	}
}

// fetcher takes frames ahead, so that the writer can wait for a frame and for the
// clock at once.
type fetcher struct {
	frames chan *spool.Frame
	err    error // set when frames is closed
}

func fetch(ctx context.Context, in outputs.Frames) *fetcher {
	n := &fetcher{frames: make(chan *spool.Frame)}
	go func() {
		defer close(n.frames)
		defer outputs.Contain(&n.err)
		for {
			var f *spool.Frame
			if f, n.err = in.Next(ctx); n.err != nil {
				return
			}
			select {
			case n.frames <- f:
			case <-ctx.Done():
				n.err = ctx.Err()
				return
			}
		}
	}()
	return n
}

// wait returns once the goroutine has ended; its ctx is over by then.
func (n *fetcher) wait() {
	for range n.frames {
	}
}
