package e2e

import (
	"os"
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
	for pipeline, logName := range map[string]string{"web": "access.log", "app": "app.log"} {
		a := p.Conserved(t, "demo/spillway.yaml")[pipeline]
		out, err := os.ReadFile(p.File("demo/out/" + pipeline + ".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		written := lineCount(p.File("demo/logs/" + logName))
		delivered := strings.Count(string(out), "\n")
		if written == 0 || a.Account.Read != int64(written) || a.Account.Filtered == 0 || a.Output(t, "file").PendingRecords != 0 ||
			a.Account.Appended+a.Account.Filtered != int64(written) || int64(delivered) != a.Account.Appended {
			t.Errorf("%s: %d lines written, %d delivered, and the audit says %+v", pipeline, written, delivered, a)
		}
	}
}
