package combined

import "github.com/spillway/spillway/processors"

func init() {
	processors.Register("combined", "Parses web server logs in the common and combined formats.", Default, New)
}

// Config says which field to parse.
type Config struct {
	processors.ParserConfig
}

// Default parses the message.
func Default() *Config { return &Config{processors.DefaultParserConfig()} }
