package drop

import (
	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record/expr"
)

func init() {
	processors.Register("drop", "Drops the records for which a condition holds.", Default, New)
}

// Config is the condition.
type Config struct {
	When string `yaml:"when" doc:"The condition, over the record's fields; records for which it holds are dropped and counted as filtered." required:"true" example:"'path == \"/healthz\" && status < 400'"`
}

// Default has no condition.
func Default() *Config { return &Config{} }

// Check compiles the condition.
func (c *Config) Check() error {
	_, err := expr.Compile(c.When)
	return config.At("when", err)
}
