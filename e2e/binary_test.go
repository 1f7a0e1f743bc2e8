// Package e2e runs the real binary against real files and real signals.
package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// buildDir is where the binaries go.
var buildDir string

var (
	plain    = sync.OnceValues(func() (string, error) { return build("spillway") })
	failable = sync.OnceValues(func() (string, error) { return build("spillway-failpoints", "-tags", "failpoints") })
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "spillway-e2e")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func build(name string, flags ...string) (string, error) {
	path := filepath.Join(buildDir, name)
	cmd := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), "../cmd/spillway")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return path, cmd.Run()
}

// binary is the program as users have it.
func binary(t *testing.T) string { return must(t, plain) }

// failpointBinary can be told to die at named points.
func failpointBinary(t *testing.T) string { return must(t, failable) }

func must(t *testing.T, build func() (string, error)) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatalf("building spillway: %v", err)
	}
	return path
}
