package houserules

import (
	"encoding/json"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/spillway/spillway"

// levels say who may import whom: a package imports only packages of lower
// levels, so neighbours never import each other. The first pattern that matches
// a package decides; a package that none matches has no place yet.
var levels = []struct {
	level    int
	packages []string
}{
	// What formats, parses and touches the system, and knows nothing else.
	{0, []string{"record/field", "spool/recordbatch", "spool/vfs", "internal/config", "internal/failpoint", "internal/metric", "internal/multiline", "internal/ownlog"}},
	{1, []string{"record/jsonscan", "internal/tlsconf"}},
	{2, []string{"record"}},
	{3, []string{"record/expr", "codec", "spool", "internal/registry", "internal/kafkaconn"}},
	// The contracts of the components.
	{4, []string{"inputs", "processors", "outputs"}},
	// What is built on the whole of the components, and alone knows them all.
	{6, []string{"inputs/all", "processors/all", "outputs/all"}},
	// The components, and beside them the pipeline, which knows the contracts
	// and no component.
	{5, []string{"inputs/*", "processors/*", "outputs/*", "pipeline"}},
	{6, []string{"admin", "internal/reference", "internal/demo"}},
	{7, []string{"cmd/spillway"}},
	// What drives the program from outside, and imports nothing of it.
	{0, []string{"benchmarks", "e2e", "internal/houserules"}},
}

// testSupport is imported by tests, and by nothing that is shipped. It may itself
// import what its level allows.
var testSupport = map[string]int{
	"spool/vfs/faultfs":             1,
	"inputs/inputstest":             5,
	"processors/processorstest":     5,
	"outputs/outputstest":           5,
	"internal/testkit":              0,
	"internal/testkit/brokers":      1,
	"internal/testkit/certificates": 0,
	"internal/testkit/fuzzall":      1,
}

// allowedInTests are imports of tests that the levels would forbid.
var allowedInTests = map[string]string{
	"pipeline → processors/all":      "the allocation budget is that of the real processors",
	"e2e → internal/testkit/brokers": "the real brokers stand outside of the program, as e2e does",
}

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func (p *pkg) name() string { return local(p.ImportPath) }

// local is a package's path within the module; "" for a package of others.
func local(importPath string) string {
	rest, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	return rest
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-pgo=off", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 20 {
		t.Fatalf("go list found %d packages", len(all))
	}
	return all
}

// levelOf returns the level of a package of this module.
func levelOf(name string) (int, bool) {
	if level, ok := testSupport[name]; ok {
		return level, true
	}
	for _, l := range levels {
		if slices.ContainsFunc(l.packages, func(pattern string) bool {
			ok, _ := path.Match(pattern, name)
			return ok
		}) {
			return l.level, true
		}
	}
	return 0, false
}

// kinds are the folders that hold components and, themselves, their contract.
var kinds = []string{"inputs", "processors", "outputs"}

// isComponent says whether a package is an input, a processor or an output.
func isComponent(name string) bool {
	_, support := testSupport[name]
	kind, component, nested := strings.Cut(name, "/")
	return nested && !support && component != "all" && slices.Contains(kinds, kind)
}

// forbidden says why importer may not import imported; empty if it may.
func forbidden(importer, imported string, inTest bool) string {
	from, ok := levelOf(importer)
	if !ok {
		return importer + " has no level: give it one in imports_test.go"
	}
	_, support := testSupport[imported]
	_, exception := allowedInTests[importer+" → "+imported]
	if inTest && (imported == importer || support || exception) {
		return ""
	}
	to, ok := levelOf(imported)
	_, fromSupport := testSupport[importer]
	switch {
	case !ok:
		return imported + " has no level: give it one in imports_test.go"
	case isComponent(imported) && path.Base(importer) != "all":
		return importer + " imports " + imported + ": only the list of all components names one"
	case isComponent(importer) && slices.Contains(kinds, imported) && path.Dir(importer) != imported:
		return importer + " imports " + imported + ", the contract of another kind"
	case path.Base(imported) == "all" && importer != "cmd/spillway":
		return importer + " imports " + imported + ": only the program is built with all components"
	case support && !fromSupport:
		return importer + " is shipped, and imports " + imported + ", which is for tests"
	case to >= from:
		return importer + " imports " + imported + ", which is not below it"
	}
	return ""
}

func TestAPackageImportsOnlyLowerLevels(t *testing.T) {
	for _, p := range packages(t) {
		check := func(imports []string, inTest bool) {
			for _, i := range imports {
				if imported := local(i); imported != "" {
					if why := forbidden(p.name(), imported, inTest); why != "" {
						t.Error(why)
					}
				}
			}
		}
		if _, ok := levelOf(p.name()); !ok {
			t.Errorf("%s has no level: give it one in imports_test.go", p.name())
		}
		check(p.Imports, false)
		check(p.TestImports, true)
		check(p.XTestImports, true)
	}
}

// The rule above proves nothing unless it refuses what it is there for.
func TestForbiddenImportsAreNoticed(t *testing.T) {
	for _, tt := range []struct {
		importer, imported string
		inTest, want       bool
	}{
		{"outputs/file", "outputs/tcp", false, true},
		{"outputs/file", "outputs/tcp", true, true},
		{"pipeline", "outputs/file", false, true},
		{"admin", "inputs/file", false, true},
		{"internal/demo", "processors/json", false, true},
		{"inputs/file", "outputs", false, true},
		{"pipeline", "outputs/all", false, true},
		{"admin", "inputs/all", false, true},
		{"benchmarks", "record", false, true},
		{"spool", "outputs", false, true},
		{"spool/vfs", "spool", false, true},
		{"spool", "spool/vfs/faultfs", false, true},
		{"e2e", "pipeline", true, true},
		{"newcomer", "record", false, true},
		{"spool", "newcomer", false, true},
		{"spool", "spool/vfs/faultfs", true, false},
		{"outputs/file", "outputs", false, false},
		{"cmd/spillway", "outputs/all", false, false},
		{"e2e", "internal/testkit", true, false},
	} {
		if why := forbidden(tt.importer, tt.imported, tt.inTest); (why != "") != tt.want {
			t.Errorf("%s → %s, in a test %t: %q", tt.importer, tt.imported, tt.inTest, why)
		}
	}
}

func TestPackagesAreNamedForWhatTheyHold(t *testing.T) {
	vague := []string{"util", "utils", "common", "helper", "helpers", "misc", "base", "core", "lib", "pkg", "shared", "types", "tools"}
	for _, p := range packages(t) {
		for part := range strings.SplitSeq(p.name(), "/") {
			if slices.Contains(vague, part) {
				t.Errorf("%s: %q says nothing about what is in it", p.name(), part)
			}
		}
	}
}
