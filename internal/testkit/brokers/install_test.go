package brokers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// install runs the installer with these programs as all it finds besides the
// system's own, and returns what it prints.
func install(t *testing.T, home string, programs map[string]string) (string, error) {
	t.Helper()
	path := t.TempDir()
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(path, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bash", "dirname", "basename", "cmp", "mkdir", "flock", "rm", "cp", "mv", "touch"} {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("./install.sh")
	cmd.Env = []string{"PATH=" + path, "SPILLWAY_BROKERS=" + home}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// mvn fills the folder that it is told, as maven would.
const mvn = `for arg; do case $arg in -DoutputDirectory=*) touch "${arg#*=}/a.jar";; esac; done`

func TestAnInstallThatFailedIsNotTakenForAWholeOne(t *testing.T) {
	home := filepath.Join(t.TempDir(), "brokers")
	if out, err := install(t, home, map[string]string{"java": "", "mvn": mvn + "; exit 1"}); err == nil {
		t.Fatalf("maven failed, and the install did not:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(home, "kafka-3.9.2")); err == nil {
		t.Fatal("half a broker has the place of a whole one")
	}
	if out, err := install(t, home, map[string]string{"java": "", "mvn": mvn}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, version := range []string{"kafka-3.9.2", "kafka-4.3.0"} {
		if _, err := os.Stat(filepath.Join(home, version, "a.jar")); err != nil {
			t.Error(err)
		}
	}
	// What is whole needs nothing any more, and what was made of another pom is
	// made again.
	if out, err := install(t, home, nil); err != nil || out != "" {
		t.Errorf("a second install: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(home, "kafka-4.3.0", "pom.xml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := install(t, home, map[string]string{"java": "", "mvn": mvn})
	if err != nil || strings.Contains(out, "3.9.2") || !strings.Contains(out, "4.3.0") {
		t.Errorf("an install after a change of one pom: %v\n%s", err, out)
	}
}

func TestInstallNamesTheProgramThatIsMissing(t *testing.T) {
	for missing, programs := range map[string]map[string]string{"java": {"mvn": mvn}, "mvn": {"java": ""}} {
		out, err := install(t, filepath.Join(t.TempDir(), "brokers"), programs)
		if err == nil || !strings.Contains(out, missing+" is missing") {
			t.Errorf("without %s: %v\n%s", missing, err, out)
		}
	}
}
