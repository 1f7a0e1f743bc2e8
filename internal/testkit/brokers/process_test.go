package brokers

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/testkit"
)

const parentToKill = "SPILLWAY_TEST_PARENT_TO_KILL"

// becomeParentToKill, in a copy of the test's own program that is told to, starts
// a child, says who it is, and waits to be killed.
func becomeParentToKill() {
	if os.Getenv(parentToKill) == "" {
		return
	}
	p, err := start(exec.Command("sleep", "60"))
	if err != nil {
		panic(err)
	}
	fmt.Println(p.cmd.Process.Pid)
	<-p.ended
	os.Exit(1)
}

func TestNoBrokerOutlivesAKilledTest(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentToKill+"=yes")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	testkit.WaitFor(t, "the child's end", 10*time.Second, func() bool {
		// Whoever inherits it may be slow to wait for it.
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

func TestKillTakesTheWholeGroup(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 60 & echo; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	group := cmd.Process.Pid
	p.kill()
	testkit.WaitFor(t, "the group's end", 10*time.Second, func() bool { return syscall.Kill(-group, 0) != nil })
	if err := p.signal(syscall.SIGTERM); err == nil {
		t.Error("a process that has ended took a signal")
	}
}

func TestAProcessThatWillNotStopIsKilled(t *testing.T) {
	p, err := start(exec.Command("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // for the trap
	if p.stop(200 * time.Millisecond) {
		t.Error("it stopped, although it ignores the signal")
	}
	if !p.wait(time.Second) {
		t.Error("it still runs")
	}
}

func TestPortsAreGivenOnce(t *testing.T) {
	given := map[string]bool{}
	for range 100 {
		addr := freeAddr(t)
		if given[addr] {
			t.Fatalf("%s was given twice", addr)
		}
		given[addr] = true
	}
}
