// Package outputs holds the contract of the components that deliver records,
// their registry, and the sending loop that most of them share.
package outputs

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway/spillway/codec"
	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/registry"
	"github.com/spillway/spillway/spool"
)

// Output takes frames from the spool and delivers their records.
type Output interface {
	// Run delivers until ctx is done or Next returns an error, and returns
	// once every goroutine it started has ended. A frame that was not
	// acknowledged is delivered again after the next start. An error other
	// than that of ctx or of Next stops the pipeline with the output's id.
	Run(ctx context.Context, in Frames) error
}

// Frames is an output's cursor over the spool. Only the output's own goroutines
// use it.
type Frames interface {
	// Next returns the next frame of the output's lane in offset order,
	// blocking at the tail. The frame is valid until Ack. The error is that
	// of ctx, or [spool.ErrClosed].
	Next(ctx context.Context) (*spool.Frame, error)
	// Stage notes "about to send this". It survives kill -9 once it returns
	// (with sync: always, a power cut too).
	Stage(f *spool.Frame, note []byte) error
	// InDoubt is what was staged or deferred, and not acknowledged, before the
	// start, in offset order; what was deferred may be many frames. Next
	// returns these frames again.
	InDoubt() []spool.Staged
	// Acked is what was staged and acknowledged last, newest first, as far as
	// the journal still knows it.
	Acked() []spool.Staged
	// Rewind makes Next continue at offset again, although later frames were
	// acknowledged: for an output whose own store turns out to end earlier.
	// The error tells that the spool no longer holds the offset.
	Rewind(offset int64) error
	// Ack acknowledges f, in any order; the cursor passes the unbroken prefix.
	// f is dead afterwards.
	Ack(f *spool.Frame) error
	// Defer puts f back, with a note of what is still to be done with it: later
	// frames go on. f is dead afterwards; the cursor does not pass it.
	Defer(f *spool.Frame, note []byte) error
	// Recall gives out the first deferred frame before an offset whose note is
	// wanted, and that note; nil if there is none. It belongs to Next's goroutine.
	Recall(before int64, wanted func(note []byte) bool) (*spool.Frame, []byte, error)
	// Reject sends the record with this index in f (-1: all of them) to the
	// dead letters, in the spool before it returns. Ack still follows.
	Reject(f *spool.Frame, index int32, cause error) error
}

// Env is what an output gets from its pipeline.
type Env struct {
	Pipeline string
	// ID is unique among the pipeline's outputs.
	ID  string
	Log *slog.Logger
	// Metrics registers with the pipeline's and the component's labels.
	Metrics prometheus.Registerer
	// LastResort says that this output takes the dead letters. Those that it
	// refuses would come back to it, each in a larger one.
	LastResort bool
	// SyncAlways says that the user wants every step durable at once.
	SyncAlways bool
}

// Common are the keys that every output has.
type Common struct {
	ID        string         `yaml:"id" doc:"Name of this output within its pipeline; its cursor belongs to it. A second output of the same type must set one." example:"copy"`
	OnFull    string         `yaml:"on_full" doc:"What happens when the spool is full because of this output: block makes the pipeline wait, drop_oldest loses this output's oldest records and counts them." oneof:"block,drop_oldest"`
	StartFrom string         `yaml:"start_from" doc:"Where an output that is new to an existing spool begins: now, or oldest." oneof:"now,oldest"`
	Encode    codec.Override `yaml:"encode" doc:"How records are encoded for this output, instead of the pipeline's encode."`
}

// Check tells whether the id is one.
func (c *Common) Check() error { return registry.CheckID(c.ID) }

// Exclusive is the configuration of an output whose target is its own: two outputs
// that took turns at it, from start to start, would undo each other's work.
type Exclusive interface {
	// Target names it, for people and for comparison.
	Target() string
}

// Component is a configured output that is not yet built.
type Component struct {
	registry.Component[Env, Output]
	Common
}

// Registry holds all outputs of this build.
var Registry = registry.New[Env, Output]("output")

// Register adds an output. It is called from init; a name that is taken panics.
func Register[C any](name, summary string, def func() *C, build func(*C, Env) (Output, error)) {
	registry.Register(Registry, name, summary, def, build)
}

// DefaultCommon holds the defaults of the keys that every output has.
func DefaultCommon() Common { return Common{OnFull: "block", StartFrom: "now"} }

// UnmarshalConfig reads a one-key map {type: {...}}. The id defaults to the type.
func (c *Component) UnmarshalConfig(n *config.Node) (err error) {
	c.Common = DefaultCommon()
	if c.Component, err = Registry.Decode(n, &c.Common); err != nil {
		return err
	}
	if c.ID == "" {
		c.ID = c.Type
	}
	return nil
}

// DescribeConfig describes all outputs.
func (Component) DescribeConfig() (string, map[string]any) {
	common := DefaultCommon()
	return "output", Registry.Schema(&common)
}
