package rename

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/processors"
)

func init() {
	processors.Register("rename", "Gives fields other names.", Default, New)
}

// Config are the names.
type Config struct {
	Fields map[string]string `yaml:"fields" doc:"The new names by the old ones." required:"true" example:"{msg: message, lvl: level}"`
}

// Default renames nothing.
func Default() *Config { return &Config{} }

// Check refuses names whose result would depend on an order.
func (c *Config) Check() error { return config.At("fields", c.check()) }

func (c *Config) check() error {
	from := map[string]string{}
	for _, old := range slices.Sorted(maps.Keys(c.Fields)) {
		name := c.Fields[old]
		if old == "" || name == "" {
			return errors.New("a field name must not be empty")
		}
		if other, taken := from[name]; taken {
			return fmt.Errorf("%s and %s can't both become %s", other, old, name)
		}
		if _, renamed := c.Fields[name]; renamed && name != old {
			return fmt.Errorf("%s can't become %s, which is renamed itself; use a rename for each step", old, name)
		}
		from[name] = old
	}
	return nil
}
