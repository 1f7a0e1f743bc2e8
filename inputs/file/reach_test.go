package file

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/config"
)

// Out of reach is not gone: a folder that can't be looked into for a while has
// not lost its files. Permissions do not bind root, so another user reads.
func TestPermissionIsRemovedAndGivenBack(t *testing.T) {
	if os.Getuid() == 0 {
		asNobody(t)
		return
	}
	for _, what := range []string{"dir", "dir/a.log"} {
		for _, mode := range []os.FileMode{0, 0o100} { // the latter: a folder can be passed through, but not listed
			b := newBench(t)
			b.cfg.CloseAfter = 30 * time.Millisecond
			b.cfg.Paths[0] = config.Path(b.path("*/*.log"))
			b.must(os.Mkdir(b.path("dir"), 0o700))
			b.write("dir/a.log", "1\n")
			b.start()
			b.want("1")
			b.awaitMetric("open_files", 0)
			f, err := os.OpenFile(b.path("dir/a.log"), os.O_APPEND|os.O_WRONLY, 0)
			b.must(err)
			defer f.Close()
			b.must(os.Chmod(b.path(what), mode))
			f.WriteString("2\n")
			errors := b.metric("errors_total")
			if what == "dir" && mode != 0 {
				b.want("1", "2")
			} else {
				b.await("an error", func() bool { return b.metric("errors_total") > errors+3 })
			}
			if n := b.log.count("cannot read a"); n > 2 {
				t.Errorf("%s: said %d times:\n%s", what, n, b.log)
			}
			b.must(os.Chmod(b.path(what), 0o700))
			b.write("dir/a.log", "3\n")
			b.want("1", "2", "3")
			b.stop()
		}
	}
}

// asNobody runs the test as a user whom permissions bind.
func asNobody(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(dir, "test")
	p, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(binary, p, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-test.run=^"+t.Name()+"$")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
