package all

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/outputs"
)

func TestConfigurationsKeepTheRules(t *testing.T) {
	for _, e := range outputs.Registry.Entries() {
		t.Run(e.Name, func(t *testing.T) {
			if err := config.Lint(e.Default(), &outputs.Common{OnFull: "block", StartFrom: "now"}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEveryFolderIsRegisteredAndDocumented(t *testing.T) {
	folders, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, f := range folders {
		if f.IsDir() && f.Name() != "all" && f.Name() != "outputstest" {
			want = append(want, f.Name())
		}
	}
	var got []string
	for _, e := range outputs.Registry.Entries() {
		got = append(got, e.Name)
		doc, err := os.ReadFile("../" + e.Name + "/doc.md")
		if err != nil {
			t.Error(err)
		}
		for _, part := range []string{"# " + e.Name + "\n", "\n## Guarantees\n"} {
			if !strings.Contains(string(doc), part) {
				t.Errorf("doc.md of %s lacks %q", e.Name, part)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("registered: %v, folders: %v", got, want)
	}
}
