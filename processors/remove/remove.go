// Package remove is the processor that removes fields.
package remove

import (
	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record"
)

type processor struct{ fields []string }

// New builds the processor.
func New(c *Config, _ processors.Env) (processors.Processor, error) {
	return &processor{c.Fields}, nil
}

func (p *processor) Process(b *record.Batch) error {
	for r := range b.Kept() {
		for _, name := range p.fields {
			r.Remove(name)
		}
	}
	return nil
}
