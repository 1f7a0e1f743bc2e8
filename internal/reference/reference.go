// Package reference makes the reference pages and the JSON schema of the
// configuration from the components' own structs.
package reference

import (
	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/registry"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/pipeline"
	"github.com/spillway/spillway/processors"
)

// Kind is one kind of component.
type Kind struct {
	// Name is the kind's noun: input, processor, output.
	Name    string
	Entries []registry.Entry
	// common holds the keys that every component of the kind has, or is nil.
	common any
}

// Kinds are all kinds of this build with their components.
func Kinds() []Kind {
	common := outputs.DefaultCommon()
	return []Kind{
		{"input", inputs.Registry.Entries(), &inputs.Common{}},
		{"processor", processors.Registry.Entries(), nil},
		{"output", outputs.Registry.Entries(), &common},
	}
}

// Schema is the JSON schema of a whole configuration.
func Schema() map[string]any {
	s := config.SchemaOf(pipeline.Default())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Spillway configuration"
	return s
}
