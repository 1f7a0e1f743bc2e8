package houserules

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spillway/spillway/internal/testkit"
)

// maxLines is how long a Go file may be; most are far shorter.
const maxLines = 600

// tree returns the files of the repository by path, as they are in the work tree.
func tree(t *testing.T) map[string][]byte {
	t.Helper()
	root := filepath.Join("..", "..")
	_, err := os.Stat(filepath.Join(root, ".git"))
	testkit.Require(t, "a git checkout (this is a plain copy of the source)", err == nil)
	testkit.RequireProgram(t, "git")
	out, err := exec.Command("git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	files := map[string][]byte{}
	for name := range strings.SplitSeq(strings.Trim(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		files[name] = text
	}
	if files["go.mod"] == nil {
		t.Fatalf("%d files, and go.mod is not among them", len(files))
	}
	return files
}

func TestGoFilesFitIntoOnesHead(t *testing.T) {
	for name, text := range tree(t) {
		if lines := bytes.Count(text, []byte("\n")); strings.HasSuffix(name, ".go") && lines > maxLines {
			t.Errorf("%s has %d lines, more than %d: it holds more than one idea", name, lines, maxLines)
		}
	}
}

// A component's page of the reference is made of its doc.md, and its behaviour on
// failure stands nowhere else.
func TestEveryComponentSaysWhatItIsFor(t *testing.T) {
	files := tree(t)
	components := 0
	for _, p := range packages(t) {
		if !isComponent(p.name()) {
			continue
		}
		components++
		if name := p.name() + "/doc.md"; len(files[name]) == 0 {
			t.Errorf("%s is missing or empty", name)
		}
	}
	if components < 14 {
		t.Errorf("only %d components were found", components)
	}
}

func TestTestsAreNamedForWhatHolds(t *testing.T) {
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	// By when or why they were written, or by nothing at all.
	idle := regexp.MustCompile(`(?i)issue|bug|regression|review|basic|misc|works$|^TestNew$|_`)
	for name, text := range tree(t) {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, m := range declared.FindAllSubmatch(text, -1) {
			if idle.Match(m[1]) {
				t.Errorf("%s: %s does not say what holds", name, m[1])
			}
		}
	}
}

func TestNothingUnfinishedOrOfOneMachineIsCommitted(t *testing.T) {
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	// Split, so that this file does not hold them.
	never := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X:", "<<<<" + "<<<", "/wo" + "rk/", "/ro" + "ot/", "../sha" + "red"}
	for _, dir := range []string{home, root} {
		if len(dir) > len("/src") { // shorter ones stand in URLs and examples
			never = append(never, dir+"/")
		}
	}
	for name, text := range tree(t) {
		if filepath.Dir(name) == "e2e/testdata/logs" {
			continue // other systems' logs, as they came
		}
		for _, words := range never {
			if i := bytes.Index(text, []byte(words)); i >= 0 {
				t.Errorf("%s:%d holds %q", name, 1+bytes.Count(text[:i], []byte("\n")), words)
			}
		}
	}
}
