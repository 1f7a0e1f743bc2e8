package all

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/processors"
)

// TestProcessorsAreDescribed walks the registry: every field has its words,
// every default passes its own check, and every processor has its page and cases.
func TestProcessorsAreDescribed(t *testing.T) {
	entries := processors.Registry.Entries()
	folders, err := filepath.Glob("../*/doc.md")
	if err != nil || len(folders) != len(entries) {
		t.Fatalf("%d processors have a page, %d are registered", len(folders), len(entries))
	}
	for _, e := range entries {
		if err := config.Lint(e.Default()); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		if !strings.HasSuffix(e.Summary, ".") {
			t.Errorf("%s: the summary is no sentence: %s", e.Name, e.Summary)
		}
		page, err := os.ReadFile("../" + e.Name + "/doc.md")
		if err != nil || !strings.HasPrefix(string(page), "# "+e.Name+"\n") {
			t.Errorf("%s: its page begins %.20q, %v", e.Name, page, err)
		}
		if cases, _ := filepath.Glob("../" + e.Name + "/testdata/*/expected"); len(cases) == 0 {
			t.Errorf("%s has no cases", e.Name)
		}
	}
}
