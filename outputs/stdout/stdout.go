// Package stdout is the output that prints records.
//
// It is best effort, as every pipe is: what the reader had not taken when it
// died is gone. A frame that was half printed at a kill is printed again.
package stdout

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/spillway/spillway/outputs"
)

func init() {
	outputs.Register("stdout", "Prints records, one a line, best effort.", Default, New)
}

const (
	// pieceBytes is what a pipe that is ready for writing takes without
	// blocking: PIPE_BUF.
	pieceBytes = 4096
	// wakeEveryMS is how often a full pipe is left to look at the context.
	wakeEveryMS = 50
	// keepBytes bounds the buffer that is kept after a long frame.
	keepBytes = 4 << 20
)

// Config is the stdout output's: it has no keys of its own.
type Config struct{}

// Default is the only configuration.
func Default() *Config { return &Config{} }

// Target implements [outputs.Exclusive]: lines of two outputs would be mixed within
// lines.
func (*Config) Target() string { return "standard output" }

// Output prints to a file descriptor.
type Output struct {
	env outputs.Env
	fd  int
}

// New builds the output.
func New(_ *Config, env outputs.Env) (outputs.Output, error) {
	return &Output{env, int(os.Stdout.Fd())}, nil
}

// Run implements [outputs.Output]. A reader that has gone away does not come
// back, so that ends the pipeline.
func (o *Output) Run(ctx context.Context, in outputs.Frames) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var buf []byte
	err := outputs.Each(o.env, func(ctx context.Context, r *outputs.Records) error {
		var err error
		if buf, err = r.AppendLines(buf[:0]); err != nil {
			return err
		}
		err = o.write(ctx, buf)
		if cap(buf) > keepBytes {
			buf = nil
		}
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.EBADF) {
			stop(fmt.Errorf("standard output: %w", err))
		}
		return err
	}).Run(ctx, in)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// write writes in pieces that can't block, so that the end of ctx is noticed
// while the reader hangs. Making the descriptor non-blocking instead would make
// it so for every process that shares the terminal or pipe.
func (o *Output) write(ctx context.Context, p []byte) error {
	poll := [1]unix.PollFd{{Fd: int32(o.fd), Events: unix.POLLOUT}}
	for len(p) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		ready, err := unix.Poll(poll[:], wakeEveryMS)
		if err != nil && err != unix.EINTR {
			return err
		}
		if ready <= 0 {
			continue
		}
		n, err := unix.Write(o.fd, p[:min(len(p), pieceBytes)])
		if err != nil && err != unix.EINTR && err != unix.EAGAIN {
			return err
		}
		p = p[max(n, 0):]
	}
	return nil
}
