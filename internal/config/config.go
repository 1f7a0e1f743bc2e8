// Package config reads YAML configuration into Go structs and says exactly where it is wrong.
//
// # Reading
//
// [Load] reads one file or a folder of them into a tree of [Node] values. Every node knows the file, line and column
// where it was written, so that each later complaint can name the place. What YAML itself leaves open is decided
// strictly: a key may appear once in a map, a file holds one document, and tags, directives and complex keys are
// refused. Anchors, aliases and merge keys work.
//
// # References
//
// References are replaced after the YAML is parsed, inside scalars and never in keys, so a value can't change the
// structure of the file around it:
//
//	${NAME}            the environment variable NAME; an error if it is not set
//	${NAME:-default}   default if NAME is not set or empty
//	${NAME:?message}   an error that says message if NAME is not set or empty
//	${env:NAME}        the same as ${NAME}, with the same two forms after it
//	${file:/path}      the content of a file without its last line end; a relative path starts at the configuration file
//	$${                a literal ${
//
// A lone $ means itself. Defaults and messages may hold references themselves; what was read from the environment or
// a file is not looked at again. A scalar that holds a reference takes its type from the field it is decoded into,
// quoted or not. In error messages it is shown as it was written, never as it was replaced: it may be a secret.
//
// # Decoding
//
// [Decode] fills structs that already hold their defaults. Fields are described by tags:
//
//	yaml:"name"         the key; without it a field is not part of the configuration
//	doc:"..."           one or two sentences for the reference pages and the schema
//	oneof:"a,b"         the only texts allowed
//	min:"1" max:"10"    bounds, in the field's own notation: 10, 0.5, 64MiB, 1s
//	required:"true"     the key must be present and, for texts, lists and maps, not empty
//	example:"..."       a value in YAML, as one would write it
//
// oneof, min and max of a list or map field hold for its elements. Durations must not be negative unless min says so.
//
// A list or map that is given replaces the default one; a nested struct is decoded onto its default. After a struct
// has been decoded without an error, its Check() error method is called, if it has one.
//
// [Fields] and [SchemaOf] describe the same structs for people and for editors; [Lint] holds them to these rules.
package config
