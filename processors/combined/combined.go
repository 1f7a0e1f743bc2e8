// Package combined is the processor that parses the access logs of Apache,
// nginx and their like.
package combined

import (
	"bytes"
	"errors"

	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record"
)

const (
	client = iota
	ident
	user
	clock
	request
	method
	path
	protocol
	status
	size
	referer
	agent
	rest
	names
)

// fieldNames are the names of the fields, in the order they are set.
var fieldNames = [names]string{
	client: "client", ident: "ident", user: "user", clock: "time", request: "request", method: "method", path: "path",
	protocol: "protocol", status: "status", size: "bytes", referer: "referer", agent: "agent", rest: "rest",
}

type processor struct {
	parser processors.Parser
	names  [names]record.Name
	fields []record.Field
	merge  func(record.Record, record.Value) error
}

// New builds the processor.
func New(c *Config, _ processors.Env) (processors.Processor, error) {
	p := &processor{parser: processors.NewParser("combined", c.ParserConfig)}
	p.merge = p.parse
	return p, nil
}

func (p *processor) Process(b *record.Batch) error {
	for i, name := range fieldNames {
		p.names[i] = b.Name(name)
	}
	p.parser.Each(b, p.merge)
	return nil
}

var errNoMatch = errors.New("not in the common or combined log format")

func (p *processor) parse(r record.Record, v record.Value) error {
	line := v.Bytes()
	e, ok := scan(line)
	if !ok {
		return errNoMatch
	}
	p.fields = p.fields[:0]
	p.text(client, v, e.client)
	p.text(ident, v, e.ident)
	p.text(user, v, e.user)
	p.text(clock, v, e.time)
	p.request(v, e.request)
	p.number(status, v, e.status)
	p.number(size, v, e.bytes)
	p.text(referer, v, e.referer)
	p.text(agent, v, e.agent)
	p.text(rest, v, e.rest)
	r.Merge(p.fields)
	return nil
}

// text sets a field unless s is empty or the dash that stands for nothing.
func (p *processor) text(name int, v record.Value, s span) {
	if n := s.to - s.from; n == 0 || n == 1 && v.Bytes()[s.from] == '-' {
		return
	}
	p.fields = append(p.fields, p.names[name].Field(v.Slice(s.from, s.to)))
}

// number sets an integer without the leading zeros that JSON does not allow.
func (p *processor) number(name int, v record.Value, s span) {
	if v.Bytes()[s.from] == '-' {
		return
	}
	for s.from < s.to-1 && v.Bytes()[s.from] == '0' {
		s.from++
	}
	p.fields = append(p.fields, p.names[name].Field(v.Slice(s.from, s.to).As(record.Int)))
}

// request sets method, path and protocol, or, of what is no request line, the
// whole.
func (p *processor) request(v record.Value, s span) {
	line := s.of(v.Bytes())
	first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if first <= 0 || !isMethod(line[:first]) {
		p.text(request, v, s)
		return
	}
	p.text(method, v, span{s.from, s.from + first})
	if last > first && bytes.HasPrefix(line[last+1:], []byte("HTTP/")) {
		p.text(path, v, span{s.from + first + 1, s.from + last})
		p.text(protocol, v, span{s.from + last + 1, s.to})
		return
	}
	p.text(path, v, span{s.from + first + 1, s.to})
}

func isMethod(word []byte) bool {
	for _, c := range word {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
