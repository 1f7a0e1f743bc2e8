// Package inputs holds the contract of the components that bring records into
// a pipeline, and their registry.
package inputs

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/registry"
	"github.com/spillway/spillway/record"
)

// Input reads records from the world.
type Input interface {
	// Run reads and emits until ctx is done, and returns once every goroutine
	// it started has ended. Batches that it still holds may be released: what
	// was not emitted is read again, from the position in the spool. Nil means
	// finished for good (with Env.Once: everything that was there has been
	// emitted); an error stops the pipeline with the input's id.
	Run(ctx context.Context, out Emitter) error
}

// Emitter is an input's way into its pipeline. Its methods may be called by
// several goroutines; the batches of one source must come from one of them.
type Emitter interface {
	// Batch returns an empty batch, owned by the caller until Emit.
	Batch() *record.Batch
	// Emit gives b away, also on error. It blocks while the pipeline is full:
	// that is all the backpressure there is. Its return promises nothing: an
	// input that owes its sender an answer sets [record.Batch.Appended]. The
	// error is that of ctx, or of a pipeline that has failed.
	Emit(ctx context.Context, b *record.Batch) error
	// Resume returns the positions that the spool has committed for this
	// input's sources. The caller owns them.
	Resume() []record.Position
	// Demand delivers a token when a sender has nothing left to send and the
	// last batch went at least the linger time ago: a batch that is not full
	// is then worth emitting. Nobody else takes the tokens of this emitter.
	Demand() <-chan struct{}
}

// Env is what an input gets from its pipeline.
type Env struct {
	Pipeline string
	// ID is unique among the pipeline's inputs.
	ID  string
	Log *slog.Logger
	// Metrics registers with the pipeline's and the component's labels.
	Metrics prometheus.Registerer
	// Once asks the input to read what is there and then to end.
	Once bool
}

// Common are the keys that every input has.
type Common struct {
	ID string `yaml:"id" doc:"Name of this input within its pipeline; positions belong to it. A second input of the same type must set one." example:"access"`
}

// Check tells whether the id is one.
func (c *Common) Check() error { return registry.CheckID(c.ID) }

// Component is a configured input that is not yet built.
type Component struct {
	registry.Component[Env, Input]
	Common
}

// Registry holds all inputs of this build.
var Registry = registry.New[Env, Input]("input")

// Register adds an input. It is called from init; a name that is taken panics.
func Register[C any](name, summary string, def func() *C, build func(*C, Env) (Input, error)) {
	registry.Register(Registry, name, summary, def, build)
}

// UnmarshalConfig reads a one-key map {type: {...}}. The id defaults to the type.
func (c *Component) UnmarshalConfig(n *config.Node) (err error) {
	if c.Component, err = Registry.Decode(n, &c.Common); err != nil {
		return err
	}
	if c.ID == "" {
		c.ID = c.Type
	}
	return nil
}

// DescribeConfig describes all inputs.
func (Component) DescribeConfig() (string, map[string]any) {
	return "input", Registry.Schema(&Common{})
}
