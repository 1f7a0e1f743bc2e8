package file

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool"
)

// limitFiles makes writes beyond so many bytes fall short and fail, as on a full
// disk.
func limitFiles(t *testing.T, bytes uint64) (lift func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	lift = func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(lift)
	return lift
}

func TestShortWriteIsCutBackAndTriedAgain(t *testing.T) {
	x := newFixture(t)
	lift := limitFiles(t, 2*frameBytes+10)
	x.append(3)
	stop := x.start()
	x.until("two frames are acknowledged", func() bool { return x.log.Frontier() == 6 })
	time.Sleep(300 * time.Millisecond) // the third is tried meanwhile
	if size := len(x.content(x.path())); size != 2*frameBytes {
		t.Errorf("the file has %d bytes while the disk is full, wanted %d", size, 2*frameBytes)
	}
	x.append(2)
	lift()
	x.untilAcked()
	stop()
	x.verify()
}

func TestStopOnAFullDiskLosesNothing(t *testing.T) {
	x := newFixture(t)
	lift := limitFiles(t, 2*frameBytes+10)
	x.append(3)
	stop := x.start()
	x.until("two frames are acknowledged", func() bool { return x.log.Frontier() == 6 })
	stop()
	lift()
	x.deliver()
	x.verify()
}

func TestFailedSyncWritesAgainAndAcknowledgesNothingBefore(t *testing.T) {
	x := newFixture(t)
	x.append(5)
	x.deliver()
	out, in := x.output(), x.log.Open()
	var failing atomic.Bool
	failing.Store(true)
	syncs := make(chan struct{}, 100)
	out.fdatasync = func(fd int) error {
		syncs <- struct{}{}
		if failing.Load() {
			// What was written since the last sync is gone from memory and disk.
			return errors.Join(syscall.EIO, unix.Ftruncate(fd, 5*frameBytes+3))
		}
		return unix.Fdatasync(fd)
	}
	x.append(5)
	ended := make(chan error, 1)
	go func() { ended <- out.Run(t.Context(), in) }()
	for range 3 {
		<-syncs
	}
	if at := x.log.Frontier(); at != 15 {
		t.Errorf("acknowledged up to %d while syncs fail, wanted 15", at)
	}
	failing.Store(false)
	x.untilAcked()
	x.log.Close()
	<-ended
	x.verify()
}

func TestFolderIsMadeAndWaitedFor(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("as root every folder can be written to; a file in its place can't")
	}
	x := newFixture(t)
	blocked := filepath.Join(filepath.Dir(x.path()), "a")
	x.cfg.Path = config.Path(filepath.Join(blocked, "b", "out.log"))
	out, in := x.output(), x.log.Open()
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x.append(2)
	ended := make(chan error, 1)
	go func() { ended <- out.Run(t.Context(), in) }()
	time.Sleep(100 * time.Millisecond)
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	x.untilAcked()
	x.log.Close()
	<-ended
	x.verify()
}

func TestUnwritablePathIsRefusedWhenBuilt(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	x := newFixture(t)
	if err := os.Chmod(filepath.Dir(x.path()), 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := New(x.cfg, outputstest.Env(t)); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("New: %v", err)
	}
}

func TestPathThatIsNoFileIsRefused(t *testing.T) {
	for path, want := range map[string]string{t.TempDir(): "is a folder", "/dev/null": "not a regular file"} {
		cfg := Default()
		cfg.Path = config.Path(path)
		if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, wanted %q", path, err, want)
		}
	}
}

func TestSecondWriterWaitsForTheFirst(t *testing.T) {
	x := newFixture(t)
	x.append(1)
	stop := x.start()
	x.untilAcked()
	other := &fixture{T: t, cfg: x.cfg, log: outputstest.NewLog(t, 0), said: new(bytes.Buffer)}
	other.log.Append("from the second")
	stopOther := other.start()
	time.Sleep(100 * time.Millisecond)
	if other.log.Frontier() != 0 {
		t.Error("the second writer wrote")
	}
	stop()
	other.untilAcked()
	stopOther()
	x.want = append(x.want, "from the second")
	x.verify()
	if !strings.Contains(other.said.String(), "another output or process writes to it") {
		t.Errorf("said: %s", other.said)
	}
}

