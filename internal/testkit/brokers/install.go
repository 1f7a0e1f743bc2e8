// Package brokers starts real brokers for tests: on free ports of the loopback
// interface, in the test's temporary folder, and gone with the test. `make
// brokers` installs them; a test that needs one that is not installed skips, as
// [testkit.Require] does.
//
// A kind of broker is a file here, a pom for each version, and its [Server].
package brokers

import (
	"bytes"
	"embed"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/spillway/spillway/internal/testkit"
)

// poms say what belongs to each broker. An installed one holds a copy of its own.
//
//go:embed poms/*.xml
var poms embed.FS

// classpath is that of an installed broker. The test skips if it is not installed
// as its pom says, or if there is no java.
func classpath(t testing.TB, name string) string {
	t.Helper()
	testkit.RequireProgram(t, "java")
	want, err := poms.ReadFile("poms/" + name + ".xml")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(home(t), name)
	got, err := os.ReadFile(filepath.Join(dir, "pom.xml"))
	testkit.Require(t, "the broker "+name+" (make brokers)", err == nil && bytes.Equal(got, want))
	return filepath.Join(dir, "*")
}

// home is the folder of the installed brokers: SPILLWAY_BROKERS, or .brokers, in
// the root of the repository.
func home(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SPILLWAY_BROKERS")
	if filepath.IsAbs(dir) {
		return dir
	}
	if dir == "" {
		dir = ".brokers"
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			return filepath.Join(root, dir)
		}
		if root == filepath.Dir(root) {
			t.Fatal("no go.mod above the test's folder")
		}
		root = filepath.Dir(root)
	}
}

// java runs a program of an installed broker. The arguments are more flags of
// java's, the class, and its own arguments; maxHeap is as -Xmx has it. Native
// libraries are unpacked in tmp, and left behind by a kill. With the quick compiler
// alone a broker is ready sooner, and in the first minutes no slower.
func java(classpath, maxHeap, tmp string, args ...string) *exec.Cmd {
	return exec.Command("java", append([]string{
		"-Xmx" + maxHeap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Djava.io.tmpdir=" + tmp, "-cp", classpath,
	}, args...)...)
}
