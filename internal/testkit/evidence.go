package testkit

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Evidence is what a long run has shown. Each is a JSON file in docs/evidence.
type Evidence struct {
	Name string `json:"name"`
	// Seed repeats the run's random choices; 0 if there are none.
	Seed uint64 `json:"seed"`
	// Revision is the commit that was tested, with -dirty if the tree was.
	Revision        string         `json:"revision"`
	DurationSeconds float64        `json:"duration_seconds"`
	Figures         map[string]any `json:"figures"`
}

// WriteEvidence writes dir/NAME.json about a run that began at start. The
// revision is that of SPILLWAY_REVISION.
func WriteEvidence(dir, name string, seed uint64, start time.Time, figures map[string]any) error {
	text, err := json.MarshalIndent(Evidence{
		Name: name, Seed: seed, Revision: cmp.Or(os.Getenv("SPILLWAY_REVISION"), "unknown"),
		DurationSeconds: time.Since(start).Round(100 * time.Millisecond).Seconds(), Figures: figures,
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o644)
}

// KeepEvidence is [WriteEvidence] into the folder SPILLWAY_EVIDENCE, for a test
// that has passed. Without that variable, and after a failure, it does nothing.
func KeepEvidence(t testing.TB, name string, seed uint64, start time.Time, figures map[string]any) {
	t.Helper()
	dir := os.Getenv("SPILLWAY_EVIDENCE")
	if dir == "" || t.Failed() {
		return
	}
	if err := WriteEvidence(dir, name, seed, start, figures); err != nil {
		t.Fatalf("evidence: %v", err)
	}
}
