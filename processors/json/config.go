package json

import "github.com/spillway/spillway/processors"

func init() {
	processors.Register("json", "Makes fields of the members of a JSON object.", Default, New)
}

// Config says which field to parse.
type Config struct {
	processors.ParserConfig
}

// Default parses the message.
func Default() *Config { return &Config{processors.DefaultParserConfig()} }