func TestFileMovedByLogrotateIsFollowed(t *testing.T) {
	x := newFixture(t)
	x.append(2)
	stop := x.start()
	x.untilAcked()
	if err := os.Rename(x.path(), rotatedName(x.path(), 1)); err != nil {
		t.Fatal(err)
	}
	for range 100 { // until it was noticed and written to anew
		x.append(1)
		x.untilAcked()
		if len(x.content(x.path())) > 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if len(x.content(x.path())) == 0 {
		t.Error("nothing was written to the new file")
	}
	stop()
	x.verify()
}

func TestDeletedFileTakesNothingWithItThatComesLater(t *testing.T) {
	x := newFixture(t)
	x.append(2)
	stop := x.start()
	x.untilAcked()
	if err := os.Remove(x.path()); err != nil {
		t.Fatal(err)
	}
	x.want = x.want[6:]
	x.log.Append("after")
	x.want = append(x.want, "after")
	x.untilAcked()
	stop()
	x.verify()
}

func TestAFolderRemovedWhileRunningIsMadeAgain(t *testing.T) {
	x := newFixture(t)
	x.cfg.Path = config.Path(filepath.Join(t.TempDir(), "a", "out.log"))
	x.append(2)
	stop := x.start()
	x.untilAcked()
	if err := os.RemoveAll(filepath.Dir(x.path())); err != nil {
		t.Fatal(err)
	}
	x.want = nil
	x.append(2)
	x.untilAcked()
	stop()
	x.verify()
}

func TestAStopDoesNotAcknowledgeWhatADeletedFileHeld(t *testing.T) {
	x := newFixture(t)
	x.append(1)
	out, in := x.output(), x.log.Open()
	ctx, cancel := context.WithCancel(t.Context())
	remove := sync.OnceFunc(func() { os.Remove(x.path()); cancel() })
	out.at = func(point string) {
		if point == "written" {
			remove()
		}
	}
	out.Run(ctx, in)
	x.deliver()
	x.verify()
}

// TestAJournalThatEndsDuringARotation acknowledges one of the frames that the rotation
// syncs and no more: none of them may be touched again.
func TestAJournalThatEndsDuringARotation(t *testing.T) {
	x := newFixture(t)
	x.cfg.Rotate.MaxBytes = 3 * frameBytes
	x.append(5)
	out, in := x.output(), x.log.Open()
	out.at = func(point string) {
		if point == "acked" {
			x.log.Open()
		}
	}
	if err := out.Run(t.Context(), in); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("the output ended with %v", err)
	}
	x.deliver()
	x.verify()
}

// broken are frames, and a context, that panic when they are asked for anything.
type broken struct {
	outputs.Frames
	context.Context
}

func (broken) Next(context.Context) (*spool.Frame, error) { panic("no frame") }

func TestAPanicBesideTheWriterIsAnError(t *testing.T) {
	x := newFixture(t)
	x.append(1)
	if err := x.output().Run(t.Context(), broken{Frames: x.log.Open()}); err == nil || !strings.Contains(err.Error(), "panic: no frame") {
		t.Errorf("%v, wanted the panic of Next", err)
	}
	a := newArchive(&Config{Compress: "gzip"}, x.path(), slog.Default())
	a.released.Store(2)
	if err := os.WriteFile(rotatedName(x.path(), 1), []byte("x"), fileMode); err != nil {
		t.Fatal(err)
	}
	if err := a.tidy(broken{}); err == nil || !strings.Contains(err.Error(), "panic: ") {
		t.Errorf("%v, wanted the panic while compressing", err)
	}
}

func TestTruncatedFileIsGoneOnWithWithoutAHole(t *testing.T) {
	x := newFixture(t)
	x.append(2)
	stop := x.start()
	x.untilAcked()
	if err := os.Truncate(x.path(), 0); err != nil {
		t.Fatal(err)
	}
	x.log.Append("after")
	x.untilAcked()
	stop()
	x.want = []string{"after"}
	x.verify()
	x.log.Append("later")
	x.want = append(x.want, "later")
	x.deliver()
	x.verify()
}

func TestUnreadableFrameIsDeadLetteredAndTheOthersWritten(t *testing.T) {
	x := newFixture(t)
	x.append(1)
	x.log.AppendFrame(bytes.Repeat([]byte{1}, 100), 3)
	x.append(1)
	x.deliver()
	x.verify()
	if rejected := x.log.Rejected(); len(rejected) != 1 || rejected[0].Index != -1 || rejected[0].Offset != 3 {
		t.Errorf("rejected: %v", rejected)
	}
}
