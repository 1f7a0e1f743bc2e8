package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// A bound is a share of one tool's throughput that another must reach in a scenario.
type bound struct {
	scenario, tool, yardstick string
	least                     float64
}

// bounds are what --assert holds. The bare loop is Spillway's yardstick, and cat is the bare loop's, so that the
// yardstick can't shrink unseen.
var bounds = []bound{
	{"s1", "bare", "cat", 0.60},
	{"s1", "spillway", "bare", 0.40},
	{"s2", "spillway", "bare", 0.50},
	{"s3", "spillway", "bare", 0.50},
	{"s4", "spillway", "bare", 0.50},
	{"s5", "spillway", "bare", 0.60},
}

// A cost is a share of one tool's processor time that another may take at most in a scenario.
type cost struct {
	scenario, tool, yardstick string
	most                      float64
}

// costs are what --assert holds, too. Both ship the same lines, so their processor time per GiB compares as that per
// record does.
var costs = []cost{
	{"s5", "spillway", "writer", 0.60},
}

// outageGrowth bounds Spillway's memory while the broker is away, as a share of what it took before.
const outageGrowth = 1.3

// isolationBound is the least share of its speed that an output keeps beside a blocked one.
const isolationBound = 0.90

// checkRatios prints each bound of the scenarios, and returns an error for each that is missed. A bound whose tool or
// yardstick has no figure is missed, too.
func checkRatios(w io.Writer, scenarios []scenario, report *reporter) (missed []error) {
	speed, cpu := make(map[[2]string]float64), make(map[[2]string]float64)
	for _, r := range report.printed {
		speed[[2]string{r.Scenario, r.Tool}] = r.MiBPerS
		cpu[[2]string{r.Scenario, r.Tool}] = r.CPUSPerGiB
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	judge := func(what string, got, limit float64, holds bool, word string) {
		verdict := "held"
		if !holds || got == 0 {
			verdict = "MISSED"
			missed = append(missed, fmt.Errorf("%s is %.2f and must be at %s %.2f", what, got, word, limit))
		}
		fmt.Fprintf(table, "%s\t%.2f\tat %s %.2f\t%s\n", what, got, word, limit, verdict)
	}
	atLeast := func(what string, got, least float64) { judge(what, got, least, got >= least, "least") }
	atMost := func(what string, got, most float64) { judge(what, got, most, got <= most, "most") }
	asked := func(name string) bool {
		return slices.ContainsFunc(scenarios, func(s scenario) bool { return s.name == name })
	}
	for _, b := range bounds {
		if asked(b.scenario) {
			what := fmt.Sprintf("%s: %s of %s", b.scenario, b.tool, b.yardstick)
			atLeast(what, ratio(speed[[2]string{b.scenario, b.tool}], speed[[2]string{b.scenario, b.yardstick}]), b.least)
		}
	}
	for _, c := range costs {
		if asked(c.scenario) {
			what := fmt.Sprintf("%s: processor time of %s of %s", c.scenario, c.tool, c.yardstick)
			atMost(what, ratio(cpu[[2]string{c.scenario, c.tool}], cpu[[2]string{c.scenario, c.yardstick}]), c.most)
		}
	}
	if report.isolated != nil {
		atLeast("isolation: beside a blocked output, of alone", report.isolated.Ratio, isolationBound)
	}
	for _, r := range report.away {
		if r.Tool == "spillway" {
			atMost("s6: memory while the broker is away, of before", ratio(r.AwayMiB, r.BeforeMiB), outageGrowth)
		}
	}
	_ = table.Flush() // the verdicts are returned as well
	return missed
}
