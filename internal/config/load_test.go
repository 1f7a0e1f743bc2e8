package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestLoadMergesAFolder(t *testing.T) {
	folder := folderOf(t, map[string]string{
		"10-base.yaml":  "data_dir: /d\nadmin: {listen: a}\npipelines:\n  one: {x: 1}\ntests: [1]\n",
		"20-two.yml":    "pipelines:\n  two: {x: 2}\nadmin: {socket: s}\ntests: [2, 3]\nempty:\n",
		"30-empty.yaml": "# nothing\n",
		"40-null.yaml":  "pipelines:\nempty: {y: 1}\n",
		".hidden.yaml":  "]",
		"notes.txt":     "]",
	})
	if err := os.Mkdir(filepath.Join(folder, "sub.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	n, err := Load(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = "1:1 {1:1 data_dir: 1:11 /d, " +
		"2:1 admin: 2:8 {2:9 listen: 2:17 a, 3:9 socket: 3:17 s}, " +
		"3:1 pipelines: 4:3 {4:3 one: 4:8 {4:9 x: 4:12 1}, 2:3 two: 2:8 {2:9 x: 2:12 2}}, " +
		"5:1 tests: 5:8 [5:9 1, 4:9 2, 4:12 3], " +
		"2:1 empty: 2:8 {2:9 y: 2:12 1}}"
	if got := tree(n); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	two := n.Key("pipelines").Key("two")
	if two.File() != filepath.Join(folder, "20-two.yml") || two.Path() != "pipelines.two" {
		t.Errorf("two is %s in %s", two.Path(), two.File())
	}
}

func TestLoadRefusesWhatAppearsTwice(t *testing.T) {
	folder := folderOf(t, map[string]string{
		"a.yaml": "data_dir: /d\nadmin: {listen: a}\npipelines:\n  one: {x: 1}\nlist: [1]\n",
		"b.yaml": "data_dir: /d\nadmin: {listen: a}\npipelines:\n  one: {x: 1}\nlist: [1]\n",
		"c.yaml": "- no map\n",
		"d.yaml": "a: [",
	})
	_, err := Load(folder, nil)
	if err == nil {
		t.Fatal("no error")
	}
	const want = `F/b.yaml:1:1: data_dir: "data_dir" appears in two files; the other is at F/a.yaml:1:1
F/b.yaml:2:9: admin.listen: "listen" appears in two files; the other is at F/a.yaml:2:9
F/b.yaml:4:3: pipelines.one: "one" appears in two files; the other is at F/a.yaml:4:3
F/b.yaml:5:1: list: "list" appears in two files; the other is at F/a.yaml:5:1
F/c.yaml:1:1: wanted a map at the top of the file, found a list
F/d.yaml:1:4: not YAML: sequence end token ']' not found`
	if got := strings.ReplaceAll(err.Error(), folder, "F"); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestLoadReadsOneFile(t *testing.T) {
	folder := folderOf(t, map[string]string{"a.yaml": "a: ${file:b}", "b": "x\n"})
	n, err := Load(filepath.Join(folder, "a.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Key("a").Scalar(); got != "x" {
		t.Errorf("got %q", got)
	}
}

func TestLoadRefuses(t *testing.T) {
	folder := folderOf(t, map[string]string{"large.yaml": strings.Repeat(" ", maxFileBytes+1)})
	empty := t.TempDir()
	for path, want := range map[string]string{
		folder + "/none.yaml":  "configuration: stat F/none.yaml: no such file or directory",
		folder + "/large.yaml": "configuration: read F/large.yaml: larger than 2MiB",
		empty:                  "configuration: the folder " + empty + " holds no *.yaml or *.yml file",
	} {
		_, err := Load(path, nil)
		if err == nil || strings.ReplaceAll(err.Error(), folder, "F") != want {
			t.Errorf("%s:\n got %v\nwant %s", path, err, want)
		}
	}
}
