package e2e

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spillway/spillway/internal/testkit"
)

func TestTheDemoShipsEverythingItWrites(t *testing.T) {
	p := testkit.NewProgram(t)
	p.Env = []string{"DEMO_SECONDS=2"}
	r := p.Run(t, "demo", "--dir", "demo")
	if r.Code != 0 || !strings.Contains(r.Stdout, "holds: ") || !strings.Contains(r.Stdout, "Try next") {
		t.Fatalf("ended with %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	for _, c := range []struct{ pipeline, log, filtered string }{
		{"web", "access.log", "/healthz?"}, {"app", "app.log", `"level":"debug"`},
	} {
		a := p.Conserved(t, "demo/spillway.yaml")[c.pipeline]
		written := numbers(t, p.File("demo/logs/"+c.log), "")
		want := numbers(t, p.File("demo/logs/"+c.log), c.filtered)
		if got := numbers(t, p.File("demo/out/"+c.pipeline+".jsonl"), ""); !slices.Equal(got, want) {
			t.Errorf("%s: %d lines of %d arrived, or in another order", c.pipeline, len(got), len(want))
		}
		if len(want) == 0 || len(want) == len(written) || a.Account.Read != int64(len(written)) ||
			a.Account.Appended != int64(len(want)) || a.Output(t, "file").PendingRecords != 0 {
			t.Errorf("%s: %d lines written, %d to be delivered, and the audit says %+v", c.pipeline, len(written), len(want), a)
		}
	}
}

var numbered = regexp.MustCompile(`[?]n=([0-9]+)|"n":([0-9]+)`)

// numbers are those of a file's lines, but for the lines that hold a text.
func numbers(t *testing.T, path, without string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		m := numbered.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%s: no number in %q", path, line)
		}
		if without == "" || !strings.Contains(line, without) {
			all = append(all, m[1]+m[2])
		}
	}
	return all
}
