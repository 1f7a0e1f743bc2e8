package set

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record/expr"
)

func init() {
	processors.Register("set", "Sets fields to constants or to texts made of other fields.", Default, New)
}

// Config are the fields to set.
type Config struct {
	Fields map[string]any `yaml:"fields" doc:"The values by field name. A text may contain references to other fields, {{field}}; numbers, booleans, null, lists and maps are set as they are." required:"true" example:"{env: production, where: '{{host}}/{{path}}'}"`
}

// Default sets nothing.
func Default() *Config { return &Config{} }

// Check parses the templates.
func (c *Config) Check() error {
	_, err := c.assignments()
	return config.At("fields", err)
}

// assignment sets one field, to a template or a constant of any kind.
type assignment struct {
	field    string
	template *expr.Template
	constant any
	json     string // a list or map
}

// assignments are the fields in the order of their names.
func (c *Config) assignments() ([]assignment, error) {
	var all []assignment
	for _, name := range slices.Sorted(maps.Keys(c.Fields)) {
		a := assignment{field: name, constant: c.Fields[name]}
		if name == "" {
			return nil, errors.New("a field name must not be empty")
		}
		switch v := a.constant.(type) {
		case string:
			t, err := expr.ParseTemplate(v)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if text, ok := t.Constant(); ok {
				a.constant = text
			} else {
				a.template = t
			}
		case []any, map[string]any:
			text, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			a.json = string(text)
		}
		all = append(all, a)
	}
	return all, nil
}
