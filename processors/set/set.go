// Package set is the processor that sets fields.
package set

import (
	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record"
)

type processor struct {
	assignments []assignment
	names       []record.Name
	values      []record.Value // of the constants, made once per batch; of the templates, for one record
	scratch     []byte
}

// New builds the processor.
func New(c *Config, _ processors.Env) (processors.Processor, error) {
	assignments, err := c.assignments()
	if err != nil {
		return nil, err
	}
	return &processor{assignments: assignments}, nil
}

func (p *processor) Process(b *record.Batch) error {
	p.names, p.values = p.names[:0], p.values[:0]
	for i := range p.assignments {
		a := &p.assignments[i]
		p.names = append(p.names, b.Name(a.field))
		p.values = append(p.values, a.value(b))
	}
	for r := range b.Kept() {
		p.set(r)
	}
	return nil
}

// value puts a constant into the batch.
func (a *assignment) value(b *record.Batch) record.Value {
	switch v := a.constant.(type) {
	case string:
		if a.template == nil {
			return b.String(v)
		}
	case bool:
		return b.Bool(v)
	case int64:
		return b.Int(v)
	case float64:
		return b.Float(v)
	case []any, map[string]any:
		return b.Value(b.Text(a.json), record.JSON, record.Plain)
	}
	return b.Value(record.Span{}, record.Null, record.Clean)
}

// set fills in all templates before it sets the first field, so that the order
// does not matter.
func (p *processor) set(r record.Record) {
	for i := range p.assignments {
		t := p.assignments[i].template
		if t == nil {
			continue
		}
		var ok bool
		if p.scratch, ok = t.Append(p.scratch[:0], r); !ok {
			r.Reject("set " + p.assignments[i].field + ": there is no field " + t.Missing(r))
			return
		}
		b := r.Batch()
		p.values[i] = b.Value(b.Copy(p.scratch), record.String, record.Plain)
	}
	for i := range p.values {
		r.Set(p.names[i], p.values[i])
	}
}
