package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// A measurement is one run of one tool.
type measurement struct {
	seconds float64 // from the first byte that the sink read to the last missing line; starting up is not throughput
	cpu     time.Duration
	rssMiB  float64
	report  sinkReport
}

// A bencher holds what the runs of one bench share.
type bencher struct {
	options
	inputs  map[string]input // by the file's name
	kafka   *kafkaBroker     // nil until a scenario needs it
	around  time.Duration    // how long lines come before and after an outage
	log     io.Writer        // progress and faults
	faulted []error          // what makes the bench fail in the end
}

// bench measures each tool in each scenario and prints rows. Its error says which tools failed, or lost, doubled or
// spoiled lines, and which ratios were missed.
func bench(ctx context.Context, o options, tools []tool, stdout, stderr io.Writer) error {
	b := &bencher{options: o, inputs: make(map[string]input), around: aroundOutage, log: stderr}
	defer b.stopKafka()
	report := newReporter(stdout, o.printJSON)
	for _, s := range o.scenarios {
		rows, err := b.scenario(ctx, s, tools)
		report.rows(rows)
		if err != nil {
			return errors.Join(err, report.flush())
		}
	}
	if o.isolation {
		if result, err := b.isolation(ctx, tools); err != nil {
			b.fault(fmt.Errorf("isolation: %w", err))
		} else {
			report.isolation(result)
		}
	}
	if o.outages {
		results, err := b.outages(ctx, tools)
		report.outages(results)
		if err != nil {
			return errors.Join(err, report.flush())
		}
	}
	if err := report.flush(); err != nil {
		return err
	}
	if o.assert {
		b.faulted = append(b.faulted, checkRatios(stderr, o.scenarios, report)...)
	}
	return errors.Join(b.faulted...)
}

// scenario measures all tools in turn, round by round, so that what the machine does meanwhile hits them alike. A tool
// that fails is left out from there on, and has no row.
func (b *bencher) scenario(ctx context.Context, s scenario, tools []tool) ([]row, error) {
	in, err := b.input(s.input)
	if err != nil {
		return nil, err
	}
	type entry struct {
		tool    tool
		runs    []measurement
		latency sinkReport
		failed  bool
	}
	if s.kafka {
		if err := b.startKafka(ctx, s, in); err != nil {
			return nil, err
		}
	}
	var entries []*entry
	for _, t := range tools {
		if t.takes(s.name) && b.wants(t) {
			entries = append(entries, &entry{tool: t})
		}
	}
	for round := range b.rounds {
		for _, e := range entries {
			if e.failed {
				continue
			}
			m, err := b.throughput(ctx, s, e.tool, in)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				b.fault(fmt.Errorf("%s %s: %w", s.name, e.tool.name, err))
				e.failed = true
				continue
			}
			b.audit(s.name, e.tool.name, m.report)
			e.runs = append(e.runs, m)
			fmt.Fprintf(b.log, "%s %s round %d: %.0f MiB/s\n", s.name, e.tool.name, round+1, mib(in.bytes)/m.seconds)
		}
	}
	var rows []row
	for _, e := range entries {
		if e.failed {
			continue
		}
		if e.latency, err = b.latencyPhase(ctx, s, e.tool); err != nil {
			b.fault(fmt.Errorf("%s %s: latency: %w", s.name, e.tool.name, err))
			continue
		}
		b.audit(s.name, e.tool.name, e.latency)
		rows = append(rows, newRow(s.name, e.tool, in, e.runs, e.latency))
	}
	return rows, nil
}

func (b *bencher) wants(t tool) bool {
	// With isolation, Spillway is here even if the scenarios were asked of others only.
	for _, name := range b.tools {
		if name == t.name {
			return true
		}
	}
	return len(b.tools) == 0
}

// startKafka starts the broker of the scenarios that need one. The bare loop warms it up, so that the first tool does not
// pay for a broker that has not been compiled yet.
func (b *bencher) startKafka(ctx context.Context, s scenario, in input) (err error) {
	if b.kafka != nil {
		return nil
	}
	if b.kafka, err = startKafka(ctx, filepath.Join(b.dir, "kafka")); err != nil {
		return err
	}
	fmt.Fprintf(b.log, "Kafka %s is warmed up\n", b.kafka.version)
	_, err = b.throughput(ctx, s, bareTool(), in)
	return err
}

