// Package testkit helps tests to look at Spillway from outside: it builds and
// runs the real program, writes numbered lines and checks that each arrived once,
// reads the program's own account, and keeps evidence of long runs. It imports
// nothing of Spillway, so that the tests of every level may use it.
package testkit

import (
	"os"
	"os/exec"
	"testing"
)

// Require skips the test with one loud line that names what is missing, unless it
// is present. With SPILLWAY_REQUIRE=all the test fails instead: where everything
// is said to be there, nothing may be left out quietly.
func Require(t testing.TB, what string, present bool) {
	t.Helper()
	if present {
		return
	}
	if os.Getenv("SPILLWAY_REQUIRE") == "all" {
		t.Fatalf("%s is required and absent (SPILLWAY_REQUIRE=all)", what)
	}
	t.Skipf("*** SKIPPED: %s is absent ***", what)
}

// RequireProgram is [Require] for a program on the PATH, and returns where it is.
func RequireProgram(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	Require(t, "the program "+name, err == nil)
	return path
}
