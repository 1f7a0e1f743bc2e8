// Package drop is the processor that drops records by a condition.
package drop

import (
	"log/slog"

	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/record/expr"
)

type processor struct {
	when *expr.Condition
	log  *slog.Logger
}

// New builds the processor.
func New(c *Config, env processors.Env) (processors.Processor, error) {
	when, err := expr.Compile(c.When)
	if err != nil {
		return nil, err
	}
	return &processor{when: when, log: env.Log}, nil
}

func (p *processor) Process(b *record.Batch) error {
	var failed int
	var cause error
	for r := range b.Kept() {
		holds, err := p.when.Eval(r)
		if err != nil {
			failed, cause = failed+1, err
		}
		if holds {
			r.Drop(record.Filtered)
		}
	}
	if failed > 0 && p.log != nil {
		p.log.Warn("drop: records were kept because the condition could not be evaluated", "records", failed, "error", cause)
	}
	return nil
}
