// Package all registers every input that is built in. It is imported for that
// effect alone.
package all

import (
	_ "github.com/spillway/spillway/inputs/file"
	_ "github.com/spillway/spillway/inputs/kafka"
)
