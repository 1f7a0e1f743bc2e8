// Package file reads the lines of files that grow, rotate and vanish, each
// exactly once, across restarts.
//
// One goroutine, the reader, owns everything that is known of the files. It
// scans: looks which paths there are and which files are behind them
// (discover.go, scan.go), tells files apart (identity.go, saved.go), recognises
// copies (copy.go, truncate.go), and gives the files that have grown their turn,
// one after the other (reader.go, turn.go, lines.go). Notifications (watch.go)
// only tell it where to look first. A second goroutine hands full batches on, so
// that while the pipeline is full the reader still notices new and rotated files
// and holds on to them.
//
// What must survive a restart is in the state of each position (state.go).
package file

import (
	"context"
	"log/slog"

	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/record"
)

type input struct {
	cfg *Config
	env inputs.Env
}

// New returns an input that reads the files cfg names.
func New(cfg *Config, env inputs.Env) (inputs.Input, error) {
	if env.Log == nil {
		env.Log = slog.New(slog.DiscardHandler)
	}
	return &input{cfg, env}, nil
}

// Run reads until ctx is done or, with Env.Once, until everything that was there
// has been emitted.
func (in *input) Run(ctx context.Context, out inputs.Emitter) error {
	m, err := newMetrics(in.env.Metrics)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := newReader(in.cfg, in.env, m, out)
	defer r.close()
	full := make(chan *record.Batch)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := range full {
			if err := out.Emit(ctx, b); err != nil {
				cancel(err)
			}
		}
	}()
	err = r.run(ctx, full)
	close(full)
	<-done
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
