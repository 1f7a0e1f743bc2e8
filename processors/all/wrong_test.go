package all

import (
	"strings"
	"testing"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/processors"
)

func TestWrongConfigurationsSayWhereAndWhat(t *testing.T) {
	for text, want := range map[string]string{
		`json: {on_error: ignore}`:                        `1:18`,
		`json: {field: ""}`:                               "field must not be empty",
		`json: {feild: x}`:                                `"field"`,
		`regex: {}`:                                       `"pattern" is missing`,
		`regex: {pattern: '('}`:                           `1:18`,
		`regex: {pattern: 'a(b)'}`:                        "no named group",
		`regex: {pattern: '(?P<a>x)(?P<a>y)'}`:            "twice",
		`timestamp: {layout: '%Y'}`:                       "1:21",
		`timestamp: {layout: rfc3339, timezone: Nowhere}`: "no time zone",
		`set: {fields: {a: '{{b'}}`:                       "{{ without }}",
		`set: {}`:                                         `"fields" is missing`,
		`set: {fields: {"": 1}}`:                          "must not be empty",
		`rename: {fields: {a: x, b: x}}`:                  "a and b can't both become x",
		`rename: {fields: {a: b, b: c}}`:                  "renamed itself",
		`rename: {fields: {a: ''}}`:                       "must not be empty",
		`remove: {fields: []}`:                            "must not be empty",
		`keep: {fields: ['']}`:                            "must not be empty",
		`drop: {when: 'status >'}`:                        "character 8",
		`drop: {when: 'len(a)'}`:                          "must be true or false",
		`dorp: {when: a}`:                                 "drop",
	} {
		n, err := config.Parse("c.yaml", []byte(text), nil)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var c processors.Component
		err = c.UnmarshalConfig(n)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "c.yaml:1:") {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
