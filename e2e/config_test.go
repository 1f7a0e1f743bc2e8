package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spillway/spillway/internal/testkit"
)

// pipelineYAML is a configuration of one pipeline p, of which only what a test is
// about is written out.
func pipelineYAML(body string) string {
	var b strings.Builder
	b.WriteString("data_dir: ./data\nadmin: {listen: \"\"}\npipelines:\n  p:\n")
	for line := range strings.Lines(body) {
		b.WriteString("    " + line)
	}
	return b.String()
}

const (
	readLogs   = `inputs: [{file: {paths: ["./logs/*.log*"]}}]` + "\n"
	blackhole  = `outputs: [{blackhole: {}}]` + "\n"
	rawToFile  = "encode: {codec: raw}\n" + `outputs: [{file: {path: ./out/all.log}}]` + "\n"
	configFile = "spillway.yaml"
)

// wrong are configurations that are refused with exit code 2, and what the message
// says: where (line and column in the file), what, and mostly what to do.
var wrong = map[string]struct{ body, want string }{
	"unknown component": {
		"inputs: [{flie: {paths: [./a.log]}}]\n" + blackhole,
		`:5:15: pipelines.p.inputs[0].flie: unknown input "flie"; did you mean "file"?`,
	},
	"unknown key": {
		readLogs + "spool: {max_byte: 1GiB}\n" + blackhole,
		`:6:13: pipelines.p.spool: unknown key "max_byte"; did you mean "max_bytes"?`,
	},
	"wrong type": {
		readLogs + "drain_timeout: soon\n" + blackhole,
		`:6:20: pipelines.p.drain_timeout: wanted a duration such as 10s, found "soon"`,
	},
	"out of range": {
		readLogs + "linger: 2h\n" + blackhole,
		`:6:13: pipelines.p.linger: `,
	},
	"missing key": {
		"inputs: [{file: {}}]\n" + blackhole,
		`:5:21: pipelines.p.inputs[0].file: the key "paths" is missing`,
	},
	"regex that does not compile": {
		readLogs + "processors:\n  - regex: {pattern: '(?P<a>['}\n" + blackhole,
		`:7:26: pipelines.p.processors[0].regex.pattern: error parsing regexp: missing closing ]`,
	},
	"expression that does not compile": {
		readLogs + "processors:\n  - drop: {when: 'a =='}\n" + blackhole,
		`:7:22: pipelines.p.processors[0].drop.when: character 4: unexpected token EOF`,
	},
	"glob that is none": {
		"inputs: [{file: {paths: ['./logs/[.log']}}]\n" + blackhole,
		`:5:30: pipelines.p.inputs[0].file.paths[0]: "`,
	},
	"variable that is not set": {
		"inputs: [{file: {paths: ['${SPILLWAY_NO_SUCH_VARIABLE}/a.log']}}]\n" + blackhole,
		`the environment variable SPILLWAY_NO_SUCH_VARIABLE is not set`,
	},
	"not YAML": {
		"inputs: [{file: {paths: [\n" + blackhole,
		`not YAML`,
	},
	"two outputs of one id": {
		readLogs + "outputs: [{blackhole: {}}, {blackhole: {}}]\n",
		`a second output with the id "blackhole": give one of them another id`,
	},
	"two outputs to one file": {
		readLogs + "outputs: [{file: {path: ./all.log}}, {file: {id: b, path: ./x/../all.log}}]\n",
		`/all.log is written to by the output at `,
	},
	"two outputs to standard output": {
		readLogs + "outputs: [{stdout: {}}]\ndead_letters: {stdout: {}}\n",
		`standard output is written to by the output at `,
	},
	"spool of less than two segments": {
		readLogs + "spool: {max_bytes: 1MiB}\n" + blackhole,
		`:6:24: pipelines.p.spool.max_bytes: max_bytes 1MiB holds fewer than two segments`,
	},
	"sync that is none": {
		readLogs + "spool: {sync: soon}\n" + blackhole,
		`:6:19: pipelines.p.spool.sync: "soon" is no sync setting`,
	},
	"glob to leave out that is none": {
		"inputs: [{file: {paths: [./a.log], exclude: ['*.gz', '[']}}]\n" + blackhole,
		`pipelines.p.inputs[0].file.exclude[1]: "[" is not a glob`,
	},
	"output that is a folder": {
		readLogs + "outputs: [{file: {path: ./logs}}]\n",
		`pipelines.p.outputs[0].file.path: `,
	},
	"output below a file": {
		readLogs + "outputs: [{file: {path: ./logs/a.log/out}}]\n",
		`can't be written to: not a directory`,
	},
}

func TestAWrongConfigurationIsRefusedWithItsPlace(t *testing.T) {
	p := testkit.NewProgram(t)
	writeLines(t, p, "logs/a.log", 0, 3)
	for name, tt := range wrong {
		t.Run(name, func(t *testing.T) {
			p.Write(t, configFile, pipelineYAML(tt.body))
			for _, verb := range []string{"validate", "run"} {
				r := p.Run(t, verb, "-c", configFile)
				if r.Code != 2 || !strings.Contains(r.Stderr, tt.want) || r.Stdout != "" {
					t.Errorf("%s ended with %d, want 2 and a message with %q:\n%s%s", verb, r.Code, tt.want, r.Stdout, r.Stderr)
				}
				if !strings.Contains(r.Stderr, p.File(configFile)) {
					t.Errorf("%s does not name the file:\n%s", verb, r.Stderr)
				}
			}
		})
	}
	// Nothing was touched, and the lines are still there to be read.
	p.Write(t, configFile, pipelineYAML(readLogs+rawToFile))
	runOnce(t, p, 3)
}

