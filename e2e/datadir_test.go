package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spillway/spillway/internal/testkit"
)

func TestASecondProcessLearnsWhoOwnsTheDataDir(t *testing.T) {
	p := testkit.NewProgram(t)
	p.Write(t, configFile, pipelineYAML(readLogs+rawToFile))
	writeLines(t, p, "logs/a.log", 0, 100)
	first := p.Start(t, "run", "-c", configFile)
	testkit.WaitFor(t, "the first lines", patient, func() bool { return lineCount(p.File("out/all.log")) == 100 })
	second := p.Run(t, "run", "-c", configFile)
	want := fmt.Sprintf("process %d owns %s", first.Pid(), p.File("data"))
	if second.Code != 1 || !strings.Contains(second.Stderr, want) {
		t.Errorf("the second ended with %d, want 1 and %q:\n%s", second.Code, want, second.Stderr)
	}
	// A killed owner holds nothing.
	first.Kill()
	first.Wait(t, patient)
	writeLines(t, p, "logs/a.log", 100, 200)
	runOnce(t, p, 200)
}

// newer are ways in which a later version might write a spool.
var newer = map[string]func(t *testing.T, segment []byte){
	"record batch": func(_ *testing.T, segment []byte) {
		// The magic byte, and bytes that are no batch of this version but for
		// that: with a checksum that holds it would be damage.
		segment[16] = 3
		segment[30] ^= 1
	},
	"mark": func(t *testing.T, segment []byte) {
		// The opening mark is the first batch. Its record's value, whose first
		// byte is the version, stands behind the key: type 100.
		size := 12 + binary.BigEndian.Uint32(segment[8:])
		key := []byte{8, 0, 0, 0, 100}
		at := bytes.Index(segment[:size], key)
		if at < 0 {
			t.Fatal("the segment does not begin with a mark")
		}
		_, n := binary.Uvarint(segment[at+len(key):])
		segment[at+len(key)+n] = 9
		crc := crc32.Checksum(segment[21:size], crc32.MakeTable(crc32.Castagnoli))
		binary.BigEndian.PutUint32(segment[17:], crc)
	},
}

func TestASpoolOfANewerFormatIsLeftAloneAndSaidSo(t *testing.T) {
	for name, change := range newer {
		t.Run(name, func(t *testing.T) {
			p := testkit.NewProgram(t)
			p.Write(t, configFile, pipelineYAML(readLogs+rawToFile))
			writeLines(t, p, "logs/a.log", 0, 100)
			runOnce(t, p, 100)
			segments, err := filepath.Glob(p.File("data/p/*.log"))
			if err != nil || len(segments) != 1 {
				t.Fatalf("segments %v, %v", segments, err)
			}
			old, err := os.ReadFile(segments[0])
			if err != nil {
				t.Fatal(err)
			}
			changed := bytes.Clone(old)
			change(t, changed)
			if err := os.WriteFile(segments[0], changed, 0o600); err != nil {
				t.Fatal(err)
			}
			writeLines(t, p, "logs/a.log", 100, 200)
			r := p.Run(t, "run", "--once", "-c", configFile)
			if r.Code != 1 || !strings.Contains(r.Stderr, "written by a newer version") || strings.Contains(r.Stderr, "quarantine") {
				t.Errorf("ended with %d, want 1 and a message about a newer version:\n%s", r.Code, r.Stderr)
			}
			now, err := os.ReadFile(segments[0])
			if err != nil || !bytes.Equal(now, changed) {
				t.Fatalf("the spool was changed (%v)", err)
			}
			// The version that can read it goes on where it was.
			if err := os.WriteFile(segments[0], old, 0o600); err != nil {
				t.Fatal(err)
			}
			runOnce(t, p, 200)
		})
	}
}

// unprivileged makes a program run as nobody, in a folder that this user owns.
func unprivileged(t *testing.T) *testkit.Program {
	t.Helper()
	p := testkit.NewProgram(t)
	if os.Geteuid() != 0 {
		return p
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "spillway-nobody")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	p.Dir = dir
	p.RunAs(nobody)
	return p
}

func TestItRunsWithoutRoot(t *testing.T) {
	p := unprivileged(t)
	p.Env = []string{"XDG_STATE_HOME=" + p.File("state")}
	text := strings.Replace(pipelineYAML(readLogs+rawToFile), "data_dir: ./data\n", "", 1)
	p.Write(t, configFile, text)
	writeLines(t, p, "logs/a.log", 0, 100)
	giveAll(t, p)
	runOnce(t, p, 100)
	if _, err := os.Stat(p.File("state/spillway/p")); err != nil {
		t.Error(err)
	}
}

func TestAFolderThatCannotBeWrittenIsNamed(t *testing.T) {
	p := unprivileged(t)
	writeLines(t, p, "logs/a.log", 0, 10)
	if err := os.Mkdir(p.File("mine"), 0o500); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ config, want string }{
		"output":   {strings.Replace(pipelineYAML(readLogs+rawToFile), "./out/", "./mine/", 1), " write to " + p.File("mine") + ", or choose another path"},
		"data_dir": {strings.Replace(pipelineYAML(readLogs+rawToFile), "./data", "./mine/data", 1), "data_dir"},
	} {
		t.Run(name, func(t *testing.T) {
			p.Write(t, configFile, tt.config)
			giveAll(t, p)
			r := p.Run(t, "run", "--once", "-c", configFile)
			if r.Code == 0 || !strings.Contains(r.Stderr, tt.want) || !strings.Contains(r.Stderr, "permission denied") {
				t.Errorf("ended with %d, want a failure that names %q:\n%s", r.Code, tt.want, r.Stderr)
			}
		})
	}
	p.Write(t, configFile, pipelineYAML(readLogs+rawToFile))
	giveAll(t, p)
	runOnce(t, p, 10)
}

// giveAll gives what the test wrote to the user that the program runs as.
func giveAll(t *testing.T, p *testkit.Program) {
	t.Helper()
	info, err := os.Stat(p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	err = filepath.WalkDir(p.Dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	})
	if err != nil {
		t.Fatal(err)
	}
}
