package pipeline

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/registry"
	"github.com/spillway/spillway/outputs"
)

// Test is a line and the records it should become.
type Test struct {
	Pipeline string           `yaml:"pipeline" doc:"The pipeline whose processors are tried." required:"true"`
	Input    string           `yaml:"input" doc:"One line." required:"true"`
	Expect   []map[string]any `yaml:"expect" doc:"The records that it becomes; only the fields named here are compared. An empty list: the line is dropped."`

	node *config.Node
}

// Place is where in the configuration the test stands, as file:line.
func (t *Test) Place() string { return fmt.Sprintf("%s:%d", t.node.File(), t.node.Line()) }

// UnmarshalConfig keeps where the test stands.
func (t *Test) UnmarshalConfig(n *config.Node) error {
	type plain Test
	if err := config.Decode(n, (*plain)(t)); err != nil {
		return err
	}
	t.node = n
	if n.Key("expect") == nil {
		return n.Errorf("a test needs expect: the records that the line becomes, or [] if it is dropped")
	}
	return nil
}

// Load reads the configuration in a file or folder. Nothing is built, and nothing
// outside it is touched.
func Load(path string) (*Document, error) {
	n, err := config.Load(path, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	doc := Default()
	doc.node = n
	if err := config.Decode(n, doc); err != nil {
		return nil, err
	}
	return doc, doc.settle(n)
}

// settle checks what concerns the document as a whole, and fills in the defaults
// that depend on the host.
func (d *Document) settle(n *config.Node) error {
	var errs []error
	for _, e := range n.Key("pipelines").Entries() {
		if err := registry.CheckID(e.Key); err != nil {
			errs = append(errs, e.Errorf("%q is no pipeline name: want a-z, 0-9 and _", e.Key))
		}
	}
	errs = append(errs, d.checkTargets())
	for i := range d.Tests {
		if _, ok := d.Pipelines[d.Tests[i].Pipeline]; !ok {
			errs = append(errs, d.Tests[i].node.Key("pipeline").Errorf("there is no pipeline %q%s", d.Tests[i].Pipeline,
				config.Suggest(d.Tests[i].Pipeline, slices.Collect(maps.Keys(d.Pipelines)))))
		}
	}
	if d.DataDir == "" {
		dir, err := defaultDataDir()
		errs = append(errs, err)
		d.DataDir = config.Path(dir)
	}
	dir, err := filepath.Abs(string(d.DataDir))
	errs = append(errs, err)
	d.DataDir = config.Path(dir)
	return config.Join(errs...)
}

// checkTargets refuses two outputs that would write to the same place.
func (d *Document) checkTargets() error {
	var errs []error
	first := map[string]*config.Node{}
	for _, name := range slices.Sorted(maps.Keys(d.Pipelines)) {
		p := d.Pipelines[name]
		for _, c := range append(p.Outputs[:len(p.Outputs):len(p.Outputs)], p.DeadLetters) {
			x, ok := c.Config.(outputs.Exclusive)
			if !ok {
				continue
			}
			if n := first[x.Target()]; n != nil {
				errs = append(errs, c.Node.Errorf("%s is written to by the output at %s:%d already: choose another", x.Target(), n.File(), n.Line()))
				continue
			}
			first[x.Target()] = c.Node
		}
	}
	return config.Join(errs...)
}

func defaultDataDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/spillway", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "spillway"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("data_dir is not set, and there is no home folder to put it in: set data_dir")
	}
	return filepath.Join(home, ".local", "state", "spillway"), nil
}

// DescribeConfig describes the keys of a test.
func (Test) DescribeConfig() (string, map[string]any) {
	type plain Test
	return "test", config.SchemaOf(&plain{})
}