func TestAWrongSectionIsRefusedWithItsPlace(t *testing.T) {
	p := testkit.NewProgram(t)
	for text, want := range map[string]string{
		"admin: {listen: 0.0.0.0:9610}\n":                  `:1:17: admin.listen: "0.0.0.0:9610" is not a loopback address`,
		"tests: [{pipeline: wep, input: a, expect: []}]\n": `:1:20: tests[0].pipeline: there is no pipeline "wep"; did you mean "web"?`,
	} {
		p.Write(t, configFile, text+"data_dir: ./data\npipelines:\n  web:\n    "+readLogs+"    "+blackhole)
		for _, verb := range []string{"validate", "run"} {
			if r := p.Run(t, verb, "-c", configFile); r.Code != 2 || !strings.Contains(r.Stderr, configFile+want) {
				t.Errorf("%s ended with %d, want 2 and %q:\n%s", verb, r.Code, want, r.Stderr)
			}
		}
	}
}

func TestAWrongCommandLineEndsWithTwo(t *testing.T) {
	p := testkit.NewProgram(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"rnu"}, `did you mean "run"?`},
		{[]string{"run", "--nope"}, "unknown flag --nope"},
		{[]string{"run", "-c", "missing.yaml"}, "there is no configuration at"},
		{[]string{"spool", "ls", "."}, "name the folder data_dir/PIPELINE"},
		{[]string{"docs", "nothing"}, `there is no component "nothing"`},
	} {
		if r := p.Run(t, tt.args...); r.Code != 2 || !strings.Contains(r.Stderr, tt.want) {
			t.Errorf("%v ended with %d, want 2 and %q:\n%s", tt.args, r.Code, tt.want, r.Stderr)
		}
	}
}

func TestAFailingConfigurationTestEndsWithOne(t *testing.T) {
	p := testkit.NewProgram(t)
	p.Write(t, configFile, pipelineYAML(readLogs+"processors: [{json: {}}]\n"+blackhole)+`tests:
  - {pipeline: p, input: '{"a":1}', expect: [{a: 1}]}
  - {pipeline: p, input: '{"a":1}', expect: [{a: 2}]}
`)
	r := p.Run(t, "test", "-c", configFile)
	if r.Code != 1 || !strings.Contains(r.Stderr, configFile+":10") || !strings.Contains(r.Stderr, "a is 1, want 2") || !strings.Contains(r.Stdout, "1 passed, 1 failed") {
		t.Errorf("ended with %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func TestAnEmptyGlobWarnsAndLaterFilesAreRead(t *testing.T) {
	p := testkit.NewProgram(t)
	p.Write(t, configFile, pipelineYAML(readLogs+rawToFile))
	r := p.Run(t, "run", "--once", "-c", configFile)
	if r.Code != 0 || !strings.Contains(r.Stderr, `"level":"WARN"`) || !strings.Contains(r.Stderr, p.File("logs/*.log*")) {
		t.Errorf("ended with %d, want 0 and a warning that names the path:\n%s", r.Code, r.Stderr)
	}
	writeLines(t, p, "logs/a.log", 0, 10)
	runOnce(t, p, 10)
}

// writeLines appends lines of the source a to a file in the program's folder.
func writeLines(t *testing.T, p *testkit.Program, name string, from, to int) {
	t.Helper()
	if err := os.MkdirAll(p.File("logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	testkit.WriteLines(t, p.File(name), "a", from, to)
}

// runOnce runs pipeline p to its end; then out/all.log must hold the first lines
// of source a, each once, and the account must say so.
func runOnce(t *testing.T, p *testkit.Program, lines int) {
	t.Helper()
	if r := p.Run(t, "run", "--once", "-c", configFile); r.Code != 0 {
		t.Fatalf("run --once ended with %d:\n%s", r.Code, r.Stderr)
	}
	arrived(t, p, lines)
	if a := p.Conserved(t, configFile)["p"]; a.Account.Read != int64(lines) || a.Output(t, "file").Acked != int64(lines) {
		t.Errorf("%d lines were written, but the audit says %+v", lines, a)
	}
}

// arrived fails unless out/all.log holds the first lines of source a, each once.
func arrived(t *testing.T, p *testkit.Program, lines int) {
	t.Helper()
	if d := testkit.CheckDelivery(t, []string{p.File("out/all.log")}, map[string]int{"a": lines}); !d.Exact() {
		t.Fatal(d)
	}
}

// lineCount is how many lines a file has; none if it is not there.
func lineCount(name string) int {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	return strings.Count(string(text), "\n")
}

// logged says that the process has logged this message.
func logged(p *testkit.Process, message string) bool {
	return strings.Contains(p.Log(), fmt.Sprintf("\"msg\":%q", message))
}
