package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// aroundOutage is how long lines come before the broker goes away, and after it is called back.
const aroundOutage = 20 * time.Second

// An outageResult is what a tool made of a broker that was away.
type outageResult struct {
	Scenario      string  `json:"scenario"`
	Tool          string  `json:"tool"`
	Version       string  `json:"version"`
	KLinesPerS    float64 `json:"klines_per_s"` // that came all the while
	AwayS         float64 `json:"away_s"`       // from the broker's kill until it served again
	BacklogKLines float64 `json:"backlog_klines"`
	DrainS        float64 `json:"drain_s"`        // from then on, until the sink was less than half a second behind
	BeforeMiB     float64 `json:"rss_before_mib"` // peaks: until the broker went
	AwayMiB       float64 `json:"rss_away_mib"`   // until the broker was back
	RSSMiB        float64 `json:"rss_mib"`        // of the whole run
	Lost          int64   `json:"lost"`
	Doubled       int64   `json:"doubled"`
}

// outages takes the broker away from each tool that knows the duty. One that fails has no result.
func (b *bencher) outages(ctx context.Context, tools []tool) (results []outageResult, err error) {
	s, err := scenarioNamed("s6")
	if err != nil {
		return nil, err
	}
	for _, t := range tools {
		if !t.takes(s.name) || !b.wants(t) {
			continue
		}
		if b.kafka == nil {
			if b.kafka, err = startKafka(ctx, filepath.Join(b.dir, "kafka")); err != nil {
				return results, err
			}
		}
		r, err := b.outageOf(ctx, s, t)
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
		if err != nil {
			b.fault(fmt.Errorf("s6 %s: %w", t.name, err))
			continue
		}
		results = append(results, r)
	}
	return results, nil
}

func (b *bencher) outageOf(ctx context.Context, s scenario, t tool) (outageResult, error) {
	path := filepath.Join(b.dir, "outage-"+s.input.file)
	file, err := os.Create(path)
	if err != nil {
		return outageResult{}, err
	}
	defer os.Remove(path)
	defer file.Close()
	length := 2*b.around + b.outage
	o := &outage{bencher: b, writer: pacedWriter{file: file, format: s.input, rate: b.outageRate, lines: int64(length.Seconds() * float64(b.outageRate))}}
	if err := o.writer.write(0); err != nil {
		return outageResult{}, err
	}
	m, err := b.run(ctx, job{
		scenario: s, tool: t, lines: 1 + o.writer.lines, attend: o.attend, idle: b.outage + kafkaReadiness,
		duty: duty{Scenario: s.name, Input: path, Follow: true},
	})
	if err != nil {
		return outageResult{}, err
	}
	b.audit(s.name, t.name, m.report)
	return outageResult{
		Scenario: s.name, Tool: t.name, Version: t.version, KLinesPerS: float64(b.outageRate) / 1000,
		AwayS: rounded(o.back.Sub(o.gone).Seconds(), 1), BacklogKLines: rounded(float64(o.backlog)/1000, 1), DrainS: rounded(o.drained.Seconds(), 1),
		BeforeMiB: rounded(o.beforeMiB, 1), AwayMiB: rounded(o.awayMiB, 1), RSSMiB: rounded(m.rssMiB, 1), Lost: m.report.Lost, Doubled: m.report.Doubled,
	}, nil
}

// An outage is one run. Its goroutine is the one that runs the tool; only the lines are written by another.
type outage struct {
	*bencher
	writer    pacedWriter
	beforeMiB float64   // the tool's peak until the broker went
	awayMiB   float64   // and until it was back
	backlog   int64     // lines that were written and had not come, at worst
	gone      time.Time // the broker
	back      time.Time
	drained   time.Duration // after it was back
}

// attend lets lines come, takes the broker away, brings it back, and waits for the last line. Line 0 at the sink starts it.
func (o *outage) attend(ctx context.Context, sink *sinkProcess, ship *shipper) (err error) {
	feeding, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	failed, returned := make(chan error, 2), make(chan time.Time, 1)
	var goes, comes <-chan time.Time
	for {
		select {
		case e, ok := <-sink.events:
			switch {
			case !ok:
				return errors.New("the sink ended early")
			case e.Event == "first":
				goes = time.After(o.around)
				helpers.Go(func() {
					if err := o.writer.feed(feeding); err != nil {
						failed <- err
					}
				})
			case e.Event == "progress":
				o.progress(e.Lines)
			case e.Event == "complete", e.Event == "idle":
				if o.back.IsZero() {
					return errors.New("the lines ended before the broker was back")
				}
				o.progress(o.writer.written.Load())
				return nil
			}
		case <-goes:
			o.beforeMiB = ship.peakMiB()
			o.kafka.kill()
			o.gone, comes = time.Now(), time.After(o.outage)
		case <-comes:
			helpers.Go(func() {
				if err := o.kafka.start(ctx); err != nil {
					failed <- err
					return
				}
				returned <- time.Now()
			})
		case o.back = <-returned:
			o.awayMiB = ship.peakMiB()
		case err := <-failed:
			return err
		case <-ship.exited:
			return errors.New("the tool ended by itself")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// progress takes note of how many lines have come.
func (o *outage) progress(lines int64) {
	behind := o.writer.written.Load() - lines
	o.backlog = max(o.backlog, behind)
	if !o.back.IsZero() && o.drained == 0 && behind < int64(o.outageRate/2) {
		o.drained = time.Since(o.back)
	}
}
