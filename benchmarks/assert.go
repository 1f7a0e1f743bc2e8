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
	{"s1", "bare", "cat", 0.70},
	{"s1", "spillway", "bare", 0.40},
	{"s2", "spillway", "bare", 0.50},
	{"s3", "spillway", "bare", 0.50},
	{"s4", "spillway", "bare", 0.50},
}

// isolationBound is the least share of its speed that an output keeps beside a blocked one.
const isolationBound = 0.90

// checkRatios prints each bound of the scenarios, and returns an error for each that is missed. A bound whose tool or
// yardstick has no figure is missed, too.
func checkRatios(w io.Writer, scenarios []scenario, rows []row, isolated *isolationResult) (missed []error) {
	speed := make(map[[2]string]float64)
	for _, r := range rows {
		speed[[2]string{r.Scenario, r.Tool}] = r.MiBPerS
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	judge := func(what string, got, least float64) {
		verdict := "held"
		if got < least {
			verdict = "MISSED"
			missed = append(missed, fmt.Errorf("%s is %.2f and must be at least %.2f", what, got, least))
		}
		fmt.Fprintf(table, "%s\t%.2f\tat least %.2f\t%s\n", what, got, least, verdict)
	}
	for _, b := range bounds {
		if slices.ContainsFunc(scenarios, func(s scenario) bool { return s.name == b.scenario }) {
			what := fmt.Sprintf("%s: %s of %s", b.scenario, b.tool, b.yardstick)
			judge(what, ratio(speed[[2]string{b.scenario, b.tool}], speed[[2]string{b.scenario, b.yardstick}]), b.least)
		}
	}
	if isolated != nil {
		judge("isolation: beside a blocked output, of alone", isolated.Ratio, isolationBound)
	}
	_ = table.Flush() // the verdicts are returned as well
	return missed
}
