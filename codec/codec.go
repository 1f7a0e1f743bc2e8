// Package codec turns records into the bytes that outputs deliver.
package codec

import (
	"fmt"

	"github.com/spillway/spillway/record"
)

// Codec encodes records. Each worker has its own, so scratch buffers are fields.
type Codec interface {
	// Append appends the encoded record to dst and returns it. On an error
	// dst is returned as it came, and the record is dropped as
	// [record.EncodeFailed].
	Append(dst []byte, r record.Record) ([]byte, error)
}

// New returns a codec for one worker.
func New(c Config) (Codec, error) {
	switch c.Codec {
	case "json":
		return newJSON(c.TimestampField), nil
	case "raw":
		return raw{}, nil
	}
	return nil, fmt.Errorf("unknown codec %q: want json or raw", c.Codec)
}
