// Package keep is the processor that removes all fields but some.
package keep

import (
	"slices"

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
		fields := r.Fields()
		for i := range fields {
			if f := &fields[i]; !f.Removed() && !p.keeps(r.FieldName(f)) {
				r.RemoveField(i)
			}
		}
	}
	return nil
}

func (p *processor) keeps(name []byte) bool {
	return slices.ContainsFunc(p.fields, func(kept string) bool { return kept == string(name) })
}
