package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool"
)

// TestTheAuditsJSONIsWhatThePageShows keeps its form: scripts read it.
func TestTheAuditsJSONIsWhatThePageShows(t *testing.T) {
	r := &spool.AuditReport{
		Account: spool.Account{Read: 1200, Recovered: 2, Appended: 1180, Filtered: 20},
		Sources: []record.Position{{Source: "file/1a2b", Offset: 98304, Records: 1200, Bytes: 98304}},
		Outputs: []spool.OutputStatus{
			{ID: "dead_letters", Routed: 2, Acked: 2},
			{ID: "file", Routed: 1178, Acked: 1170, DeadLettered: 2, PendingRecords: 6},
		},
	}
	r.Account.Dropped[record.ParseFailed] = 2
	line, err := json.Marshal(asJSON("web", "", r, r.Balance()))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/running.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "\n"+string(line)+"\n") {
		t.Errorf("docs/running.md does not show\n%s", line)
	}
}
