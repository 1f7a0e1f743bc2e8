package outputs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/recordbatch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer takes values, and fails as it is told to.
type peer struct {
	mu      sync.Mutex
	got     []string
	refuses string
	failing error
	hung    chan struct{}
}

func (p *peer) send(ctx context.Context, r *outputs.Records) error {
	p.mu.Lock()
	failing, hung := p.failing, p.hung
	p.mu.Unlock()
	if hung != nil {
		select {
		case <-hung:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if failing != nil {
		return failing
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for r.Next() {
		if p.refuses != "" && string(r.Value()) == p.refuses {
			return &outputs.RecordError{Index: r.Index(), Err: errors.New("refused")}
		}
		p.got = append(p.got, string(r.Value()))
		r.Confirm(r.Index())
	}
	return nil
}

func (p *peer) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func TestEachKeepsTheContract(t *testing.T) {
	outputstest.Contract(t, func(t *testing.T) outputstest.Target {
		p := &peer{}
		return outputstest.Target{
			Output: func() outputs.Output { return outputs.Each(outputstest.Env(t), p.send) },
			Values: func() []string {
				p.mu.Lock()
				defer p.mu.Unlock()
				return slices.Clone(p.got)
			},
			Fail: func() func() {
				p.set(func() { p.failing = errors.New("away") })
				return func() { p.set(func() { p.failing = nil }) }
			},
			Hang: func() func() {
				hung := make(chan struct{})
				p.set(func() { p.hung = hung })
				return func() { close(hung) }
			},
			Refuse: func(value string) { p.refuses = value },
		}
	})
}

// each runs send over one frame with these values, in fake time, until the
// frame is acknowledged, and returns what was rejected.
func each(t *testing.T, env outputs.Env, send outputs.Send, values ...string) []outputstest.Rejection {
	t.Helper()
	log := outputstest.NewLog(t, recordbatch.None)
	log.Append(values...)
	log.Close()
	if err := outputs.Each(env, send).Run(t.Context(), log.Open()); !errors.Is(err, spool.ErrClosed) {
		t.Fatalf("Run: %v, wanted ErrClosed", err)
	}
	if log.Frontier() != int64(len(values)) {
		t.Errorf("acknowledged up to %d of %d", log.Frontier(), len(values))
	}
	return log.Rejected()
}

func TestPassingErrorsAreRetriedForEverWithBoundedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const failures = 1000
		calls := 0
		var last time.Time
		var longest, total time.Duration
		each(t, outputstest.Env(t), func(context.Context, *outputs.Records) error {
			now := time.Now()
			if calls > 0 {
				wait := now.Sub(last)
				longest, total = max(longest, wait), total+wait
				if ceiling := 100 * time.Millisecond << min(calls-1, 10); wait > ceiling {
					t.Errorf("wait %d took %v, more than %v", calls, wait, ceiling)
				}
			}
			last = now
			if calls++; calls <= failures {
				return errors.New("away")
			}
			return nil
		}, "a")
		if longest > 5*time.Second || longest < 4*time.Second {
			t.Errorf("the longest of %d waits was %v, wanted just under 5s", failures, longest)
		}
		// Full jitter: the mean of the waits is half of their ceiling.
		if mean := total / failures; mean < 2*time.Second || mean > 3*time.Second {
			t.Errorf("the mean wait was %v, wanted about 2.5s", mean)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, calls := time.Now(), 0
		each(t, outputstest.Env(t), func(context.Context, *outputs.Records) error {
			if calls++; calls == 1 {
				return fmt.Errorf("busy: %w", outputs.RetryAfter(errors.New("429"), time.Minute))
			}
			return nil
		}, "a")
		if waited := time.Since(start); waited != time.Minute {
			t.Errorf("waited %v, wanted 1m", waited)
		}
	})
}

func TestFrameRefusedWholeIsDeadLetteredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rejected := each(t, outputstest.Env(t), func(context.Context, *outputs.Records) error {
			return outputs.Permanent(errors.New("schema is wrong"))
		}, "a", "b", "c")
		if len(rejected) != 1 || rejected[0].Index != -1 {
			t.Fatalf("rejected: %v, wanted the whole frame", rejected)
		}
	})
}

func TestWhatRemainsOfARefusedFrameIsDeadLetteredRecordByRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, calls := time.Now(), 0
		rejected := each(t, outputstest.Env(t), func(_ context.Context, r *outputs.Records) error {
			calls++
			r.Confirm(0)
			return outputs.Permanent(errors.New("schema is wrong"))
		}, "delivered", "b", "c")
		if calls != 3 {
			t.Errorf("sent %d times, wanted 3", calls)
		}
		if len(rejected) != 2 || rejected[0].Index != 1 || rejected[1].Index != 2 {
			t.Fatalf("rejected: %v, wanted records 1 and 2", rejected)
		}
		var why *outputs.Refusal
		if !errors.As(rejected[0].Cause, &why) || why.Attempts() != 3 || !why.FirstFailedAt().Equal(start) {
			t.Errorf("cause %#v, wanted 3 attempts since %v", rejected[0].Cause, start)
		}
	})
}

func TestRefusedRecordsAreSentThreeTimesAndTheirNeighboursUntilDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		passing := 2
		rejected := each(t, outputstest.Env(t), func(_ context.Context, r *outputs.Records) error {
			var got []string
			var errs []error
			for r.Next() {
				got = append(got, string(r.Value()))
				if strings.HasPrefix(string(r.Value()), "bad") {
					errs = append(errs, &outputs.RecordError{Index: r.Index(), Err: errors.New("too large")})
				}
			}
			sent = append(sent, strings.Join(got, ","))
			if len(errs) == 0 && passing > 0 {
				passing--
				return errors.New("away")
			}
			return errors.Join(errs...)
		}, "a", "bad1", "c", "bad2", "e")
		want := []string{"a,bad1,c,bad2,e", "a,bad1,c,bad2,e", "a,bad1,c,bad2,e", "a,c,e", "a,c,e", "a,c,e"}
		if !slices.Equal(sent, want) {
			t.Errorf("sent %q, wanted %q", sent, want)
		}
		if len(rejected) != 2 || rejected[0].Index != 1 || rejected[1].Index != 3 {
			t.Errorf("rejected %v, wanted records 1 and 3", rejected)
		}
	})
}

func TestConfirmedRecordsAreNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		each(t, outputstest.Env(t), func(_ context.Context, r *outputs.Records) error {
			for r.Next() {
				if len(sent) == 2 && r.Index() == 2 {
					sent = append(sent, "x")
					return errors.New("broke")
				}
				sent = append(sent, string(r.Value()))
				r.Confirm(r.Index())
			}
			return nil
		}, "a", "b", "c", "d")
		if want := []string{"a", "b", "x", "c", "d"}; !slices.Equal(sent, want) {
			t.Errorf("sent %q, wanted %q", sent, want)
		}
	})
}

func TestErrorAboutARecordThatWasNotSentStopsTheOutput(t *testing.T) {
	log := outputstest.NewLog(t, recordbatch.None)
	log.Append("a")
	err := outputs.Each(outputstest.Env(t), func(context.Context, *outputs.Records) error {
		return &outputs.RecordError{Index: 7, Err: errors.New("refused")}
	}).Run(t.Context(), log.Open())
	if err == nil || !strings.Contains(err.Error(), "record 7") {
		t.Errorf("Run: %v, wanted an error about record 7", err)
	}
}

func TestUnreadableFrameIsDeadLetteredAndTheNextDelivered(t *testing.T) {
	log := outputstest.NewLog(t, recordbatch.None)
	b, err := recordbatch.NewBuilder(recordbatch.None)
	if err != nil {
		t.Fatal(err)
	}
	b.Reset(0, 0)
	b.Close(append(b.Open(), "a"...), nil)
	data, err := b.Finish(nil)
	if err != nil {
		t.Fatal(err)
	}
	data[recordbatch.HeaderLen] = 0x7F // the record's length
	log.AppendFrame(data, 1)
	log.Append("fine")
	log.Close()
	p := &peer{}
	if err := outputs.Each(outputstest.Env(t), p.send).Run(t.Context(), log.Open()); !errors.Is(err, spool.ErrClosed) {
		t.Fatal(err)
	}
	if rejected := log.Rejected(); len(rejected) != 1 || rejected[0].Index != -1 {
		t.Errorf("rejected %v, wanted the whole first frame", rejected)
	}
	if !slices.Equal(p.got, []string{"fine"}) {
		t.Errorf("delivered %q", p.got)
	}
}

func TestOutageIsSaidEveryTenSecondsAndItsEndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		env := outputstest.Env(t)
		env.Log = slog.New(slog.NewTextHandler(&said, nil))
		start := time.Now()
		each(t, env, func(context.Context, *outputs.Records) error {
			if time.Since(start) < 10*time.Minute {
				return errors.New("away")
			}
			return nil
		}, "a")
		warned := strings.Count(said.String(), "delivery failed")
		if warned < 40 || warned > 60 {
			t.Errorf("%d warnings in ten minutes, wanted one in 10 s or a little more", warned)
		}
		if n := strings.Count(said.String(), "delivering again"); n != 1 {
			t.Errorf("its end was said %d times", n)
		}
	})
}

func TestMetricsCountFramesRecordsErrorsAndGoWithTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		env := outputstest.Env(t)
		env.Metrics = registry
		failures := []error{syscall.ENOSPC, syscall.ECONNRESET, errors.New("?"), outputs.Permanent(errors.New("no"))}
		var seen map[string]float64
		log := outputstest.NewLog(t, recordbatch.None)
		log.Append("a", "b")
		log.Append("c")
		log.Close()
		outputs.Each(env, func(_ context.Context, r *outputs.Records) error {
			if len(failures) > 0 {
				err := failures[0]
				failures = failures[1:]
				return err
			}
			seen = gather(t, registry)
			return nil
		}).Run(t.Context(), log.Open())
		want := map[string]float64{
			"sent_frames_total": 1, "sent_records_total": 2, "retries_total": 4,
			"errors_total no_space": 1, "errors_total connection": 1, "errors_total other": 1, "errors_total refused": 1,
		}
		for name, value := range want {
			if got := seen["spillway_output_"+name]; got != value {
				t.Errorf("%s = %v while the second frame is sent, wanted %v", name, got, value)
			}
		}
		if seen["spillway_output_sent_bytes_total"] <= recordbatch.HeaderLen {
			t.Errorf("sent bytes: %v", seen["spillway_output_sent_bytes_total"])
		}
		if left := gather(t, registry); len(left) != 0 {
			t.Errorf("still registered after Run: %v", left)
		}
	})
}

func gather(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			values[name] = m.GetCounter().GetValue()
		}
	}
	return values
}

func TestEachAllocatesNothingForAFrame(t *testing.T) {
	frames := outputstest.NewLoop(t, recordbatch.Snappy, 100, 50)
	var buf []byte
	send := func(_ context.Context, r *outputs.Records) error {
		var err error
		buf, err = r.AppendLines(buf[:0])
		return err
	}
	const many = 1000
	perRun := testing.AllocsPerRun(5, func() {
		frames.Left = many
		outputs.Each(outputstest.Env(t), send).Run(t.Context(), frames)
	})
	if perRun > many/10 {
		t.Errorf("%v allocations for %d frames", perRun, many)
	}
}