func (b *bencher) stopKafka() {
	if b.kafka != nil {
		b.kafka.kill()
	}
}

func (b *bencher) input(f lineFormat) (input, error) {
	if in, ok := b.inputs[f.file]; ok {
		return in, nil
	}
	in, err := generate(b.dir, f, b.size)
	b.inputs[f.file] = in
	return in, err
}

// throughput runs a tool over a whole input.
func (b *bencher) throughput(ctx context.Context, s scenario, t tool, in input) (measurement, error) {
	return b.run(ctx, job{scenario: s, tool: t, lines: in.lines, duty: duty{Scenario: s.name, Input: in.path}})
}

// A job is what one run needs. Address and folder of the duty are filled in by run.
type job struct {
	scenario scenario
	tool     tool
	lines    int64
	duty     duty
	// feed, for a latency phase, writes the growing file's lines; the sink then takes their latency.
	feed func(ctx context.Context) error
	// attend, where it is set, is what is done instead of waiting for the sink, which then tells its progress.
	attend func(ctx context.Context, sink *sinkProcess, ship *shipper) error
	idle   time.Duration
}

// run starts a sink and a tool, waits until the sink has every line or hears nothing any more, stops the tool, and asks
// the sink again, since lines may come twice up to the very end.
func (b *bencher) run(ctx context.Context, j job) (m measurement, err error) {
	dir, err := os.MkdirTemp(b.dir, "run-")
	if err != nil {
		return m, err
	}
	defer os.RemoveAll(dir)
	sinks := sinkDuty{scenario: j.scenario, lines: j.lines, live: j.duty.Follow, progress: j.attend != nil, idle: cmp.Or(j.idle, b.idleExpiry)}
	if j.scenario.kafka {
		sinks.broker = b.kafka.address
	}
	sink, err := startSink(ctx, sinks)
	if err != nil {
		return m, err
	}
	d, err := newDuty(j.duty.Scenario, j.duty.Input, sink.address, dir)
	d.Follow, d.Blocked, d.Topic = j.duty.Follow, j.duty.Blocked, sink.topic
	if err != nil {
		return m, errors.Join(err, sink.end())
	}
	cmd, release, err := j.tool.command(ctx, d)
	if err != nil {
		return m, errors.Join(err, sink.end())
	}
	ship, err := startShipper(cmd, filepath.Join(dir, "log"))
	if release != nil {
		release()
	}
	if err != nil {
		return m, errors.Join(err, sink.end())
	}
	attend := j.attend
	if attend == nil {
		attend = j.await
	}
	fed := attend(ctx, sink, ship)
	stopped := ship.stop()
	m.report, err = sink.finish()
	if err := errors.Join(fed, stopped, err); err != nil {
		return m, err
	}
	if m.report.FirstNanos == 0 {
		return m, fmt.Errorf("nothing arrived at the sink\n%s", ship.tail())
	}
	m.cpu, m.rssMiB = ship.cpu(), ship.rssMiB
	m.seconds = time.Duration(m.report.LastNanos - m.report.FirstNanos).Seconds()
	return m, nil
}

// await returns when the sink has said its last word, or the tool has ended. The first byte at the sink starts the feed.
func (j job) await(ctx context.Context, sink *sinkProcess, ship *shipper) error {
	for {
		select {
		case e, ok := <-sink.events:
			switch {
			case !ok:
				return errors.New("the sink ended early")
			case e.Event == "first" && j.feed != nil:
				if err := j.feed(ctx); err != nil {
					return err
				}
			case e.Event == "complete", e.Event == "idle":
				return nil
			}
		case <-ship.exited:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// audit notes lines that did not arrive once and whole.
func (b *bencher) audit(scenario, tool string, r sinkReport) {
	if r.Lost == 0 && r.Doubled == 0 && r.Malformed == 0 {
		return
	}
	b.fault(fmt.Errorf("%s %s: %d lines lost (of these %d came malformed), %d doubled", scenario, tool, r.Lost, r.Malformed, r.Doubled))
	for _, c := range r.Complaints {
		fmt.Fprintln(b.log, " ", c)
	}
}

func (b *bencher) fault(err error) {
	fmt.Fprintln(b.log, err)
	b.faulted = append(b.faulted, err)
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
