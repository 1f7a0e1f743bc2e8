package pipeline

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestInputsEndBeforeOutputs(t *testing.T) {
	name := t.Name()
	d := daemon(t, document(t, t.TempDir(), fmt.Sprintf(counts, 100, name)), false)
	stop := startDaemon(t, d)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// What the input had emitted when it ended has been delivered since.
	s := d.Pipelines()[0].Status()
	balanced(t, s)
	wantLines(t, name, 0, int(s.Account.Read))
}

func TestAnOutputThatHangsIsLeftBehindAndNamed(t *testing.T) {
	synctest.Test(t, anOutputThatHangs)
}

func anOutputThatHangs(t *testing.T) {
	released = make(chan struct{})
	doc := document(t, t.TempDir(), `  p:
    inputs: [{count: {lines: 100}}]
    drain_timeout: 50ms
    outputs: [{collect: {id: stuck, hang: true}}]
`)
	d := daemon(t, doc, false)
	stop := startDaemon(t, d)
	waitFor(t, func() bool { return d.Pipelines()[0].Status().Account.Read == 100 })
	begun := time.Now()
	err := stop()
	close(released)
	if err == nil || !strings.Contains(err.Error(), "output stuck") {
		t.Errorf("error %v, want one that names the output", err)
	}
	if took := time.Since(begun); took > stopPatience+time.Second {
		t.Errorf("the stop took %v", took)
	}
}

func TestAnInputThatHangsIsLeftBehindAndNamed(t *testing.T) {
	synctest.Test(t, anInputThatHangs)
}

func anInputThatHangs(t *testing.T) {
	released = make(chan struct{})
	name := t.Name()
	doc := document(t, t.TempDir(), fmt.Sprintf(`  p:
    inputs: [{count: {id: stuck, hang: true}}, {count: {lines: 100}}]
    encode: {codec: raw}
    outputs: [{collect: {name: %s}}]
`, name))
	d := daemon(t, doc, false)
	stop := startDaemon(t, d)
	waitFor(t, func() bool { return d.Pipelines()[0].Status().Account.Read == 100 })
	begun := time.Now()
	err := stop()
	if err == nil || !strings.Contains(err.Error(), "still there: input stuck") {
		t.Errorf("error %v, want one that names the input", err)
	}
	if took := time.Since(begun); took > stopPatience+time.Second {
		t.Errorf("the stop took %v", took)
	}
	close(released) // what it emits now goes nowhere
	synctest.Wait()
	wantLines(t, name, 0, 100)
	balanced(t, d.Pipelines()[0].Status())
}

// TestARejectThatWaitsForRoomEndsWithTheDrain fills the spool and what it holds
// back for dead letters, which nobody takes.
func TestARejectThatWaitsForRoomEndsWithTheDrain(t *testing.T) {
	synctest.Test(t, aRejectThatWaits)
}

func aRejectThatWaits(t *testing.T) {
	doc := document(t, t.TempDir(), `  p:
    inputs: [{count: {lines: 1000000, size: 300}}]
    encode: {codec: raw}
    spool: {segment_bytes: 64KiB, max_bytes: 2MiB, compression: none}
    drain_timeout: 50ms
    outputs: [{collect: {id: rejects, name: nowhere, reject: true}}]
    dead_letters: {collect: {block: true}}
`)
	d := daemon(t, doc, false)
	stop := startDaemon(t, d)
	var before int64
	waitFor(t, func() bool {
		time.Sleep(300 * time.Millisecond)
		s := d.Pipelines()[0].Status()
		still := s.Account.Recovered > 0 && s.Account.Recovered == before
		before = s.Account.Recovered
		return still
	})
	begun := time.Now()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("the stop took %v", took)
	}
	balanced(t, d.Pipelines()[0].Status())
}

func TestABlockedPipelineStarvesNoOther(t *testing.T) {
	name := t.Name()
	doc := document(t, t.TempDir(), fmt.Sprintf(`  blocked:
    inputs: [{count: {lines: 1000000, size: 1000}}]
    encode: {codec: raw}
    spool: {segment_bytes: 64KiB, max_bytes: 1MiB, compression: none}
    drain_timeout: 50ms
    outputs: [{collect: {block: true}}]
  free:
    inputs: [{count: {lines: 20000, size: 100}}]
    encode: {codec: raw}
    outputs: [{collect: {name: %s}}]
`, name))
	doc.Workers = 1
	d := daemon(t, doc, false)
	stop := startDaemon(t, d)
	waitFor(t, func() bool { return d.Pipelines()[0].Status().Trouble.Reason != "" })
	waitFor(t, func() bool { return len(collected(name)) == 20_000 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
