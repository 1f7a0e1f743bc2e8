package outputstest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/spool/recordbatch"
)

// patience is how long the suite waits for what must happen.
const patience = 20 * time.Second

// Env is an environment that logs nowhere.
func Env(t testing.TB) outputs.Env {
	return outputs.Env{
		Pipeline: "test", ID: strings.ToLower(t.Name()),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Metrics: prometheus.NewRegistry(),
	}
}

// Target is an output and the peer it delivers to. What is nil does not exist
// for this output, and what needs it is not tested.
type Target struct {
	// Output builds the output, for each start anew.
	Output func() outputs.Output
	// Values is what the peer has got so far.
	Values func() []string
	// Fail makes deliveries fail in passing, until heal.
	Fail func() (heal func())
	// Hang makes the peer take nothing, until heal. Deliveries may block.
	Hang func() (heal func())
	// Refuse makes the peer refuse this value for good.
	Refuse func(value string)
	// ExactlyOnce says that a stop or kill doubles nothing.
	ExactlyOnce bool
	// BestEffort says that what was acknowledged may be lost with a peer that
	// fails.
	BestEffort bool
	// Torn says that a stop or kill may leave part of a value.
	Torn bool
	// Text says that values are told apart by newlines.
	Text bool
}

// Contract runs the suite; target makes a new output with a new peer. Nothing
// of them may run any more when a subtest has ended and its cleanups are done.
func Contract(t *testing.T, target func(t *testing.T) Target) {
	run := func(name string, f func(*suite)) {
		t.Run(name, func(t *testing.T) {
			leaks := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
			s := &suite{T: t, Target: target(t), log: NewLog(t, recordbatch.Snappy)}
			f(s)
		})
	}
	run("DeliversAllInOrder", (*suite).deliversAll)
	run("EndsWithTheSpool", (*suite).endsWithTheSpool)
	run("StoppedMidwayGoesOn", (*suite).stoppedMidway)
	run("KilledMidwayGoesOn", (*suite).killedMidway)
	run("PassingErrorsAreRetried", (*suite).passingErrors)
	run("RefusedRecordIsDeadLetteredAlone", (*suite).refused)
	run("StopsWhileIdle", (*suite).stopsIdle)
	run("StopsWhileThePeerHangs", (*suite).stopsHung)
	run("StopsWhileThePeerFails", (*suite).stopsFailing)
}

// suite is one output under test.
type suite struct {
	*testing.T
	Target
	log  *Log
	want []string
}

// running is one start of the output.
type running struct {
	*suite
	cancel context.CancelFunc
	ended  chan error
}

func (s *suite) start() *running {
	ctx, cancel := context.WithCancel(s.Context())
	r := &running{s, cancel, make(chan error, 1)}
	out, in := s.Output(), s.log.Open()
	go func() { r.ended <- out.Run(ctx, in) }()
	return r
}

// stop cancels and expects a prompt return.
func (r *running) stop() {
	r.Helper()
	r.cancel()
	r.end()
}

func (r *running) end() {
	r.Helper()
	select {
	case err := <-r.ended:
		if err == nil {
			r.Error("Run returned nil")
		}
	case <-time.After(5 * time.Second):
		r.Fatal("Run has not returned 5 s after it was told to")
	}
	r.cancel()
}

// append adds frames of n records each.
func (s *suite) append(frames, n int) {
	for range frames {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprintf("record %06d", len(s.want)+i)
		}
		s.appendValues(values...)
	}
}

func (s *suite) appendValues(values ...string) {
	s.log.Append(values...)
	s.want = append(s.want, values...)
}

func (s *suite) until(what string, ok func() bool) {
	s.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("waited %v in vain until %s: frontier %d of %d", patience, what, s.log.Frontier(), s.log.End())
		}
	}
}

func (s *suite) untilAcked(offset int64) {
	s.Helper()
	s.until("all is acknowledged", func() bool { return s.log.Frontier() >= offset })
}

// verify compares what the peer got with what was appended.
func (s *suite) verify() {
	s.Helper()
	if rejected := s.log.Rejected(); len(rejected) > 0 {
		s.Fatalf("rejected: %v", rejected)
	}
	if s.Values == nil {
		return
	}
	var got []string
	s.until("the peer has it all", func() bool {
		got = s.Values()
		return len(got) >= len(s.want) && got[len(got)-1] == s.want[len(s.want)-1]
	})
	if s.Torn {
		got = slices.DeleteFunc(got, func(v string) bool { return !slices.Contains(s.want, v) })
	}
	if !s.ExactlyOnce {
		got = firsts(got)
	}
	if !slices.Equal(got, s.want) {
		s.Fatalf("the peer got %d values, wanted %d; first difference: %s", len(got), len(s.want), difference(got, s.want))
	}
}

