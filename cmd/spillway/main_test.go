package main

import (
	"os"
	"path/filepath"
	"testing"
)

// What only looks at a configuration or a spool works for a user who may not write
// where its outputs write.
func TestTestAndAuditNeedNoOutputs(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	text := `data_dir: ./data
pipelines:
  p:
    inputs: [{file: {paths: [./a.log]}}]
    outputs: [{file: {path: ./c.yaml/out}}]
tests: [{pipeline: p, input: a, expect: [{message: a}]}]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for verb, want := range map[string]int{"test": 0, "audit": 0, "validate": exitUsage, "run": exitUsage} {
		if got := spillway([]string{verb, "-c", file}); got != want {
			t.Errorf("%s ended with %d, want %d", verb, got, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v; want the configuration alone", left, err)
	}
}

func TestAWrongCommandLineIsRefused(t *testing.T) {
	for _, args := range [][]string{{}, {"rnu"}, {"version", "x"}, {"demo", "--seconds=-1"}, {"run", "--log-level", "trace"}, {"completion", "ksh"}} {
		if got := spillway(args); got != exitUsage {
			t.Errorf("%v ended with %d, want %d", args, got, exitUsage)
		}
	}
}
