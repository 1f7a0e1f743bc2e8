package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What troubleshooting quotes from the log or from an error must be what the program
// says: somebody will search the page for it.
func TestMessagesThatTroubleshootingQuotesExist(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		sources.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// A quotation is several lower-case words; variable parts are in capitals, or are ….
	quoted := regexp.MustCompile("`([a-z'_]+(?: [a-z'_,;]+){2,})`")
	found := quoted.FindAllStringSubmatch(string(page), -1)
	for _, m := range found {
		if !strings.Contains(sources.String(), m[1]) && !strings.HasPrefix(m[1], "spillway ") {
			t.Errorf("nothing says %q", m[1])
		}
	}
	if len(found) < 8 {
		t.Errorf("only %d messages are quoted", len(found))
	}
}
