// Package processorstest runs processors on the cases in their testdata folders.
//
// A case is a folder of three files:
//
//	config.yaml   the processor: {type: {...}}
//	input         a line for each record; or input.jsonl, an object for each, whose members are its fields
//	expected      a line for each record: its fields as JSON, or what became of it instead
//
// The records are read at noon of 20 November 2026, UTC. A timestamp that the
// processor has set is shown as @timestamp. With -update, the tests write the
// expected files instead of comparing with them.
package processorstest

import (
	"bytes"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway/spillway/codec"
	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record"
)

var update = flag.Bool("update", false, "write the expected files of the cases")

// Read is when the records of the cases were read.
var Read = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// Run runs the cases in testdata. Each processor instance gets its input twice,
// so that what it keeps from batch to batch shows.
func Run(t *testing.T) {
	folders, err := filepath.Glob("testdata/*/config.yaml")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range folders {
		folder := filepath.Dir(file)
		t.Run(filepath.Base(folder), func(t *testing.T) { runCase(t, folder) })
	}
}

func runCase(t *testing.T, folder string) {
	p := Build(t, string(read(t, filepath.Join(folder, "config.yaml"))))
	for range 2 {
		b := record.NewBatch()
		fill(t, b, folder)
		if err := p.Process(b); err != nil {
			t.Fatal(err)
		}
		got := Show(t, b)
		b.Release()
		compare(t, filepath.Join(folder, "expected"), got)
	}
}

// Build makes the processor that the text of a configuration describes.
func Build(t testing.TB, text string) processors.Processor {
	t.Helper()
	n, err := config.Parse("config.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	var c processors.Component
	if err := c.UnmarshalConfig(n); err != nil {
		t.Fatal(err)
	}
	p, err := c.Build(processors.Env{Pipeline: "test", Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Lines fills b with a record for each line of text.
func Lines(b *record.Batch, text []byte) {
	source := b.Source("test")
	for line := range bytes.Lines(text) {
		b.AddLine(b.Copy(bytes.TrimSuffix(line, []byte("\n"))), source, 0, Read.UnixNano())
	}
}

func fill(t *testing.T, b *record.Batch, folder string) {
	t.Helper()
	objects := filepath.Join(folder, "input.jsonl")
	if _, err := os.Stat(objects); err != nil {
		Lines(b, read(t, filepath.Join(folder, "input")))
		return
	}
	Lines(b, read(t, objects))
	var parser record.JSONParser
	for i := range b.Len() {
		r := b.Record(i)
		line, _ := r.Get(record.Message)
		r.Remove(record.Message)
		if err := parser.Merge(r, line); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
	}
}

// Show is the text of an expected file.
func Show(t testing.TB, b *record.Batch) []byte {
	t.Helper()
	var out []byte
	for i := range b.Len() {
		r := b.Record(i)
		switch r.Fate() {
		case record.Kept:
			c := codec.Config{Codec: "json"}
			if r.Time() != Read.UnixNano() {
				c.TimestampField = "@timestamp"
			}
			encoder, err := codec.New(c)
			if err != nil {
				t.Fatal(err)
			}
			if out, err = encoder.Append(out, r); err != nil {
				t.Fatal(err)
			}
		case record.Rejected:
			out = append(append(out, "rejected: "...), r.Cause()...)
		default:
			out = append(out, r.Fate().String()...)
		}
		out = append(out, '\n')
	}
	return out
}

func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := read(t, file); !bytes.Equal(got, want) {
		t.Errorf("%s differs; got\n%s\nwant\n%s", file, got, want)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
