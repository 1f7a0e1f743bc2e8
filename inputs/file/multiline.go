package file

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/multiline"
)

// Multiline is what a user says of records of several lines.
type Multiline struct {
	Preset     presets       `yaml:"preset" doc:"The languages whose stack traces become one record each, one or a list: java, python, go, dotnet. All other lines are records of their own." example:"[java, python]"`
	Start      string        `yaml:"start" doc:"A regular expression: a line that matches begins a record. Alone, all other lines belong to the record before." example:"'^\\d{4}-\\d\\d-\\d\\d '"`
	Continue   string        `yaml:"continue" doc:"A regular expression: a line that matches belongs to the record before it, unless it matches start." example:"'^(\\s|Caused by: )'"`
	Indent     bool          `yaml:"indent" doc:"A line that begins with a space or a tab belongs to the record before it, unless it matches start."`
	End        string        `yaml:"end" doc:"A regular expression: a line that matches is the last of its record. Alone, all lines up to it are one record." example:"'^END$'"`
	FlushAfter time.Duration `yaml:"flush_after" doc:"Take what has come of a record as complete when its file has not grown for this long." min:"10ms" max:"1h"`
	MaxLines   int           `yaml:"max_lines" doc:"The most lines of a record, as max_line is the most bytes. With the next one it is ended, marked with log.truncated, and counted." min:"2" max:"1000000"`
}

// presets is one name, or a list of them.
type presets []string

// UnmarshalConfig reads a text or a list of texts.
func (p *presets) UnmarshalConfig(n *config.Node) error {
	items := []*config.Node{n}
	if n.Kind() == config.List {
		items = n.Items()
	}
	*p = nil
	for _, item := range items {
		name := item.Scalar()
		switch {
		case item.Kind() != config.Scalar:
			return item.Wanted("the name of a preset, or a list of them")
		case !slices.Contains(multiline.Presets, name):
			return item.Errorf("%q is no preset: there are %s%s", name, strings.Join(multiline.Presets, ", "), config.Suggest(name, multiline.Presets))
		case slices.Contains(*p, name):
			return item.Errorf("the preset %s is named twice", name)
		}
		*p = append(*p, name)
	}
	return nil
}

// DescribeConfig returns the type and its schema.
func (p *presets) DescribeConfig() (words string, schema map[string]any) {
	names := make([]any, len(multiline.Presets))
	for i, name := range multiline.Presets {
		names[i] = name
	}
	one := map[string]any{"enum": names}
	return "text or list of texts", map[string]any{"anyOf": []any{one, map[string]any{"type": "array", "items": one}}}
}

// String writes the names as a list.
func (p presets) String() string { return "[" + strings.Join(p, ", ") + "]" }

// Check tells whether the rules are well-formed and go together.
func (m *Multiline) Check() error {
	_, err := m.machine()
	return err
}

// machine returns what finds the records; nil if each line is one.
func (m *Multiline) machine() (*multiline.Machine, error) {
	own := m.Start != "" || m.Continue != "" || m.Indent || m.End != ""
	switch {
	case len(m.Preset) > 0 && own:
		return nil, config.At("preset", errors.New("brings its own rules: leave out start, continue, indent and end, or the preset"))
	case len(m.Preset) > 0:
		return multiline.Preset(m.Preset...)
	case !own && (m.FlushAfter != Default().Multiline.FlushAfter || m.MaxLines != Default().Multiline.MaxLines):
		return nil, errors.New("nothing says which lines belong together: name a preset, or give start, continue, indent or end")
	case !own:
		return nil, nil
	case m.Continue != "" && m.Continue == m.Start:
		return nil, config.At("continue", errors.New("is the same as start, which decides first: no line would ever continue a record"))
	case m.End != "" && m.End == m.Start:
		return nil, config.At("end", errors.New("is the same as start: every record would have one line"))
	}
	rules := multiline.Rules{Indent: m.Indent}
	var errs []error
	for _, r := range []struct {
		key, text string
		to        **regexp.Regexp
	}{{"start", m.Start, &rules.Start}, {"continue", m.Continue, &rules.Continue}, {"end", m.End, &rules.End}} {
		if r.text == "" {
			continue
		}
		var err error
		if *r.to, err = pattern(r.text); err != nil {
			errs = append(errs, config.At(r.key, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return multiline.New(&rules), nil
}

// pattern compiles a regular expression that tells lines apart.
func pattern(text string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	if re.MatchString("") && re.MatchString("\x00 any line") {
		return nil, fmt.Errorf("%q matches every line", text)
	}
	return re, nil
}
