package regex

import (
	"fmt"
	"regexp"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/processors"
)

func init() {
	processors.Register("regex", "Makes fields of the named groups of a regular expression.", Default, New)
}

// Config is what to look for, and where.
type Config struct {
	Pattern string `yaml:"pattern" doc:"The regular expression, in Go's syntax; each named group (?P<name>...) becomes a field." required:"true" example:"'^(?P<level>[A-Z]+) (?P<text>.*)$'"`
	processors.ParserConfig
}

// Default looks at the message.
func Default() *Config { return &Config{ParserConfig: processors.DefaultParserConfig()} }

// Check compiles the pattern.
func (c *Config) Check() error {
	_, err := c.compile()
	return config.At("pattern", err)
}

func (c *Config) compile() (*regexp.Regexp, error) {
	re, err := regexp.Compile(c.Pattern)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, name := range re.SubexpNames() {
		if name != "" && seen[name] {
			return nil, fmt.Errorf("the group %s appears twice", name)
		}
		seen[name] = true
	}
	if len(seen) < 2 {
		return nil, fmt.Errorf("there is no named group: write (?P<name>...) around what is to become a field")
	}
	return re, nil
}
