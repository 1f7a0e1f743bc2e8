package pipeline

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/record"
)

// trickle is an input that gathers lines as one of files does: a batch goes when it
// is full, at its age, or when there is demand for it.
type trickle struct{}

const (
	trickleAge  = time.Second
	trickleFull = 20
)

// trickled are the lines for it.
var trickled chan string

func (trickle) Run(ctx context.Context, out inputs.Emitter) error {
	for {
		b := out.Batch()
		if err := gather(ctx, b, out.Demand()); err != nil {
			b.Release()
			return err
		}
		if err := out.Emit(ctx, b); err != nil {
			return err
		}
	}
}

// gather returns when b is to go.
func gather(ctx context.Context, b *record.Batch, demand <-chan struct{}) error {
	var wanted <-chan struct{} // nil until there is a line
	var age <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line := <-trickled:
			src := b.Source("numbers")
			b.AddLine(b.Text(line), src, 0, 1)
			b.Position(src).Offset++
			if wanted = demand; age == nil {
				age = time.After(trickleAge)
			}
			if b.Len() == trickleFull {
				return nil
			}
		case <-wanted:
			return nil
		case <-age:
			return nil
		}
	}
}

func init() {
	inputs.Register("trickle", "Trickles.", func() *trickle { return &trickle{} },
		func(c *trickle, _ inputs.Env) (inputs.Input, error) { return c, nil })
}

// trickling starts a pipeline with this output and a linger time of 20 ms.
func trickling(t *testing.T, output string) (d *Daemon, stop func() error) {
	trickled = make(chan string)
	d = daemon(t, document(t, t.TempDir(), fmt.Sprintf(`  p:
    inputs: [{trickle: {}}]
    encode: {codec: raw}
    linger: 20ms
    drain_timeout: 50ms
    outputs: [{collect: %s}]
`, output)), false)
	stop = startDaemon(t, d)
	waitFor(t, func() bool { return d.Pipelines()[0].Status().Phase == Running })
	time.Sleep(time.Minute)
	return d, stop
}

func TestALineForASenderThatWaitsGoesWithinTheLingerTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := t.Name()
		_, stop := trickling(t, fmt.Sprintf("{name: %s}", name))
		for i := range 10 {
			begun := time.Now()
			trickled <- fmt.Sprintf("line-%d", i)
			waitFor(t, func() bool { return len(collected(name)) == i+1 })
			if took := time.Since(begun); took > 60*time.Millisecond {
				t.Errorf("line %d took %v", i, took)
			}
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestBatchesFillWhileNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, stop := trickling(t, "{block: true}")
		appended := func(want int64, least, most time.Duration) {
			t.Helper()
			begun := time.Now()
			waitFor(t, func() bool { return d.Pipelines()[0].Status().Account.Appended == want })
			if took := time.Since(begun); took < least || took > most {
				t.Errorf("%d lines are in the spool after %v, want %v to %v", want, took, least, most)
			}
		}
		for i := range int64(3) {
			trickled <- "alone"
			appended(i+1, trickleAge, trickleAge+100*time.Millisecond)
		}
		for range trickleFull {
			trickled <- "one of many"
		}
		appended(3+trickleFull, 0, 100*time.Millisecond)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}
