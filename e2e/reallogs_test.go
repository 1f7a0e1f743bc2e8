package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/testkit"
)

// realLogs are samples of real systems' logs, and the configurations that
// structure them. Beside each lies a file of expected records, written by hand
// from the lines.
var realLogs = []struct {
	pipeline, sample, variable string
	// required are the fields of every record.
	required []string
}{
	{"apache_error", "apache_2k.log", "APACHE_ERROR_LOG", []string{"timestamp", "severity_text", "message"}},
	{"openssh", "openssh_2k.log", "OPENSSH_LOG", []string{"timestamp", "host.name", "service.name", "process.pid", "message"}},
}

// expectedYear stands for the year of logs that name none.
const expectedYear = "YEAR"

func TestRealLogsBecomeTheRecordsTheySay(t *testing.T) {
	for _, tt := range realLogs {
		t.Run(tt.pipeline, func(t *testing.T) {
			p := testkit.NewProgram(t)
			sample := filepath.Join("testdata", "logs", tt.sample)
			structured := structure(t, p, tt.pipeline, tt.variable, sample)
			raw, err := os.ReadFile(sample)
			if err != nil {
				t.Fatal(err)
			}
			// The last line has no end, and is a line all the same.
			if lines := bytes.Count(raw, []byte("\n")) + 1; len(structured) != lines || lines != 2000 {
				t.Fatalf("%d records of %d lines", len(structured), lines)
			}
			for i, r := range structured {
				for _, field := range tt.required {
					if text, _ := r[field].(string); text == "" {
						t.Fatalf("line %d has no %s: %v", i+1, field, r)
					}
				}
				if r["parse_error"] != nil || strings.ContainsAny(fmt.Sprint(r["message"]), "\r\n") {
					t.Fatalf("line %d: %v", i+1, r)
				}
			}
			compareExpected(t, tt.pipeline, structured)
		})
	}
}

// structure runs a configuration over a sample and returns the records.
func structure(t *testing.T, p *testkit.Program, pipeline, variable, sample string) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "configs", pipeline+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	p.Write(t, "conf/pipeline.yaml", string(text))
	p.Write(t, "conf/process.yaml", "data_dir: ../data\nadmin: {listen: \"\"}\n")
	p.Write(t, "sample.log", string(lines))
	p.Env = []string{variable + "=" + p.File("sample.log"), "OUT_DIR=" + p.File("out")}
	if r := p.Run(t, "run", "--once", "-c", "conf"); r.Code != 0 {
		t.Fatalf("ended with %d:\n%s", r.Code, r.Stderr)
	}
	if a := p.Conserved(t, "conf")[pipeline]; a.Account.Appended != 2000 || a.Output(t, "file").Acked != 2000 {
		t.Errorf("2000 lines, but the audit says %+v", a)
	}
	return readRecords(t, p.File("out/"+pipeline+".jsonl"))
}

// compareExpected holds the records against those that were written by hand.
func compareExpected(t *testing.T, pipeline string, records []map[string]any) {
	t.Helper()
	expected := readRecords(t, filepath.Join("testdata", pipeline+".expected.jsonl"))
	if len(expected) < 20 {
		t.Fatalf("only %d expected records", len(expected))
	}
	for _, e := range expected {
		line := int(e["line"].(float64))
		want, got := e["record"].(map[string]any), records[line-1]
		if stamp := want["timestamp"].(string); strings.HasPrefix(stamp, expectedYear) {
			year := yearOf(t, strings.TrimPrefix(stamp, expectedYear), time.Now())
			want["timestamp"] = strconv.Itoa(year) + strings.TrimPrefix(stamp, expectedYear)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("line %d:\ngot  %v\nwant %v", line, got, want)
		}
	}
}

// yearOf is the latest year that puts a time without one at most a day after now.
func yearOf(t *testing.T, stamp string, now time.Time) int {
	t.Helper()
	year := now.UTC().Year() + 1
	for {
		at, err := time.Parse(time.RFC3339, strconv.Itoa(year)+stamp)
		if err != nil {
			t.Fatal(err)
		}
		if !at.After(now.AddDate(0, 0, 1)) {
			return year
		}
		year--
	}
}

func readRecords(t *testing.T, name string) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var records []map[string]any
	for line := range strings.Lines(string(text)) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v in %s", name, err, line)
		}
		records = append(records, r)
	}
	return records
}

func TestReadyConfigurationsPassTheirOwnTests(t *testing.T) {
	files, err := filepath.Glob("../configs/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%v, %v", files, err)
	}
	p := testkit.NewProgram(t)
	for _, file := range files {
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		r := p.Run(t, "test", "-c", path)
		if r.Code != 0 || !strings.Contains(r.Stdout, " passed, 0 failed") || strings.HasPrefix(r.Stdout, "0 ") {
			t.Errorf("%s: %s%s", file, r.Stdout, r.Stderr)
		}
	}
}
