package testkit

import (
	"encoding/json"
	"strings"
	"testing"
)

// Audit is what the program's own audit says about a pipeline.
type Audit struct {
	Pipeline string
	Balanced bool
	Error    string
	Account  struct {
		Read, Generated, Recovered, Appended, Merged, Filtered int64
		Dropped                                                map[string]int64
	}
	Sources []struct {
		Source       string
		Records, Cut int64
		Lost         int64 `json:"lost_bytes"`
	}
	Outputs []AuditedOutput
}

// AuditedOutput is one output's part, in records.
type AuditedOutput struct {
	ID              string
	Routed, Dropped int64
	Acked           int64 `json:"acknowledged"`
	DeadLettered    int64 `json:"dead_lettered"`
	PendingRecords  int64 `json:"pending"`
}

// Output is the part of the output with this id.
func (a *Audit) Output(t testing.TB, id string) AuditedOutput {
	t.Helper()
	for _, o := range a.Outputs {
		if o.ID == id {
			return o
		}
	}
	t.Fatalf("the audit of %s knows no output %s: %+v", a.Pipeline, id, a.Outputs)
	return AuditedOutput{}
}

// Conserved runs the audit of a configuration whose process has ended, fails the
// test unless the law of conservation holds for every pipeline, and returns what
// it says, by pipeline. Counters alone prove nothing: compare them with what was
// written and what arrived.
func (p *Program) Conserved(t testing.TB, config string) map[string]*Audit {
	t.Helper()
	r := p.Run(t, "audit", "--json", "-c", config)
	audits := map[string]*Audit{}
	for d := json.NewDecoder(strings.NewReader(r.Stdout)); d.More(); {
		var a Audit
		if err := d.Decode(&a); err != nil {
			t.Fatalf("audit: %v\n%s%s", err, r.Stdout, r.Stderr)
		}
		audits[a.Pipeline] = &a
		if !a.Balanced {
			t.Errorf("not conserved: %s", a.Error)
		}
	}
	if r.Code != 0 || len(audits) == 0 {
		t.Fatalf("audit ended with %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	return audits
}
