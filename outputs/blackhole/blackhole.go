// Package blackhole is the output that delivers to nobody.
package blackhole

import (
	"context"
	"time"

	"github.com/spillway/spillway/outputs"
)

func init() {
	outputs.Register("blackhole", "Counts records and forgets them.", Default, New)
}

// Config is the blackhole output's.
type Config struct {
	Delay time.Duration `yaml:"delay" doc:"Time that each frame takes: a slow output, for trying out what backpressure does." min:"0s"`
}

// Default takes no time.
func Default() *Config { return &Config{} }

// New builds the output.
func New(c *Config, env outputs.Env) (outputs.Output, error) {
	return outputs.Each(env, func(ctx context.Context, _ *outputs.Records) error {
		if c.Delay == 0 {
			return nil
		}
		select {
		case <-time.After(c.Delay):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}), nil
}
