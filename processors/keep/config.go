package keep

import (
	"errors"
	"slices"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/processors"
)

func init() {
	processors.Register("keep", "Removes all fields but the named ones.", Default, New)
}

// Config are the fields.
type Config struct {
	Fields []string `yaml:"fields" doc:"The names of the fields to keep." required:"true" example:"[time, level, message]"`
}

// Default names no field.
func Default() *Config { return &Config{} }

// Check refuses a name that no field has.
func (c *Config) Check() error {
	if slices.Contains(c.Fields, "") {
		return config.At("fields", errors.New("a field name must not be empty"))
	}
	return nil
}
