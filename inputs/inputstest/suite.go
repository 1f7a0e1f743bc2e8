package inputstest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway/spillway/inputs"
)

// Subject is an input under test and the world that it reads.
type Subject struct {
	// New returns a new instance, which reads the same world as those before.
	New func(t *testing.T, env inputs.Env) inputs.Input
	// Write adds lines to the world, whether an instance runs or not.
	Write func(t *testing.T, lines ...string)
}

// Suite runs the contract on the subjects that make returns, each in a world of
// its own.
func Suite(t *testing.T, make func(t *testing.T) Subject) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s Subject)
	}{
		{"OnceEmitsWhatIsThereAndEnds", onceEnds},
		{"WhatIsAddedArrives", added},
		{"AFewLinesDoNotWaitForDemand", undemanded},
		{"ItStopsWhileThePipelineIsFull", stopsWhenFull},
		{"ItStopsWhileIdle", stopsWhenIdle},
		{"AFailedPipelineEndsIt", refused},
		{"ACrashLosesAndDoublesNothing", crashes},
		{"SourcesKeepTheirKeys", keys},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, make(t)) })
	}
}

// Env returns an environment for tests.
func Env(t *testing.T) inputs.Env {
	return inputs.Env{Pipeline: "test", ID: "input", Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()}
}

// Running is an input that runs.
type Running struct {
	cancel context.CancelFunc
	done   chan error
}

// Start runs in until [Running.Stop].
func Start(in inputs.Input, e *Emitter) *Running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Running{cancel, make(chan error, 1)}
	go func() { r.done <- in.Run(ctx, e) }()
	return r
}

// Stop ends the run, and fails t if that takes long or yields an error other
// than that of the context.
func (r *Running) Stop(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := r.Wait(t); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatalf("Run: %v", err)
	}
}

// Wait waits for the run to end by itself.
func (r *Running) Wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.done:
		r.cancel()
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("Run has not returned within twenty seconds")
		return nil
	}
}

// Once runs in to its end.
func Once(t *testing.T, in inputs.Input, e *Emitter) {
	t.Helper()
	if err := Start(in, e).Wait(t); err != nil {
		t.Fatalf("Run: %v", err)
	}
}

func (s Subject) start(t *testing.T, e *Emitter) *Running { return Start(s.New(t, Env(t)), e) }

// Numbered returns the lines first to last, with their numbers.
func Numbered(first, last int) []string {
	var lines []string
	for i := first; i <= last; i++ {
		lines = append(lines, fmt.Sprintf("line %06d", i))
	}
	return lines
}

func wantTexts(t *testing.T, e *Emitter, want []string) {
	t.Helper()
	e.Check(t)
	if got := e.Texts(); !slices.Equal(got, want) {
		t.Fatalf("%d lines, want %d; first difference at %d", len(got), len(want), difference(got, want))
	}
}

func difference(a, b []string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}

func onceEnds(t *testing.T, s Subject) {
	s.Write(t, Numbered(1, 10_000)...)
	e := NewEmitter()
	env := Env(t)
	env.Once = true
	Once(t, s.New(t, env), e)
	wantTexts(t, e, Numbered(1, 10_000))
	Once(t, s.New(t, env), e)
	wantTexts(t, e, Numbered(1, 10_000))
}

func added(t *testing.T, s Subject) {
	s.Write(t, Numbered(1, 5)...)
	e := NewEmitter()
	run := s.start(t, e)
	e.Await(t, 5)
	for i := 6; i <= 20; i++ {
		s.Write(t, Numbered(i, i)...)
		e.Await(t, i)
	}
	run.Stop(t)
	wantTexts(t, e, Numbered(1, 20))
}

func undemanded(t *testing.T, s Subject) {
	e := NewEmitter()
	e.Sate()
	run := s.start(t, e)
	s.Write(t, Numbered(1, 1)...)
	e.Await(t, 1)
	run.Stop(t)
	wantTexts(t, e, Numbered(1, 1))
}

func stopsWhenFull(t *testing.T, s Subject) {
	s.Write(t, Numbered(1, 50_000)...)
	e := NewEmitter()
	unblock := e.Block()
	run := s.start(t, e)
	time.Sleep(50 * time.Millisecond)
	run.Stop(t)
	if n := e.Emitted(); n != 0 {
		t.Fatalf("%d batches went past a full pipeline", n)
	}
	unblock()
	e.Crash()
	run = s.start(t, e)
	e.Await(t, 50_000)
	run.Stop(t)
	wantTexts(t, e, Numbered(1, 50_000))
}

func stopsWhenIdle(t *testing.T, s Subject) {
	e := NewEmitter()
	run := s.start(t, e)
	time.Sleep(20 * time.Millisecond)
	run.Stop(t)
	wantTexts(t, e, nil)
}

func refused(t *testing.T, s Subject) {
	s.Write(t, Numbered(1, 10)...)
	e := NewEmitter()
	e.Refuse(errRefused)
	if err := s.start(t, e).Wait(t); !errors.Is(err, errRefused) {
		t.Fatalf("Run: %v, want the pipeline's error", err)
	}
}

// crashes kills the input after each number of committed batches.
func crashes(t *testing.T, s Subject) {
	e := NewEmitter()
	written := 0
	for round := range 8 {
		s.Write(t, Numbered(written+1, written+9_000)...)
		written += 9_000
		e.Hold()
		before := e.Emitted()
		run := s.start(t, e)
		AwaitFor(t, func() bool { return e.Emitted() >= before+2 }, func() string { return "fewer than two batches were emitted" })
		e.Commit(round % 3)
		run.Stop(t)
		e.Crash()
	}
	run := s.start(t, e)
	e.Await(t, written)
	run.Stop(t)
	wantTexts(t, e, Numbered(1, written))
}

func keys(t *testing.T, s Subject) {
	e := NewEmitter()
	for i := 1; i <= 3; i++ {
		s.Write(t, Numbered(i, i)...)
		run := s.start(t, e)
		e.Await(t, i)
		run.Stop(t)
	}
	e.Check(t)
	source := e.Lines()[0].Source
	for _, l := range e.Lines() {
		if l.Source != source {
			t.Fatalf("%q came from source %s, the first line from %s", l.Text, l.Source, source)
		}
	}
}
