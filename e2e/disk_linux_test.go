package e2e

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spillway/spillway/internal/testkit"
)

// smallDisk mounts a file system of this size at the program's folder data.
func smallDisk(t *testing.T, p *testkit.Program, options string) {
	t.Helper()
	dir := p.File("data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options)
	testkit.Require(t, "the right to mount a small disk", err == nil)
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func TestAFullDiskIsWaitedForAndLosesNothing(t *testing.T) {
	p, blocked := testkit.NewProgram(t), listen(t, false)
	smallDisk(t, p, "size=12m")
	filler := p.File("data/filler")
	if err := os.WriteFile(filler, bytes.Repeat([]byte("x"), 6<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	admin := freeAddress(t)
	text := withBlocked(blocked.address, "spool: {compression: none, segment_bytes: 1MiB}\ndrain_timeout: 100ms\n")
	p.Write(t, configFile, strings.Replace(text, `listen: ""`, "listen: "+admin, 1))
	writeLines(t, p, "logs/a.log", 0, manyLines)
	run := p.Start(t, "run", "-c", configFile)

	// The peer that never reads pins the spool, which outgrows the disk.
	testkit.WaitFor(t, "an answer that the spool is in trouble", patient, func() bool {
		code, body := get(admin, "/readyz")
		return code == 503 && strings.Contains(body, "no space left on device")
	})
	if code, body := get(admin, "/healthz"); code != 200 {
		t.Errorf("a process that waits is alive, but /healthz says %d %s", code, body)
	}
	if !strings.Contains(run.Log(), "no space left on device") {
		t.Errorf("the own log does not say so:\n%s", run.Log())
	}
	stuck := lineCount(p.File("out/all.log"))
	if stuck == manyLines {
		t.Fatal("the disk was large enough: nothing was tried")
	}
	if err := syscall.Mount("", p.File("data"), "", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the lines that had waited", patient, func() bool { return lineCount(p.File("out/all.log")) == manyLines })
	testkit.WaitFor(t, "readiness", patient, func() bool { code, _ := get(admin, "/readyz"); return code == 200 })
	run.Signal(t, syscall.SIGTERM)
	if r := run.Wait(t, patient); r.Code != 0 {
		t.Fatalf("ended with %d:\n%s", r.Code, r.Stderr)
	}
	arrived(t, p, manyLines)
	if a := p.Conserved(t, configFile)["p"]; a.Account.Read != manyLines {
		t.Errorf("%d lines were written, but the audit says %+v", manyLines, a.Account)
	}
}

func TestAKillOnAFullDiskLosesNothing(t *testing.T) {
	p, blocked := testkit.NewProgram(t), listen(t, false)
	smallDisk(t, p, "size=6m")
	p.Write(t, configFile, withBlocked(blocked.address, "spool: {compression: none, segment_bytes: 1MiB}\ndrain_timeout: 100ms\n"))
	writeLines(t, p, "logs/a.log", 0, manyLines)
	for range 3 {
		run := p.Start(t, "run", "-c", configFile)
		testkit.WaitFor(t, "a full disk", patient, func() bool { return strings.Contains(run.Log(), "no space left on device") })
		run.Kill()
		run.Wait(t, patient)
	}
	if err := syscall.Mount("", p.File("data"), "", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	run := p.Start(t, "run", "-c", configFile)
	testkit.WaitFor(t, "all lines", patient, func() bool { return lineCount(p.File("out/all.log")) >= manyLines })
	run.Signal(t, syscall.SIGTERM)
	if r := run.Wait(t, patient); r.Code != 0 {
		t.Fatalf("ended with %d:\n%s", r.Code, r.Stderr)
	}
	arrived(t, p, manyLines)
	if a := p.Conserved(t, configFile)["p"]; a.Account.Read != manyLines {
		t.Errorf("%d lines were written, but the audit says %+v", manyLines, a.Account)
	}
}
