package main

import (
	"os"
	"path"
	"strings"
	"testing"
)

func TestMedianAndQuantile(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.want)
		}
	}
	hundred := make([]int64, 100)
	for i := range hundred {
		hundred[i] = int64(i + 1)
	}
	for _, c := range []struct {
		values  []int64
		percent int
		want    int64
	}{{nil, 50, 0}, {[]int64{7}, 50, 7}, {[]int64{7}, 99, 7}, {hundred, 50, 50}, {hundred, 99, 99}, {hundred[:10], 99, 10}} {
		if got := quantile(c.values, c.percent); got != c.want {
			t.Errorf("p%d of %d values is %d, want %d", c.percent, len(c.values), got, c.want)
		}
	}
}

func TestBoundsAreHeldOrMissed(t *testing.T) {
	named := func(name string) []scenario {
		s, err := scenarioNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		return []scenario{s}
	}
	s1, s5 := named("s1"), named("s5")
	broker := func(speed, cpu float64) []row {
		return []row{
			{Scenario: "s5", Tool: "spillway", MiBPerS: speed, CPUSPerGiB: cpu},
			{Scenario: "s5", Tool: "bare", MiBPerS: 1000, CPUSPerGiB: 1},
			{Scenario: "s5", Tool: "writer", MiBPerS: 500, CPUSPerGiB: 10},
		}
	}
	away := func(before, away float64) reporter {
		return reporter{away: []outageResult{{Tool: "spillway", BeforeMiB: before, AwayMiB: away}, {Tool: "other", BeforeMiB: 1, AwayMiB: 9}}}
	}
	speeds := func(spillway, bare, cat float64) []row {
		return []row{{Scenario: "s1", Tool: "spillway", MiBPerS: spillway}, {Scenario: "s1", Tool: "bare", MiBPerS: bare}, {Scenario: "s1", Tool: "cat", MiBPerS: cat}}
	}
	for _, c := range []struct {
		what      string
		scenarios []scenario
		report    reporter
		missed    string
	}{
		{"held", s1, reporter{printed: speeds(400, 1000, 1000), isolated: &isolationResult{Ratio: 0.9}}, ""},
		{"slow", s1, reporter{printed: speeds(399, 1000, 1000)}, "s1: spillway of bare"},
		{"slow yardstick", s1, reporter{printed: speeds(400, 590, 1000)}, "s1: bare of cat"},
		{"no cat", s1, reporter{printed: speeds(400, 1000, 1000)[:2]}, "s1: bare of cat"},
		{"no figures", s1, reporter{}, "s1: bare of cat s1: spillway of bare"},
		{"not isolated", nil, reporter{isolated: &isolationResult{Ratio: 0.89}}, "isolation: beside a blocked output, of alone"},
		{"to a broker", s5, reporter{printed: broker(600, 6)}, ""},
		{"slow to a broker", s5, reporter{printed: broker(599, 6)}, "s5: spillway of bare"},
		{"dear to a broker", s5, reporter{printed: broker(600, 6.1)}, "s5: processor time of spillway of writer"},
		{"no writer", s5, reporter{printed: broker(600, 6)[:2]}, "s5: processor time of spillway of writer"},
		{"outage", nil, away(100, 130), ""},
		{"outage that costs memory", nil, away(100, 131), "s6: memory while the broker is away, of before"},
	} {
		var table strings.Builder
		var missed []string
		for _, err := range checkRatios(&table, c.scenarios, &c.report) {
			what := err.Error()
			what = what[:strings.LastIndex(what, " is ")]
			missed = append(missed, what)
		}
		if got := strings.Join(missed, " "); got != c.missed {
			t.Errorf("%s: missed %q, want %q", c.what, got, c.missed)
		}
		if strings.Count(table.String(), "MISSED") != len(missed) || strings.Contains(table.String(), "s2") {
			t.Errorf("%s: table %q", c.what, table.String())
		}
	}
}

func TestARowIsMediansAndSums(t *testing.T) {
	in := input{lines: 4000, bytes: 1 << 20}
	runs := []measurement{
		{seconds: 1, cpu: 3e9, rssMiB: 9, report: sinkReport{Lost: 1}},
		{seconds: 4, cpu: 1e9, rssMiB: 7, report: sinkReport{Doubled: 2}},
		{seconds: 2, cpu: 2e9, rssMiB: 8},
	}
	got := newRow("s1", tool{name: "x", version: "1"}, in, runs, sinkReport{Lost: 10, Doubled: 20, P50Micros: 1500, P99Micros: 2500})
	want := row{"s1", "x", "1", 0.5, 2, 2048, 8, 11, 22, 1.5, 2.5, 3}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestEveryCaseCanBeFilled(t *testing.T) {
	d, err := newDuty("", "/tmp/in.log", "127.0.0.1:4711", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d.Topic = "lines"
	for _, scenario := range []string{"s1", "s2", "s3", "s4", "s5", "s6", "isolation"} {
		files, err := cases.ReadDir(path.Join("cases", scenario))
		if err != nil {
			t.Fatal(err)
		}
		d.Scenario = scenario
		if !hasCase("spillway.yaml")(scenario) {
			t.Errorf("%s has no case for spillway", scenario)
		}
		for _, f := range files {
			if f.Name() == "README.md" {
				continue
			}
			config, err := render(d, f.Name())
			if err != nil {
				t.Errorf("%s: %v", scenario, err)
				continue
			}
			text, err := os.ReadFile(config)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), d.Input) || !strings.Contains(string(text), d.Port) {
				t.Errorf("%s/%s names no input or no sink:\n%s", scenario, f.Name(), text)
			}
		}
	}
}
