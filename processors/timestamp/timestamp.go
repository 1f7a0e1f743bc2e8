// Package timestamp is the processor that sets a record's timestamp from a
// field.
package timestamp

import (
	"time"

	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record"
)

const rfc3339 = "rfc3339"

// commonLog is the layout of web server logs, which has a parser of its own.
const commonLog = "02/Jan/2006:15:04:05 -0700"

// units are the layouts of numbers: nanoseconds in one.
var units = map[string]int64{"unix": 1e9, "unix_ms": 1e6, "unix_us": 1e3, "unix_ns": 1}

type processor struct {
	parser processors.Parser
	merge  func(record.Record, record.Value) error
	parse  func(text []byte, r record.Record) (ns int64, err error)

	// The last text and its time: records in a row share their second.
	last   []byte
	lastNS int64
}

// New builds the processor.
func New(c *Config, _ processors.Env) (processors.Processor, error) {
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return nil, err
	}
	p := &processor{parser: processors.NewParser("timestamp", c.ParserConfig)}
	p.merge = p.set
	p.parse = parserFor(c.Layout, zone)
	return p, nil
}

func (p *processor) Process(b *record.Batch) error {
	p.parser.Each(b, p.merge)
	// A text without a year can mean another one when the next batch was read.
	p.last = p.last[:0]
	return nil
}

func (p *processor) set(r record.Record, v record.Value) error {
	text := v.Bytes()
	if len(text) == 0 || string(text) != string(p.last) {
		ns, err := p.parse(text, r)
		if err != nil {
			return err
		}
		p.last, p.lastNS = append(p.last[:0], text...), ns
	}
	r.SetTime(p.lastNS)
	return nil
}
