// Package regex is the processor that takes text apart with a regular
// expression.
package regex

import (
	"bytes"
	"errors"
	"regexp"

	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record"
)

type processor struct {
	parser  processors.Parser
	re      *regexp.Regexp
	literal []byte // every text that matches contains it
	groups  []group
	names   []record.Name
	fields  []record.Field
	merge   func(record.Record, record.Value) error
}

type group struct {
	name  string
	index int
}

// New builds the processor.
func New(c *Config, _ processors.Env) (processors.Processor, error) {
	re, err := c.compile()
	if err != nil {
		return nil, err
	}
	p := &processor{
		parser:  processors.NewParser("regex", c.ParserConfig),
		re:      re,
		literal: []byte(requiredLiteral(c.Pattern)),
	}
	for i, name := range re.SubexpNames() {
		if name != "" {
			p.groups = append(p.groups, group{name, i})
		}
	}
	p.merge = p.match
	return p, nil
}

func (p *processor) Process(b *record.Batch) error {
	p.names = p.names[:0]
	for _, g := range p.groups {
		p.names = append(p.names, b.Name(g.name))
	}
	p.parser.Each(b, p.merge)
	return nil
}

var errNoMatch = errors.New("does not match")

// match makes fields of the groups. The one allocation is regexp's list of
// indices, which it offers no way to reuse.
func (p *processor) match(r record.Record, v record.Value) error {
	text := v.Bytes()
	if !bytes.Contains(text, p.literal) {
		return errNoMatch
	}
	at := p.re.FindSubmatchIndex(text)
	if at == nil {
		return errNoMatch
	}
	p.fields = p.fields[:0]
	for i, g := range p.groups {
		if from, to := at[2*g.index], at[2*g.index+1]; from >= 0 {
			p.fields = append(p.fields, p.names[i].Field(v.Slice(from, to)))
		}
	}
	r.Merge(p.fields)
	return nil
}
