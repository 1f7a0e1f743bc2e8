// Package json is the processor that parses JSON objects.
package json

import (
	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record"
)

type processor struct {
	parser processors.Parser
	json   record.JSONParser
	merge  func(record.Record, record.Value) error
}

// New builds the processor.
func New(c *Config, _ processors.Env) (processors.Processor, error) {
	p := &processor{parser: processors.NewParser("json", c.ParserConfig)}
	p.merge = p.json.Merge
	return p, nil
}

func (p *processor) Process(b *record.Batch) error {
	p.parser.Each(b, p.merge)
	return nil
}
