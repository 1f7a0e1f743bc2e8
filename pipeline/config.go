package pipeline

import (
	"fmt"
	"time"

	"github.com/spillway/spillway/codec"
	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/recordbatch"
)

// Document is a whole configuration: one file, or a folder of them.
type Document struct {
	DataDir   config.Path       `yaml:"data_dir" doc:"Folder of spools, cursors and checkpoints. One process at a time may own it."`
	Admin     AdminConfig       `yaml:"admin" doc:"The port for health and metrics."`
	Workers   int               `yaml:"workers" doc:"Goroutines that process and encode, for all pipelines together; 0 is one for each processor the process may use." min:"0" max:"1024"`
	Buffer    config.Size       `yaml:"buffer_bytes" doc:"Bound on the batches on their way from the inputs to the spools, for all pipelines together." min:"1MiB"`
	Pipelines map[string]Config `yaml:"pipelines" doc:"The pipelines, by name." required:"true"`
	Tests     []Test            `yaml:"tests" doc:"Lines and the records they should become; run by spillway test."`

	node *config.Node
}

// At gives an error about one key of a section its place in the configuration.
func (d *Document) At(section, key string, err error) error {
	n := d.node
	for _, step := range []string{section, key} {
		if below := n.Key(step); below != nil {
			n = below
		}
	}
	return n.Errorf("%w", err)
}

// AdminConfig says where health and metrics are served.
type AdminConfig struct {
	Listen string `yaml:"listen" doc:"Loopback address for /healthz, /readyz and /metrics; empty is off." example:"127.0.0.1:9610"`
}

// Config is one pipeline.
type Config struct {
	Inputs       []inputs.Component     `yaml:"inputs" doc:"Where records come from." required:"true"`
	Processors   []processors.Component `yaml:"processors" doc:"What is done to them, in this order."`
	Encode       codec.Config           `yaml:"encode" doc:"How they are written, for outputs that do not say otherwise."`
	Spool        SpoolConfig            `yaml:"spool" doc:"The buffer between them and the outputs."`
	Outputs      []outputs.Component    `yaml:"outputs" doc:"Where they go: each output gets every record." required:"true"`
	DeadLetters  outputs.Component      `yaml:"dead_letters" doc:"The output for records that could not be processed or were refused; a file in data_dir by default. What it refuses itself is tried for ever."`
	Linger       time.Duration          `yaml:"linger" doc:"How long records may wait for others when an output has nothing left to send." min:"0s" max:"1m"`
	DrainTimeout time.Duration          `yaml:"drain_timeout" doc:"How long a stop may wait for outputs to take what is spooled; the rest stays in the spool." min:"0s"`

	node *config.Node
}

// SpoolConfig is the buffer of one pipeline.
type SpoolConfig struct {
	Type         string        `yaml:"type" doc:"disk, or memory for hosts without a disk to give; memory is at least once across a crash." oneof:"disk,memory"`
	MaxBytes     config.Size   `yaml:"max_bytes" doc:"Size at which the spool is full and on_full of the outputs decides." min:"1MiB"`
	SegmentBytes config.Size   `yaml:"segment_bytes" doc:"Size at which a new segment file begins." min:"64KiB" max:"1GiB"`
	MaxAge       time.Duration `yaml:"max_age" doc:"Age at which spooled records are dropped, and counted; 0 keeps them." min:"0s"`
	Compression  string        `yaml:"compression" doc:"Compression of the frames." oneof:"none,gzip,snappy,lz4,zstd"`
	Sync         string        `yaml:"sync" doc:"When written frames are made safe against a power cut: always, never, or at this interval (and each 16 MiB)." example:"1s"`
}

// Default is a configuration with every default in place.
func Default() *Document {
	return &Document{Admin: AdminConfig{Listen: "127.0.0.1:9610"}, Buffer: 32 << 20}
}

// DefaultConfig is a pipeline with every default in place.
func DefaultConfig() Config {
	return Config{
		Encode: codec.DefaultConfig(),
		Spool: SpoolConfig{
			Type: "disk", MaxBytes: 4 << 30, SegmentBytes: 64 << 20,
			Compression: "snappy", Sync: "1s",
		},
		Linger:       5 * time.Millisecond,
		DrainTimeout: 30 * time.Second,
	}
}

// Check tells what the tags cannot.
func (c *SpoolConfig) Check() error {
	if _, err := spool.ParseSync(c.Sync); err != nil {
		return config.At("sync", err)
	}
	if _, err := recordbatch.ParseCodec(c.Compression); err != nil {
		return config.At("compression", err)
	}
	if c.MaxBytes < 2*c.SegmentBytes {
		key := "max_bytes"
		if c.MaxBytes == DefaultConfig().Spool.MaxBytes {
			key = "segment_bytes"
		}
		return config.At(key, fmt.Errorf("max_bytes %s holds fewer than two segments of %s: make it larger, or segment_bytes smaller", c.MaxBytes, c.SegmentBytes))
	}
	return nil
}

// Check refuses ids that stand for two components.
func (c *Config) Check() error {
	seen := map[string]bool{}
	for i := range c.Inputs {
		id := c.Inputs[i].ID
		if seen[id] {
			return c.Inputs[i].Node.Errorf("a second input with the id %q: give one of them another id", id)
		}
		seen[id] = true
	}
	clear(seen)
	seen[DeadLettersID] = true
	for i := range c.Outputs {
		id := c.Outputs[i].ID
		if id == DeadLettersID {
			return c.Outputs[i].Node.Errorf("the id %q belongs to the pipeline's dead letters: choose another", id)
		}
		if seen[id] {
			return c.Outputs[i].Node.Errorf("a second output with the id %q: give one of them another id", id)
		}
		seen[id] = true
	}
	return nil
}

// DeadLettersID is the id of the output that takes the dead letters.
const DeadLettersID = "dead_letters"

// UnmarshalConfig decodes a pipeline onto its defaults.
func (c *Config) UnmarshalConfig(n *config.Node) error {
	*c = DefaultConfig()
	c.node = n
	type plain Config
	if err := config.Decode(n, (*plain)(c)); err != nil {
		return err
	}
	return c.Check()
}

// DescribeConfig describes the keys of a pipeline.
func (Config) DescribeConfig() (string, map[string]any) {
	c := DefaultConfig()
	type plain Config
	return "pipeline", config.SchemaOf((*plain)(&c))
}
