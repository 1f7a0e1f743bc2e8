// Package processors holds the contract of the components that work on records
// between an input and the spool, and their registry.
package processors

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/registry"
	"github.com/spillway/spillway/record"
)

// Processor changes the records of a batch in place.
//
// Each worker builds its own instance, so scratch buffers are fields and need
// no lock. Process does no I/O and does not block. What is wrong with a record
// is marked on that record ([record.Record.Drop], [record.Record.Reject], or
// a field parse_error); a returned error means that the processor itself is
// broken, and stops the pipeline with the processor's name. Records that are no
// longer [record.Kept] are to be passed over.
type Processor interface {
	Process(b *record.Batch) error
}

// Env is what a processor gets from its pipeline.
type Env struct {
	Pipeline string
	Log      *slog.Logger
	Metrics  prometheus.Registerer
}

// Component is a configured processor that is not yet built.
type Component struct {
	registry.Component[Env, Processor]
}

// Registry holds all processors of this build.
var Registry = registry.New[Env, Processor]("processor")

// Register adds a processor. It is called from init; a name that is taken panics.
func Register[C any](name, summary string, def func() *C, build func(*C, Env) (Processor, error)) {
	registry.Register(Registry, name, summary, def, build)
}

// UnmarshalConfig reads a one-key map {type: {...}}.
func (c *Component) UnmarshalConfig(n *config.Node) (err error) {
	c.Component, err = Registry.Decode(n)
	return err
}

// DescribeConfig describes all processors.
func (Component) DescribeConfig() (string, map[string]any) { return "processor", Registry.Schema() }
