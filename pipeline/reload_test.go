package pipeline

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// startDaemon runs d. What it returns stops d, and fails the test if that takes
// long.
func startDaemon(t *testing.T, d *Daemon) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	waitFor(t, func() bool { return d.Pipelines()[0].Status().Phase != Starting })
	return func() error {
		t.Helper()
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Second):
			t.Fatal("the process has not ended 20 s after it was told to")
			return nil
		}
	}
}

func TestReloadReplacesWhatChangedAndLeavesTheRestAlone(t *testing.T) {
	name, dir := t.Name(), t.TempDir()
	text := `  same:
    inputs: [{count: {lines: 10}}]
    outputs: [{blackhole: {}}]
  changes:
    inputs: [{count: {lines: %d}}]
    encode: {codec: raw}
    outputs: [{collect: {name: %s}}]
`
	text = strings.ReplaceAll(text, "blackhole: {}", "collect: {name: x}")
	d := daemon(t, document(t, dir, fmt.Sprintf(text, 10, name)), false)
	stop := startDaemon(t, d)
	waitFor(t, func() bool { return len(collected(name)) == 10 })
	same := d.Pipelines()[1]

	bad := document(t, dir, fmt.Sprintf(text, 10, name))
	bad.DataDir = "elsewhere"
	if _, err := d.Reload(bad); err == nil || !strings.Contains(err.Error(), "restart") {
		t.Fatalf("error %v, want a refusal to change data_dir", err)
	}
	c, err := d.Reload(document(t, dir, fmt.Sprintf(text, 30, name)))
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(c) != "{[] [changes] [] [same]}" {
		t.Fatalf("changes %v", c)
	}
	waitFor(t, func() bool { return len(collected(name)) == 30 })
	wantLines(t, name, 0, 30)
	if d.Pipelines()[1] != same {
		t.Error("the unchanged pipeline was replaced")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// counts is a configuration of one pipeline, which a reload replaces when its
// number of lines is another one.
const counts = `  p:
    inputs: [{count: {lines: %d}}]
    encode: {codec: raw}
    outputs: [{collect: {name: %s}}]
`

func TestAReloadOfEveryPipelineLetsTheProcessLive(t *testing.T) {
	name, dir := t.Name(), t.TempDir()
	d := daemon(t, document(t, dir, fmt.Sprintf(counts, 10, name)), false)
	stop := startDaemon(t, d)
	waitFor(t, func() bool { return len(collected(name)) == 10 })
	for lines := 11; lines < 25; lines++ {
		if _, err := d.Reload(document(t, dir, fmt.Sprintf(counts, lines, name))); err != nil {
			t.Fatalf("reload %d: %v", lines-10, err)
		}
	}
	waitFor(t, func() bool { return len(collected(name)) == 24 })
	wantLines(t, name, 0, 24)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestAReloadBesideAStopEndsBoth(t *testing.T) {
	for i := range 10 {
		name, dir := fmt.Sprint(t.Name(), i), t.TempDir()
		d := daemon(t, document(t, dir, fmt.Sprintf(counts, 100, name)), false)
		stop := startDaemon(t, d)
		reloaded := make(chan error, 1)
		next := document(t, dir, fmt.Sprintf(counts, 200, name))
		go func() { _, err := d.Reload(next); reloaded <- err }()
		time.Sleep(time.Duration(i) * 300 * time.Microsecond)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if err := <-reloaded; err != nil && !strings.Contains(err.Error(), "stopping") {
			t.Fatal(err)
		}
		wantLines(t, name, 0, len(collected(name)))
	}
}

func TestAReloadBeforeTheStartIsRefused(t *testing.T) {
	dir := t.TempDir()
	d := daemon(t, document(t, dir, fmt.Sprintf(counts, 1, t.Name())), true)
	if _, err := d.Reload(document(t, dir, fmt.Sprintf(counts, 2, t.Name()))); err == nil || !strings.Contains(err.Error(), "starting") {
		t.Errorf("error %v, want a refusal", err)
	}
	if err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAReloadWhileTheSpoolIsFullLosesAndDoublesNothing(t *testing.T) {
	const lines = 100_000
	name, dir := t.Name(), t.TempDir()
	config := func(block bool) *Document {
		return document(t, dir, fmt.Sprintf(`  p:
    inputs: [{count: {lines: %d, size: 1000}}]
    encode: {codec: raw}
    spool: {segment_bytes: 64KiB, max_bytes: 1MiB, compression: none}
    drain_timeout: 50ms
    outputs: [{collect: {name: %s, block: %t}}]
`, lines, name, block))
	}
	d := daemon(t, config(true), false)
	stop := startDaemon(t, d)
	waitFor(t, func() bool { return strings.Contains(d.Pipelines()[0].Status().Trouble.Reason, "full") })
	if _, err := d.Reload(config(false)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return len(collected(name)) >= lines })
	wantLines(t, name, 0, lines)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	balanced(t, d.Pipelines()[0].Status())
}

func TestAReloadThatPanicsWhileBuildingChangesNothing(t *testing.T) {
	name, dir := t.Name(), t.TempDir()
	d := daemon(t, document(t, dir, fmt.Sprintf(counts, 10, name)), false)
	stop := startDaemon(t, d)
	bad := strings.Replace(fmt.Sprintf(counts, 20, name), "    encode:", "    processors: [{misbehave: {build: oops}}]\n    encode:", 1)
	if _, err := d.Reload(document(t, dir, bad)); err == nil || !strings.Contains(err.Error(), "pipeline p: panic: oops") {
		t.Errorf("error %v, want the panic and the pipeline", err)
	}
	waitFor(t, func() bool { return len(collected(name)) == 10 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
