// Package rename is the processor that renames fields.
package rename

import (
	"maps"
	"slices"

	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record"
)

type processor struct {
	from, to []string
	names    []record.Name
}

// New builds the processor.
func New(c *Config, _ processors.Env) (processors.Processor, error) {
	p := &processor{from: slices.Sorted(maps.Keys(c.Fields))}
	for _, name := range p.from {
		p.to = append(p.to, c.Fields[name])
	}
	return p, nil
}

func (p *processor) Process(b *record.Batch) error {
	p.names = p.names[:0]
	for _, name := range p.to {
		p.names = append(p.names, b.Name(name))
	}
	for r := range b.Kept() {
		for i, name := range p.from {
			r.Rename(name, p.names[i])
		}
	}
	return nil
}
