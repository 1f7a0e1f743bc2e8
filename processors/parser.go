package processors

import (
	"errors"

	"github.com/spillway/spillway/record"
)

// ParseError is the name of the field that says why a record was not parsed.
const ParseError = "parse_error"

// ParserConfig are the keys that every processor has that parses one field.
type ParserConfig struct {
	Field   string `yaml:"field" doc:"The field to parse: its name, or a path into a JSON field." example:"message"`
	OnError string `yaml:"on_error" doc:"What becomes of a record that does not parse: pass keeps it as it is with the reason in the field parse_error, dead_letter sends it to the dead letters, drop discards and counts it." oneof:"pass,dead_letter,drop"`
}

// DefaultParserConfig is for parsers of lines.
func DefaultParserConfig() ParserConfig {
	return ParserConfig{Field: record.Message, OnError: "pass"}
}

// Check refuses a parser of nothing.
func (c *ParserConfig) Check() error {
	if c.Field == "" {
		return errors.New("field must not be empty")
	}
	return nil
}

// Parser does what every parser does: it gets the field, and decides what
// becomes of records that don't parse.
type Parser struct {
	name   string
	config ParserConfig
	reason []byte
}

// NewParser is a Parser for the processor called name.
func NewParser(name string, c ParserConfig) Parser { return Parser{name: name, config: c} }

// Each calls parse for each kept record that has the field, with its value as a
// string without escapes. An error of parse, which must have left the record as
// it was, is handled as the configuration says.
func (p *Parser) Each(b *record.Batch, parse func(record.Record, record.Value) error) {
	for r := range b.Kept() {
		v, ok := r.Get(p.config.Field)
		if !ok || v.Kind() == record.Null {
			p.fail(r, errNoField)
			continue
		}
		if err := parse(r, v.AsString()); err != nil {
			p.fail(r, err)
		}
	}
}

var errNoField = errors.New("there is no such field")

// appender is an error that can say what it says without allocating.
type appender interface{ Append(dst []byte) []byte }

func (p *Parser) fail(r record.Record, err error) {
	if p.config.OnError == "drop" {
		r.Drop(record.ParseFailed)
		return
	}
	p.reason = append(append(p.reason[:0], p.name...), ' ')
	p.reason = append(append(p.reason, p.config.Field...), ": "...)
	if a, ok := err.(appender); ok {
		p.reason = a.Append(p.reason)
	} else {
		p.reason = append(p.reason, err.Error()...)
	}
	b := r.Batch()
	if p.config.OnError == "dead_letter" {
		r.RejectBytes(p.reason)
		return
	}
	// The first parser that failed is the cause of what fails after it.
	if !r.Has(ParseError) {
		r.Set(b.Name(ParseError), b.Value(b.Copy(p.reason), record.String, record.Plain))
	}
}
