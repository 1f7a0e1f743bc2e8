package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/spillway/spillway/internal/config"
)

type environment struct{ pipeline string }

type sink interface{ describe() string }

type fileConfig struct {
	Path string `yaml:"path" doc:"Where to." required:"true" example:"out.jsonl"`
}

type fileSink struct {
	path, pipeline string
}

func (s *fileSink) describe() string { return s.pipeline + " to " + s.path }

type nullConfig struct {
	Count int `yaml:"count" doc:"How many." min:"1"`
}

type nullSink int

func (s nullSink) describe() string { return fmt.Sprintf("null of %d", int(s)) }

type common struct {
	ID string `yaml:"id" doc:"A name."`
}

var errBuild = errors.New("can't be built")

func sinks() *Registry[environment, sink] {
	r := New[environment, sink]("output")
	Register(r, "file", "Writes a file.", func() *fileConfig { return &fileConfig{} },
		func(c *fileConfig, env environment) (sink, error) {
			return &fileSink{path: c.Path, pipeline: env.pipeline}, nil
		})
	Register(r, "blackhole", "Forgets.", func() *nullConfig { return &nullConfig{Count: 7} },
		func(c *nullConfig, env environment) (sink, error) {
			if c.Count == 13 {
				return nil, errBuild
			}
			return nullSink(c.Count), nil
		})
	return r
}

func parse(t *testing.T, in string) *config.Node {
	t.Helper()
	n, err := config.Parse("f.yaml", []byte(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDecodeAndBuild(t *testing.T) {
	r := sinks()
	for in, want := range map[string]string{
		"file: {path: a, id: x}": "web to a, id x",
		"blackhole:":             "null of 7, id none",
		"blackhole: {}":          "null of 7, id none",
		"{blackhole}":            "null of 7, id none",
		"blackhole: {count: 2}":  "null of 2, id none",
	} {
		shared := common{ID: "none"}
		c, err := r.Decode(parse(t, in), &shared)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		built, err := c.Build(environment{pipeline: "web"})
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := built.describe() + ", id " + shared.ID; got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func TestComponentKnowsWhereItCameFrom(t *testing.T) {
	c, err := sinks().Decode(parse(t, "file: {path: a}"))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c.Config, &fileConfig{Path: "a"}) {
		t.Errorf("config is %+v", c.Config)
	}
	if c.Type != "file" || c.Node.Path() != "file" || c.Node.Column() != 7 {
		t.Errorf("got type %s at %s, column %d", c.Type, c.Node.Path(), c.Node.Column())
	}
}

func TestEachBuildIsAnInstanceOfItsOwn(t *testing.T) {
	c, err := sinks().Decode(parse(t, "file: {path: a}"))
	if err != nil {
		t.Fatal(err)
	}
	one, _ := c.Build(environment{})
	two, _ := c.Build(environment{})
	if one == two {
		t.Error("two builds gave one instance")
	}
}

func TestDefaultsAreNotShared(t *testing.T) {
	r := sinks()
	if _, err := r.Decode(parse(t, "blackhole: {count: 2}")); err != nil {
		t.Fatal(err)
	}
	c, err := r.Decode(parse(t, "blackhole:"))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Config.(*nullConfig).Count; got != 7 {
		t.Errorf("the default count became %d", got)
	}
}

func TestBuildErrorsPassThrough(t *testing.T) {
	c, err := sinks().Decode(parse(t, "blackhole: {count: 13}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Build(environment{}); !errors.Is(err, errBuild) {
		t.Errorf("got %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	r := sinks()
	for in, want := range map[string]string{
		"fiel: {}":                 `f.yaml:1:1: fiel: unknown output "fiel"; did you mean "file"?`,
		"kafka: {}":                `f.yaml:1:1: kafka: unknown output "kafka"; known are blackhole, file`,
		"file":                     `f.yaml:1:1: wanted an output as a map with one key, its type, such as {file: {}}, found "file"`,
		"kafka":                    `f.yaml:1:1: wanted an output as a map with one key, its type, found "kafka"`,
		"[file]":                   "f.yaml:1:1: wanted an output as a map with one key, its type, found a list",
		"":                         "f.yaml:1:1: wanted an output as a map with one key, its type, found nothing",
		"{}":                       "f.yaml:1:1: an output has one key, its type, but this has 0; settings are indented below the type",
		"file:\npath: a\n":         "f.yaml:1:1: an output has one key, its type, but this has 2; settings are indented below the type",
		"file: x":                  `f.yaml:1:7: file: wanted a map, found "x"`,
		"file:":                    `f.yaml:1:1: file: the key "path" is missing, for example path: out.jsonl`,
		"file: {path: a, idd: x}":  `f.yaml:1:17: file: unknown key "idd"; did you mean "id"?`,
		"blackhole: {count: 0}":    `f.yaml:1:20: blackhole.count: must be at least 1, found "0"`,
		"file: {pth: a, count: 1}": "f.yaml:1:8: file: unknown key \"pth\"; did you mean \"path\"?\nf.yaml:1:16: file: unknown key \"count\"; known are id, path",
	} {
		_, err := r.Decode(parse(t, in), &common{})
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", in, err, want)
		}
	}
}

func TestArticleFitsTheKind(t *testing.T) {
	_, err := New[int, int]("processor").Decode(parse(t, "[]"))
	const want = "f.yaml:1:1: wanted a processor as a map with one key, its type, found a list"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRegisterPanics(t *testing.T) {
	def := func() *nullConfig { return &nullConfig{} }
	build := func(*nullConfig, environment) (sink, error) { return nil, nil }
	for name, c := range map[string]struct{ name, summary, want string }{
		"empty name": {"", "s", `"" is no name for an output`},
		"bad name":   {"My-Sink", "s", `"My-Sink" is no name for an output`},
		"line end":   {"a\n", "s", "is no name for an output"},
		"twice":      {"file", "s", `the output "file" is registered twice`},
		"no summary": {"other", "", `the output "other" has no summary`},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, c.want) {
					t.Errorf("panicked with %s, want %s", got, c.want)
				}
			}()
			Register(sinks(), c.name, c.summary, def, build)
		})
	}
}

func TestEntriesAreSortedAndLintable(t *testing.T) {
	var got []string
	for _, e := range sinks().Entries() {
		got = append(got, e.Name+": "+e.Summary)
		if err := config.Lint(e.Default(), &common{}); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
	if want := []string{"blackhole: Forgets.", "file: Writes a file."}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSchemaAcceptsWhatDecodeDoes(t *testing.T) {
	data, err := json.Marshal(sinks().Schema(&common{}))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for in, valid := range map[string]bool{
		`{"file": {"path": "a", "id": "x"}}`:      true,
		`{"blackhole": null}`:                     true,
		`{"file": null}`:                          false,
		`{"file": {"path": "a", "count": 1}}`:     false,
		`{"kafka": {}}`:                           false,
		`{}`:                                      false,
		`{"file": {"path":"a"}, "blackhole": {}}`: false,
		`"file"`:                                  false,
	} {
		var v any
		if err := json.Unmarshal([]byte(in), &v); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); (err == nil) != valid {
			t.Errorf("%s: %v", in, err)
		}
		if _, err := sinks().Decode(parse(t, in), &common{}); (err == nil) != valid {
			t.Errorf("Decode of %s: %v", in, err)
		}
	}
}
