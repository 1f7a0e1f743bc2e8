package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway/spillway/codec"
	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record"
)

// Outcome is what became of a record in a trial.
type Outcome struct {
	// Fate is record.Kept, or why the record does not reach the outputs.
	Fate record.Reason
	// Cause is why a rejected record was rejected.
	Cause string
	// Fields are the record's fields; numbers are json.Number.
	Fields map[string]any
}

// Trial runs lines through the processors of a pipeline, without inputs, spool
// or outputs, and tells what became of them.
func Trial(name string, cfg *Config, line string) ([]Outcome, error) {
	chain, err := buildProcessors(cfg.Processors, processors.Env{
		Pipeline: name, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		return nil, err
	}
	b := record.NewBatch()
	defer b.Release()
	b.AddLine(b.Text(line), b.Source("test"), 0, time.Now().UnixNano())
	for _, p := range chain {
		if err := p.Process(b); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	encode := cfg.Encode
	if encode.Codec != "json" {
		encode = codec.DefaultConfig()
	}
	asJSON, err := codec.New(encode)
	if err != nil {
		return nil, err
	}
	var outcomes []Outcome
	for i := range b.Len() {
		r := b.Record(i)
		o := Outcome{Fate: r.Fate(), Cause: string(r.Cause())}
		text, err := asJSON.Append(nil, r)
		if err != nil {
			return nil, err
		}
		if o.Fields, err = decodeObject(text); err != nil {
			return nil, err
		}
		outcomes = append(outcomes, o)
	}
	return outcomes, nil
}

func decodeObject(text []byte) (m map[string]any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return m, d.Decode(&m)
}

// Run runs the test and returns one line for each difference.
func (t *Test) Run(doc *Document) ([]string, error) {
	cfg := doc.Pipelines[t.Pipeline]
	outcomes, err := Trial(t.Pipeline, &cfg, t.Input)
	if err != nil {
		return nil, err
	}
	var kept []Outcome
	for _, o := range outcomes {
		if o.Fate == record.Kept {
			kept = append(kept, o)
		}
	}
	var diffs []string
	if len(kept) != len(t.Expect) {
		diffs = append(diffs, fmt.Sprintf("%d records, want %d", len(kept), len(t.Expect)))
		for _, o := range outcomes {
			if o.Fate != record.Kept {
				diffs = append(diffs, fmt.Sprintf("one was %s %s", o.Fate, o.Cause))
			}
		}
	}
	for i := range min(len(kept), len(t.Expect)) {
		d, err := kept[i].compare(t.Expect[i])
		if err != nil {
			return nil, err
		}
		for _, line := range d {
			diffs = append(diffs, fmt.Sprintf("record %d: %s", i+1, line))
		}
	}
	return diffs, nil
}

// compare returns one line for each field that differs from what is wanted.
func (o *Outcome) compare(want map[string]any) ([]string, error) {
	text, err := json.Marshal(want)
	if err != nil {
		return nil, err
	}
	wanted, err := decodeObject(text)
	if err != nil {
		return nil, err
	}
	var diffs []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		w := wanted[name]
		got, ok := o.Fields[name]
		switch {
		case !ok:
			diffs = append(diffs, fmt.Sprintf("no field %s, want %s", name, show(w)))
		case !same(got, w):
			diffs = append(diffs, fmt.Sprintf("%s is %s, want %s", name, show(got), show(w)))
		}
	}
	return diffs, nil
}

// same compares decoded JSON, numbers by their value: a record keeps the digits it
// came with, and 1.50 is what somebody expects who writes 1.5.
func same(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		return ok && maps.EqualFunc(got, want, same)
	case []any:
		got, ok := got.([]any)
		return ok && slices.EqualFunc(got, want, same)
	case json.Number:
		got, ok := got.(json.Number)
		if !ok || got == want {
			return ok
		}
		_, gotInt := got.Int64()
		_, wantInt := want.Int64()
		g, gotErr := got.Float64()
		w, wantErr := want.Float64()
		// Two integers that a float cannot tell apart differ all the same.
		return (gotInt != nil || wantInt != nil) && gotErr == nil && wantErr == nil && g == w
	}
	return got == want
}

func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
