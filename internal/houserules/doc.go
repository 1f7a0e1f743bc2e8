// Package houserules holds the rules of this codebase that a machine can check, as
// ordinary tests: who may import whom, how packages and tests are named, how long
// a file may be, and what must not be committed.
package houserules
