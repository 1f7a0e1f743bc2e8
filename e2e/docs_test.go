package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spillway/spillway/internal/testkit"
)

// pages are the hand-written pages by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../e2e/*.md", "../benchmarks/*.md", "../*/*/doc.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			found[name] = string(text)
		}
	}
	return found
}

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	for page, text := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

func TestMakeTargetsThatPagesNameExist(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("(?m)(?:`|^)make ([a-z-]+)")
	for page, text := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("%s names make %s, which there is not", page, m[1])
			}
		}
	}
}

func TestCommandsThatPagesNameExist(t *testing.T) {
	p := testkit.NewProgram(t)
	named := regexp.MustCompile("(?m)(?:`|^)(?:bin/)?spillway ([a-z][^`#\n|]*)")
	checked := 0
	for page, text := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			words := strings.Fields(m[1])
			args := append(verbs(words), "--help")
			r := p.Run(t, args...)
			if r.Code != 0 {
				t.Errorf("%s names spillway %s: %s", page, m[1], r.Stderr)
			}
			for _, flag := range words {
				if strings.HasPrefix(flag, "-") && !strings.Contains(r.Stdout, strings.TrimRight(flag, ";,.)")) {
					t.Errorf("%s names spillway %s, which has no %s", page, m[1], flag)
				}
			}
			checked++
		}
	}
	if checked < 20 {
		t.Errorf("only %d commands were found on the pages", checked)
	}
}

// verbs are the leading words that are verbs of the program, not arguments.
func verbs(words []string) []string {
	n := 1
	if len(words) > 1 && words[0] == "spool" {
		n = 2
	}
	return slices.Clone(words[:n])
}

func TestConfigurationsThatPagesShowAreValid(t *testing.T) {
	p := testkit.NewProgram(t)
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	shown := 0
	for page, text := range pages(t) {
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "pipelines:") {
				continue
			}
			shown++
			p.Write(t, configFile, strings.ReplaceAll(m[1], "path: /", "path: "+p.Dir+"/"))
			if r := p.Run(t, "validate", "-c", configFile); r.Code != 0 {
				t.Errorf("%s: %s", page, r.Stderr)
			}
		}
	}
	if shown == 0 {
		t.Error("no page shows a configuration")
	}
}

// The page that explains the code must not speak of code that is gone.
func TestCodeThatTheArchitectureNamesExists(t *testing.T) {
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	sources, bases := goSources(t)
	file := regexp.MustCompile("`([a-z0-9_/]+\\.go)`")
	for _, m := range file.FindAllSubmatch(page, -1) {
		if name := string(m[1]); !bases[name] && !exists("../"+name) {
			t.Errorf("there is no file %s", name)
		}
	}
	member := regexp.MustCompile("`([A-Za-z]+)\\.([A-Za-z]+)`")
	named := member.FindAllSubmatch(page, -1)
	if len(named) < 20 {
		t.Errorf("only %d functions are named", len(named))
	}
	for _, m := range named {
		if string(m[2]) == "go" || string(m[2]) == "md" {
			continue
		}
		method := regexp.MustCompile(`func \(\w+ \*?` + string(m[1]) + `\) ` + string(m[2]) + `\(`)
		inInterface := regexp.MustCompile(`(?s)type ` + string(m[1]) + ` interface \{.*?\n\t` + string(m[2]) + `\(`)
		inPackage := regexp.MustCompile(`(?s)package ` + string(m[1]) + `\n.*?\n(?:func|type) ` + string(m[2]) + `\b`)
		if !method.MatchString(sources) && !inInterface.MatchString(sources) && !inPackage.MatchString(sources) {
			t.Errorf("there is no %s.%s", m[1], m[2])
		}
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// goSources is the text of all Go files that are no tests, and their base names.
func goSources(t *testing.T) (text string, bases map[string]bool) {
	t.Helper()
	var all strings.Builder
	bases = map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		bases[d.Name()] = true
		source, err := os.ReadFile(path)
		all.Write(source)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String(), bases
}

func TestMetricsThatPagesNameExist(t *testing.T) {
	p, admin := testkit.NewProgram(t), freeAddress(t)
	outputs := "encode: {codec: raw}\noutputs: [{file: {path: ./out/all.log}}, {kafka: {brokers: [127.0.0.1:1], topic: lines}}]\n"
	inputs := `inputs: [{file: {paths: ["./logs/*.log*"]}}, {kafka: {brokers: [127.0.0.1:1], topics: [lines]}}]` + "\n"
	p.Write(t, configFile, strings.Replace(pipelineYAML(inputs+outputs), `listen: ""`, "listen: "+admin, 1))
	p.Start(t, "run", "-c", configFile)
	var metrics string
	testkit.WaitFor(t, "the metrics of all components", patient, func() bool {
		_, metrics = get(admin, "/metrics")
		for _, one := range []string{"spillway_input_file_files{", "spillway_input_kafka_partitions{", "spillway_delivery_uncertain_total{", "spillway_output_routed_records_total{"} {
			if !strings.Contains(metrics, one) {
				return false
			}
		}
		return true
	})
	named := regexp.MustCompile("`(spillway_[a-z_]*[a-z])`")
	checked := 0
	for page, text := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			checked++
			if !strings.Contains(metrics, "\n"+m[1]+"{") {
				t.Errorf("%s names the metric %s, which there is not", page, m[1])
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d metrics were found on the pages", checked)
	}
}
