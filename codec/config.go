package codec

import "github.com/spillway/spillway/internal/config"

// Config says how records are encoded. Two configurations that are equal share
// their frames in the spool.
type Config struct {
	Codec          string `yaml:"codec" doc:"How a record is written: json (one object a line) or raw (the line as it was read)." oneof:"json,raw"`
	TimestampField string `yaml:"timestamp_field" doc:"With json, the field that carries the record's timestamp, unless the record has a field of that name; empty leaves it out."`
}

// DefaultConfig is JSON with a timestamp.
func DefaultConfig() Config { return Config{Codec: "json", TimestampField: "timestamp"} }

// Override is a Config where it is given, instead of one that holds elsewhere.
type Override struct {
	Config
	Given bool
}

// UnmarshalConfig decodes onto the defaults.
func (o *Override) UnmarshalConfig(n *config.Node) error {
	o.Config, o.Given = DefaultConfig(), true
	return config.Decode(n, &o.Config)
}

// DescribeConfig describes the keys of a Config.
func (Override) DescribeConfig() (string, map[string]any) {
	c := DefaultConfig()
	return "encoding", config.SchemaOf(&c)
}
