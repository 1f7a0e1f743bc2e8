// Package all registers every output.
package all

import (
	_ "github.com/spillway/spillway/outputs/blackhole"
	_ "github.com/spillway/spillway/outputs/file"
	_ "github.com/spillway/spillway/outputs/kafka"
	_ "github.com/spillway/spillway/outputs/stdout"
	_ "github.com/spillway/spillway/outputs/tcp"
)
