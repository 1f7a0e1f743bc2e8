package codec

import "strconv"

// Config says how records are encoded. Two configurations that are equal share
// their frames in the spool.
type Config struct {
	Codec          string `yaml:"codec" doc:"How a record is written: json (one object a line) or raw (the line as it was read)." oneof:"json,raw"`
	TimestampField string `yaml:"timestamp_field" doc:"With json, the field that carries the record's timestamp, unless the record has a field of that name; empty leaves it out."`
}

// DefaultConfig is JSON with a timestamp.
func DefaultConfig() Config { return Config{Codec: "json", TimestampField: "timestamp"} }

// Check says what is wrong with c.
func (c *Config) Check() error {
	_, err := New(*c)
	return err
}

// Fingerprint is the same for two configurations exactly if they encode every
// record alike.
func (c *Config) Fingerprint() string {
	if c.Codec == "json" {
		return "json timestamp_field=" + strconv.Quote(c.TimestampField)
	}
	return c.Codec
}