// firsts leaves the first of equal values.
func firsts(values []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool {
		again := seen[v]
		seen[v] = true
		return again
	})
}

func difference(got, want []string) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	show := func(values []string) string {
		if i == len(values) {
			return "the end"
		}
		return fmt.Sprintf("%.60q", values[i])
	}
	return fmt.Sprintf("at %d: got %s, wanted %s", i, show(got), show(want))
}

func (s *suite) deliversAll() {
	r := s.start()
	s.append(10, 100)
	s.appendValues("", "x", strings.Repeat("long ", 400_000), "ümläut", "\x00\xff binary")
	if !s.Text {
		s.appendValues("two\nlines", "\n")
	}
	s.append(1, 1)
	s.untilAcked(s.log.End())
	s.append(3, 1000)
	s.untilAcked(s.log.End())
	r.stop()
	s.verify()
}

func (s *suite) endsWithTheSpool() {
	s.append(3, 10)
	s.log.Close()
	r := s.start()
	r.end()
	if at := s.log.Frontier(); at != s.log.End() {
		s.Errorf("acknowledged up to %d of %d when the spool was closed", at, s.log.End())
	}
	s.verify()
}

func (s *suite) stoppedMidway() {
	s.append(5, 50)
	for range 5 {
		r := s.start()
		before := s.log.Frontier()
		s.append(40, 50)
		s.until("some is acknowledged", func() bool { return s.log.Frontier() > before })
		r.stop()
	}
	r := s.start()
	s.append(1, 1)
	s.untilAcked(s.log.End())
	r.stop()
	s.verify()
}

func (s *suite) killedMidway() {
	for range 5 {
		r := s.start()
		before := s.log.Frontier()
		s.append(40, 50)
		s.until("some is acknowledged", func() bool { return s.log.Frontier() > before })
		s.append(20, 50)
		s.log.Open() // what the output does from here on nobody hears of
		r.stop()
	}
	r := s.start()
	s.append(1, 1)
	s.untilAcked(s.log.End())
	r.stop()
	s.verify()
}

func (s *suite) passingErrors() {
	if s.Fail == nil {
		s.Skip("this output has no passing errors")
	}
	r := s.start()
	for range 3 {
		s.append(3, 10)
		s.untilAcked(s.log.End())
		heal := s.Fail()
		s.append(3, 10)
		time.Sleep(50 * time.Millisecond)
		heal()
	}
	s.append(1, 1)
	s.untilAcked(s.log.End())
	r.stop()
	if !s.BestEffort {
		s.verify()
	}
}

func (s *suite) refused() {
	if s.Refuse == nil {
		s.Skip("this output's peer refuses nothing for good")
	}
	s.Refuse("bad")
	s.append(1, 3)
	s.log.Append("good 1", "bad", "good 2")
	s.want = append(s.want, "good 1", "good 2")
	r := s.start()
	s.untilAcked(s.log.End())
	r.stop()
	rejected := s.log.Rejected()
	if len(rejected) != 1 || rejected[0].Offset != 4 || rejected[0].Index != 1 {
		s.Errorf("rejected: %v, wanted the record at offset 4 alone", rejected)
	}
	if got := firsts(s.Values()); !slices.Equal(got, s.want) {
		s.Errorf("the peer got %q, wanted %q", got, s.want)
	}
}

func (s *suite) stopsIdle() {
	r := s.start()
	s.append(1, 1)
	s.untilAcked(s.log.End())
	r.stop()
}

func (s *suite) stopsHung() {
	if s.Hang == nil {
		s.Skip("this output's peer can't hang")
	}
	heal := s.Hang()
	big := strings.Repeat("x", 1<<20)
	for i := range 32 { // more than any socket buffers
		s.appendValues(fmt.Sprint(i) + big)
	}
	r := s.start()
	time.Sleep(100 * time.Millisecond)
	if s.log.Frontier() == s.log.End() {
		s.Error("the peer did not hang")
	}
	r.stop()
	heal()
	r = s.start()
	s.untilAcked(s.log.End())
	r.stop()
}

func (s *suite) stopsFailing() {
	if s.Fail == nil {
		s.Skip("this output has no passing errors")
	}
	heal := s.Fail()
	defer heal()
	s.append(1, 1)
	r := s.start()
	time.Sleep(100 * time.Millisecond)
	if s.log.Frontier() != 0 {
		s.Error("acknowledged although deliveries fail")
	}
	r.stop()
}
