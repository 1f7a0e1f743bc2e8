package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

type fussy struct {
	Name string `yaml:"name" doc:"A name." required:"true" example:"a"`
}

func (f *fussy) Check() error {
	if f.Name == "a" {
		return errors.New("not this name")
	}
	return nil
}

func TestLintAcceptsAGoodStruct(t *testing.T) {
	// The certificate of the nested map is required there only, and nobody gives it here.
	if err := Lint(defaults(), &common{OnFull: "drop"}); err != nil {
		t.Error(err)
	}
}

func TestRequiredFieldsNeedNoValidDefault(t *testing.T) {
	if err := Lint(&struct {
		Mode string `yaml:"mode" doc:"x" required:"true" oneof:"a,b" example:"a"`
		Port int    `yaml:"port" doc:"x" required:"true" min:"1" example:"80"`
	}{}); err != nil {
		t.Error(err)
	}
}

func TestLintFindsMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  []any
		want string
	}{
		"no yaml tag": {[]any{&struct {
			A int `doc:"x"`
		}{}}, "A has no yaml tag"},
		"no doc tag": {[]any{&struct {
			A int `yaml:"a"`
		}{}}, "A has no doc tag"},
		"nested": {[]any{&struct {
			In []struct {
				A int `yaml:"a"`
			} `yaml:"in" doc:"x"`
		}{}}, "A has no doc tag"},
		"unsupported type": {[]any{&struct {
			A *int `yaml:"a" doc:"x"`
		}{}}, "a: fields of type *int are not supported"},
		"map keys": {[]any{&struct {
			A map[int]int `yaml:"a" doc:"x"`
		}{}}, "a: the keys of a map are texts, not int"},
		"default below min": {[]any{&struct {
			A time.Duration `yaml:"a" doc:"x" min:"1s"`
		}{}}, "a: the default 0s is out of its own range"},
		"default above max": {[]any{&struct {
			A Size `yaml:"a" doc:"x" max:"1KiB"`
		}{MiB}}, "a: the default 1MiB is out of its own range"},
		"default in a list": {[]any{&struct {
			A []int `yaml:"a" doc:"x" max:"1"`
		}{[]int{2}}}, "a: the default 2 is out of its own range"},
		"default not one of": {[]any{&struct {
			A string `yaml:"a" doc:"x" oneof:"b,c"`
		}{}}, `a: the default "" is not one of b,c`},
		"oneof of a number": {[]any{&struct {
			A int `yaml:"a" doc:"x" oneof:"1,2"`
		}{}}, "a: oneof is for texts"},
		"bounds of a text": {[]any{&struct {
			A string `yaml:"a" doc:"x" min:"1"`
		}{}}, "a: min and max are for numbers, sizes and durations"},
		"unreadable bound": {[]any{&struct {
			A time.Duration `yaml:"a" doc:"x" min:"1"`
		}{}}, `tag min:"1" does not fit a field of type time.Duration`},
		"required false": {[]any{&struct {
			A int `yaml:"a" doc:"x" required:"false"`
		}{}}, `required can only be "true"`},
		"required without example": {[]any{&struct {
			A string `yaml:"a" doc:"x" required:"true"`
		}{}}, "A is required and has no example tag"},
		"bad example": {[]any{&struct {
			A int `yaml:"a" doc:"x" example:"b"`
		}{}}, `the example of a: example:1:4: a: wanted an integer, found "b"`},
		"empty example": {[]any{&struct {
			A []int `yaml:"a" doc:"x" required:"true" example:"[]"`
		}{}}, "the example of a: example:1:4: a: must not be empty"},
		"check":       {[]any{&fussy{}}, "not this name"},
		"a key twice": {[]any{&common{OnFull: "drop"}, &common{OnFull: "drop"}}, `the key "id" is in both`},
		"no struct":   {[]any{1}, "wanted a pointer to a struct, got int"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Lint(c.cfg...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
