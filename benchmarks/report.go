package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"
)

// A row is what is printed of one tool in one scenario: medians over the rounds, sums of lost and doubled lines.
type row struct {
	Scenario    string  `json:"scenario"`
	Tool        string  `json:"tool"`
	Version     string  `json:"version"`
	MiBPerS     float64 `json:"mib_per_s"` // of input, whatever the output's size
	KLinesPerS  float64 `json:"klines_per_s"`
	CPUSPerGiB  float64 `json:"cpu_s_per_gib"` // user and system, per GiB of input
	RSSMiB      float64 `json:"rss_mib"`       // peak
	Lost        int64   `json:"lost"`          // malformed ones included
	Doubled     int64   `json:"doubled"`
	P50Millis   float64 `json:"p50_ms"` // latency at the fixed rate
	P99Millis   float64 `json:"p99_ms"`
	RoundsCount int     `json:"rounds"`
}

func newRow(scenario string, t tool, in input, runs []measurement, latency sinkReport) row {
	var speeds, lines, cpus, memory []float64
	r := row{Scenario: scenario, Tool: t.name, Version: t.version, Lost: latency.Lost, Doubled: latency.Doubled, RoundsCount: len(runs)}
	for _, m := range runs {
		speeds = append(speeds, ratio(mib(in.bytes), m.seconds))
		lines = append(lines, ratio(float64(in.lines)/1000, m.seconds))
		cpus = append(cpus, m.cpu.Seconds()/(mib(in.bytes)/1024))
		memory = append(memory, m.rssMiB)
		r.Lost += m.report.Lost
		r.Doubled += m.report.Doubled
	}
	r.MiBPerS, r.KLinesPerS = rounded(median(speeds), 1), rounded(median(lines), 1)
	r.CPUSPerGiB, r.RSSMiB = rounded(median(cpus), 3), rounded(median(memory), 1)
	r.P50Millis, r.P99Millis = millis(latency.P50Micros), millis(latency.P99Micros)
	return r
}

func millis(micros int64) float64 {
	return float64(time.Duration(micros)*time.Microsecond) / float64(time.Millisecond)
}

func rounded(v float64, decimals int) float64 {
	unit := math.Pow10(decimals)
	return math.Round(v*unit) / unit
}

// A reporter prints rows: JSON as they come, a table at the end.
type reporter struct {
	json     *json.Encoder
	table    *tabwriter.Writer
	printed  []row
	isolated *isolationResult
	away     []outageResult
	err      error
}

func newReporter(w io.Writer, asJSON bool) *reporter {
	if asJSON {
		return &reporter{json: json.NewEncoder(w)}
	}
	return &reporter{table: tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)}
}

func (p *reporter) rows(rows []row) {
	for _, r := range rows {
		if p.json != nil {
			p.keep(p.json.Encode(r))
			continue
		}
		if len(p.printed) == 0 {
			_, err := fmt.Fprintln(p.table, "scenario\ttool\tversion\tMiB/s\tklines/s\tCPU s/GiB\tRSS MiB\tlost\tdoubled\tp50 ms\tp99 ms\trounds\t")
			p.keep(err)
		}
		_, err := fmt.Fprintf(p.table, "%s\t%s\t%s\t%.0f\t%.0f\t%.2f\t%.0f\t%d\t%d\t%.2f\t%.2f\t%d\t\n", r.Scenario, r.Tool, r.Version,
			r.MiBPerS, r.KLinesPerS, r.CPUSPerGiB, r.RSSMiB, r.Lost, r.Doubled, r.P50Millis, r.P99Millis, r.RoundsCount)
		p.keep(err)
		p.printed = append(p.printed, r)
	}
	if p.json != nil {
		p.printed = append(p.printed, rows...)
	}
}

func (p *reporter) isolation(r isolationResult) {
	p.isolated = &r
	if p.json != nil {
		p.keep(p.json.Encode(r))
	}
}

func (p *reporter) outages(results []outageResult) {
	p.away = results
	for _, r := range results {
		if p.json != nil {
			p.keep(p.json.Encode(r))
		}
	}
}

// flush prints what has been held back, and returns the first error of all printing.
func (p *reporter) flush() error {
	if p.table == nil {
		return p.err
	}
	p.keep(p.table.Flush())
	if r := p.isolated; r != nil {
		_, err := fmt.Fprintf(p.table, "isolation: %.0f MiB/s beside a blocked output, %.0f alone: %.2f, the median of %d pairs\n", r.Beside, r.Alone, r.Ratio, r.Pairs)
		p.keep(err)
	}
	for _, r := range p.away {
		_, err := fmt.Fprintf(p.table, "%s: %s %s, broker away for %.0f s at %.0f klines/s: %.0f klines behind at worst, drained in %.1f s, %.0f MiB before, %.0f MiB until it was back, %.0f MiB at worst, %d lost, %d doubled\n",
			r.Scenario, r.Tool, r.Version, r.AwayS, r.KLinesPerS, r.BacklogKLines, r.DrainS, r.BeforeMiB, r.AwayMiB, r.RSSMiB, r.Lost, r.Doubled)
		p.keep(err)
	}
	p.keep(p.table.Flush())
	return p.err
}

func (p *reporter) keep(err error) {
	if p.err == nil {
		p.err = err
	}
}
