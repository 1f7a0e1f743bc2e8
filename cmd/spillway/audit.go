package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/vfs"
)

type auditCmd struct {
	configFlag
	JSON bool `help:"Print one JSON object for each pipeline."`
}

// audited is a pipeline's report as JSON. Keys are added, never renamed: scripts read it.
type audited struct {
	Pipeline string          `json:"pipeline"`
	Note     string          `json:"note,omitempty"`
	Account  auditedAccount  `json:"account"`
	Sources  []auditedSource `json:"sources"`
	Outputs  []auditedOutput `json:"outputs"`
	BadBytes int64           `json:"bad_bytes"`
	Balanced bool            `json:"balanced"`
	Error    string          `json:"error,omitempty"`
}

type auditedAccount struct {
	Read      int64            `json:"read"`
	Generated int64            `json:"generated"`
	Recovered int64            `json:"recovered"`
	Appended  int64            `json:"appended"`
	Merged    int64            `json:"merged"`
	Filtered  int64            `json:"filtered"`
	Dropped   map[string]int64 `json:"dropped"` // by reason, where there are any
}

type auditedSource struct {
	Source  string `json:"source"`
	Offset  int64  `json:"offset"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
	Cut     int64  `json:"cut"`
	Lost    int64  `json:"lost_bytes"`
}

type auditedOutput struct {
	ID           string `json:"id"`
	Routed       int64  `json:"routed"`
	Acked        int64  `json:"acknowledged"`
	Pending      int64  `json:"pending"`
	Dropped      int64  `json:"dropped"`
	DeadLettered int64  `json:"dead_lettered"`
}

func (c *auditCmd) Run() error {
	doc, err := c.load()
	if err != nil {
		return err
	}
	wrong := 0
	for _, name := range sorted(doc.Pipelines) {
		dir := filepath.Join(string(doc.DataDir), name)
		report, err := spool.Audit(vfs.OS(), dir)
		if err != nil {
			return fmt.Errorf("pipeline %s: %w", name, explainNewer(err))
		}
		note, err := missing(dir, doc.Pipelines[name].Spool.Type)
		if err != nil {
			return fmt.Errorf("pipeline %s: %w", name, err)
		}
		law := report.Balance()
		if law != nil {
			wrong++
		}
		switch {
		case c.JSON:
			err = json.NewEncoder(os.Stdout).Encode(asJSON(name, note, report, law))
		case note != "":
			fmt.Printf("pipeline %s\n  %s\n\n", name, note)
		default:
			err = printReport(name, report, law)
		}
		if err != nil {
			return err
		}
	}
	if wrong > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}

// missing says why there is nothing to account for: an empty account balances, but
// that must not pass for good news.
func missing(dir, spoolType string) (string, error) {
	segments, err := spool.Segments(vfs.OS(), dir)
	switch {
	case err != nil || len(segments) > 0:
		return "", err
	case spoolType == "memory":
		return "the spool is in memory, and so is its account: see /metrics", nil
	}
	return "no spool in " + dir + ": this pipeline has not run yet with this data_dir", nil
}

func asJSON(name, note string, r *spool.AuditReport, law error) audited {
	in := &r.Account
	a := audited{
		Pipeline: name, Note: note,
		Account: auditedAccount{in.Read, in.Generated, in.Recovered, in.Appended, in.Merged, in.Filtered, map[string]int64{}},
		Sources: []auditedSource{}, Outputs: []auditedOutput{},
		BadBytes: r.BadBytes, Balanced: law == nil,
	}
	for why, n := range in.Dropped {
		if n > 0 {
			a.Account.Dropped[record.Reason(why).String()] = n
		}
	}
	for _, p := range r.Sources {
		a.Sources = append(a.Sources, auditedSource{p.Source, p.Offset, p.Records, p.Bytes, p.Cut, p.Lost})
	}
	for _, o := range r.Outputs {
		a.Outputs = append(a.Outputs, auditedOutput{o.ID, o.Routed, o.Acked, o.PendingRecords, o.Dropped, o.DeadLettered})
	}
	if law != nil {
		a.Error = law.Error()
	}
	return a
}

func printReport(name string, r *spool.AuditReport, law error) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Printf("pipeline %s\n", name)
	a := &r.Account
	fmt.Printf("  in:  %d read + %d generated + %d recovered\n", a.Read, a.Generated, a.Recovered)
	fmt.Printf("  out: %d appended + %d merged + %d filtered", a.Appended, a.Merged, a.Filtered)
	for why, n := range a.Dropped {
		if n > 0 {
			fmt.Printf(" + %d dropped (%s)", n, record.Reason(why))
		}
	}
	fmt.Println()
	fmt.Fprintln(w, "\n  source\trecords\tbytes\tread up to\tcut\tlost bytes\t")
	for _, p := range r.Sources {
		fmt.Fprintf(w, "  %s\t%d\t%d\t%d\t%d\t%d\t\n", p.Source, p.Records, p.Bytes, p.Offset, p.Cut, p.Lost)
	}
	fmt.Fprintln(w, "\n  output\trouted\tacknowledged\tpending\tdropped\tdead-lettered\t")
	for _, o := range r.Outputs {
		fmt.Fprintf(w, "  %s\t%d\t%d\t%d\t%d\t%d\t\n", o.ID, o.Routed, o.Acked, o.PendingRecords, o.Dropped, o.DeadLettered)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.BadBytes > 0 {
		fmt.Printf("\n  %d bytes of the spool cannot be read\n", r.BadBytes)
	}
	if law != nil {
		fmt.Printf("\n  NOT conserved: %v\n\n", law)
		return nil
	}
	fmt.Print("\n  conserved: every record is accounted for\n\n")
	return nil
}
