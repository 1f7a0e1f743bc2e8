package file

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spillway/spillway/internal/testkit"
)

// dies runs a program that must fail, and returns what it said.
func dies(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "GOTRACEBACK=all")
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Count(said.String(), "\n") < 3 {
		t.Fatalf("%s %v left no trace: %q", program, args, said.String())
	}
	return said.String()
}

// oneEach checks that each trace becomes one record between ordinary lines.
func oneEach(t *testing.T, preset string, traces ...string) {
	t.Helper()
	for _, names := range []presets{{preset}, {"java", "python", "go", "dotnet"}} {
		b := newBench(t)
		b.cfg.Multiline.Preset = names
		var text strings.Builder
		var want []string
		for i, trace := range traces {
			for n := range 3 {
				line := fmt.Sprintf("2026-11-25T10:00:00Z INFO order %d.%d accepted (ok)", i, n)
				text.WriteString(line + "\n")
				want = append(want, line)
			}
			text.WriteString(trace)
			want = append(want, strings.TrimSuffix(trace, "\n"))
		}
		text.WriteString("last\n")
		want = append(want, "last")
		b.write("a.log", text.String())
		b.once()
		if got := b.out.Texts(); !slices.Equal(got, want) {
			for i, g := range got {
				if i >= len(want) || g != want[i] {
					t.Fatalf("%v: record %d is\n%s\nwant\n%s", names, i, g, want[min(i, len(want)-1)])
				}
			}
			t.Fatalf("%v: %d records, want %d", names, len(got), len(want))
		}
	}
}

func TestTracesOfJavaAreOneRecordEach(t *testing.T) {
	java := testkit.RequireProgram(t, "java")
	testkit.RequireProgram(t, "javac") // which says that java can be given a source
	trace := dies(t, java, "testdata/traces/Trace.java")
	if !strings.Contains(trace, "Caused by: ") || !strings.Contains(trace, "Suppressed: ") {
		t.Fatalf("not the trace that was wanted:\n%s", trace)
	}
	oneEach(t, "java", trace, "com.example.ShopException: sold out\n"+trace[strings.Index(trace, "\tat "):])
}

func TestTracesOfPythonAreOneRecordEach(t *testing.T) {
	python := testkit.RequireProgram(t, "python3")
	var traces []string
	for _, name := range []string{"nested", "syntax", "import", "thread"} {
		traces = append(traces, dies(t, python, filepath.Join("testdata/traces", name+".py")))
	}
	for _, link := range []string{"During handling of", "direct cause"} {
		if !strings.Contains(traces[0], link) {
			t.Fatalf("not the trace that was wanted:\n%s", traces[0])
		}
	}
	oneEach(t, "python", traces...)
}

func TestTracesOfGoAreOneRecordEach(t *testing.T) {
	program := filepath.Join(t.TempDir(), "panic")
	if out, err := exec.Command(testkit.RequireProgram(t, "go"), "build", "-o", program, "testdata/traces/panic/main.go").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var traces []string
	for _, how := range []string{"nil", "again", "overflow", "deadlock"} {
		traces = append(traces, dies(t, program, how))
	}
	if n := strings.Count(traces[0], "\ngoroutine "); n < 4 {
		t.Fatalf("%d goroutines in\n%s", n, traces[0])
	}
	oneEach(t, "go", traces...)
}

// It is written after the documented format: the program that would leave it is not
// to be had where the tests run.
func TestTracesOfDotnetAreOneRecordEach(t *testing.T) {
	trace, err := os.ReadFile("testdata/traces/dotnet.txt")
	if err != nil {
		t.Fatal(err)
	}
	oneEach(t, "dotnet", string(trace))
}
