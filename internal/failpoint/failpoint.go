//go:build !failpoints

// Package failpoint lets a test end the process at a named point of the code.
// Builds without the tag "failpoints" contain none of it.
package failpoint

// Enabled says that this build has failpoints.
const Enabled = false

// Due is false in this build.
func Due(string) bool { return false }

// Hit does nothing in this build.
func Hit(string) {}

// Die does nothing in this build.
func Die(string) {}

// Disabled is false in this build.
func Disabled(string) bool { return false }
