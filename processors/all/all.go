// Package all links every processor into the program that imports it.
package all

import (
	_ "github.com/spillway/spillway/processors/combined"
	_ "github.com/spillway/spillway/processors/drop"
	_ "github.com/spillway/spillway/processors/json"
	_ "github.com/spillway/spillway/processors/keep"
	_ "github.com/spillway/spillway/processors/regex"
	_ "github.com/spillway/spillway/processors/remove"
	_ "github.com/spillway/spillway/processors/rename"
	_ "github.com/spillway/spillway/processors/set"
	_ "github.com/spillway/spillway/processors/timestamp"
)
