package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/spillway/spillway/pipeline"
)

// Every metric of every component has a name and a help text as Prometheus wants
// them, and is labelled by what the configuration names alone.
func TestMetricsFollowTheConventions(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	err := os.WriteFile(file, []byte(`data_dir: ./data
pipelines:
  p:
    inputs: [{file: {paths: [./none.log]}}]
    processors: [{json: {}}, {combined: {}}]
    outputs: [{file: {path: ./out}}, {tcp: {address: "127.0.0.1:1"}}, {stdout: {}}, {blackhole: {}}]
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := pipeline.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := pipeline.NewDaemon(doc, "", true, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	families, err := d.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	ours := 0
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "spillway_") {
			continue
		}
		ours++
		for _, l := range f.GetMetric()[0].GetLabel() {
			switch l.GetName() {
			case "pipeline", "input", "output", "reason":
			default:
				t.Errorf("%s has the label %s", f.GetName(), l.GetName())
			}
		}
	}
	if ours < 20 {
		t.Errorf("only %d metrics", ours)
	}
}
