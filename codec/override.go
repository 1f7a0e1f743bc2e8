package codec

import "github.com/spillway/spillway/internal/config"

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
