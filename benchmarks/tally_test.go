package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// arrived returns line seq as a faultless tool sends it in a scenario, without its newline.
func arrived(t testing.TB, s scenario, seq int64) []byte {
	t.Helper()
	makeWork, err := bareWork(s.name)
	if err != nil {
		t.Fatal(err)
	}
	return makeWork()(nil, s.input.append(nil, seq, generatedMicros(seq)))
}

func TestTallyTellsLostDoubledAndMalformed(t *testing.T) {
	const total = 3 * sampleEvery
	replace := func(old, new string) func([]byte) []byte {
		return func(line []byte) []byte { return bytes.Replace(line, []byte(old), []byte(new), 1) }
	}
	hostFirst := func(line []byte) []byte {
		rest := bytes.TrimSuffix(line[1:], []byte(`,"host":"bench"}`))
		return fmt.Appendf(nil, `{"host": "bench", %s}`, rest)
	}
	twice := func(line []byte) []byte { return append(append(bytes.Clone(line), '\n'), line...) }
	for _, c := range []struct {
		scenario, what           string
		line                     int64
		change                   func([]byte) []byte
		lost, doubled, malformed int64
	}{
		{"s1", "nothing", 5, bytes.Clone, 0, 0, 0},
		{"s2", "nothing", 5, bytes.Clone, 0, 0, 0},
		{"s4", "nothing", 5, bytes.Clone, 0, 0, 0},
		{"s1", "doubled", 5, twice, 0, 1, 0},
		{"s1", "first line doubled", 0, twice, 0, 1, 0},
		{"s1", "last line doubled", total - 1, twice, 0, 1, 0},
		{"s1", "empty line", 5, func([]byte) []byte { return nil }, 1, 0, 1},
		{"s1", "header before the line", 5, replace("{", "<13>{"), 1, 0, 1},
		{"s1", "end cut", 5, func(b []byte) []byte { return b[:len(b)-1] }, 1, 0, 1},
		{"s1", "a byte changed in a sample", sampleEvery, replace("timestamp", "Timestamp"), 1, 0, 1},
		{"s1", "number out of range", 5, replace(`"seq":5`, `"seq":99999999`), 1, 0, 1},
		{"s1", "another's number", 5, replace(`"seq":5`, `"seq":6`), 1, 1, 0},
		{"s2", "host missing", 5, replace(`,"host":"bench"`, ``), 1, 0, 1},
		{"s2", "host wrong", 5, replace(`"bench"`, `"bank"`), 1, 0, 1},
		{"s2", "host elsewhere and spaced", sampleEvery, hostFirst, 0, 0, 0},
		{"s2", "a value changed in a sample", sampleEvery, replace(`"duration_ms":`, `"duration_ms":1`), 1, 0, 1},
		{"s2", "a member lost in a sample", sampleEvery, replace(`"level"`, `"lvl"`), 1, 0, 1},
		{"s2", "a member more in a sample", sampleEvery, replace(`"level"`, `"pid":1,"level"`), 0, 0, 0},
		{"s2", "broken JSON in a sample", sampleEvery, replace(`,"level"`, `,,"level"`), 1, 0, 1},
		{"s4", "not split", 5, func([]byte) []byte { return appendCombinedLine(nil, 5, generatedMicros(5)) }, 1, 0, 1},
		{"s4", "a field lost in a sample", sampleEvery, replace(`"agent"`, `"browser"`), 1, 0, 1},
		{"s4", "status as a string", sampleEvery, replace(`"status":200`, `"status":"200"`), 0, 0, 0},
		{"s4", "a wrong status in a sample", sampleEvery, replace(`"status":`, `"status":1`), 1, 0, 1},
	} {
		t.Run(c.scenario+" "+c.what, func(t *testing.T) {
			s, err := scenarioNamed(c.scenario)
			if err != nil {
				t.Fatal(err)
			}
			tally := newTally(s.check, total, false)
			for seq := range int64(total) {
				line := arrived(t, s, seq)
				if seq == c.line {
					line = c.change(line)
				}
				tally.add(append(line, '\n'), time.Now())
			}
			r := tally.result()
			if r.Lost != c.lost || r.Doubled != c.doubled || r.Malformed != c.malformed {
				t.Errorf("%d lost, %d doubled, %d malformed; want %d, %d, %d: %q", r.Lost, r.Doubled, r.Malformed, c.lost, c.doubled, c.malformed, r.Complaints)
			}
			if faults := c.lost+c.doubled+c.malformed > 0; faults != (len(r.Complaints) > 0) {
				t.Errorf("complaints: %q", r.Complaints)
			}
		})
	}
}

func TestOrderDoesNotMatterToTheTally(t *testing.T) {
	s, err := scenarioNamed("s1")
	if err != nil {
		t.Fatal(err)
	}
	tally := newTally(s.check, 200, false)
	for seq := int64(199); seq >= 0; seq-- {
		select {
		case <-tally.completed:
			t.Fatalf("complete before line %d", seq)
		default:
		}
		tally.add(append(arrived(t, s, seq), '\n'), time.Now())
	}
	<-tally.completed
	if r := tally.result(); r.Lost != 0 || r.Doubled != 0 || r.Malformed != 0 || r.Lines != 200 {
		t.Errorf("%+v", r)
	}
}

func TestLatencyIsTakenFromTheLinesTime(t *testing.T) {
	for _, name := range []string{"s1", "s4"} {
		s, err := scenarioNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		makeWork, err := bareWork(name)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		tally := newTally(s.check, 101, true)
		for seq := range int64(101) { // line 0 is the slowest, and not counted
			delay := time.Duration(seq) * time.Millisecond
			if seq == 0 {
				delay = time.Hour
			}
			line := makeWork()(nil, s.input.append(nil, seq, now.Add(-delay).UnixMicro()))
			tally.add(append(line, '\n'), now)
		}
		if r := tally.result(); r.P50Micros != 50_000 || r.P99Micros != 99_000 || r.Malformed != 0 {
			t.Errorf("%s: p50 %d µs, p99 %d µs, %q", name, r.P50Micros, r.P99Micros, r.Complaints)
		}
	}
}

func TestLinesAreOfTheStatedLengthAndShape(t *testing.T) {
	for _, f := range []lineFormat{jsonFormat, combinedFormat} {
		in, err := generate(t.TempDir(), f, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if mean := float64(in.bytes) / float64(in.lines); mean < 240 || mean > 280 {
			t.Errorf("%s: lines of %.0f bytes", f.file, mean)
		}
		nested, escaped := 0, 0
		for seq := range in.lines {
			line := string(f.append(nil, seq, generatedMicros(seq)))
			if line != string(f.append(nil, seq, generatedMicros(seq))) || strings.Contains(line, "\n") {
				t.Fatalf("%s: line %d is not one certain line", f.file, seq)
			}
			nested += strings.Count(line, `"http":{`)
			escaped += strings.Count(line, `\`)
		}
		if f.file == jsonFormat.file && (nested == 0 || escaped == 0) {
			t.Errorf("%d nested objects and %d backslashes", nested, escaped)
		}
	}
}

func BenchmarkTally(b *testing.B) {
	for _, name := range []string{"s1", "s2", "s4"} {
		b.Run(name, func(b *testing.B) {
			s, err := scenarioNamed(name)
			if err != nil {
				b.Fatal(err)
			}
			var block []byte
			const lines = sampleEvery
			for seq := range int64(lines) {
				block = fmt.Appendf(block, "%s\n", arrived(b, s, seq))
			}
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			now := time.Now()
			for b.Loop() {
				newTally(s.check, lines, false).add(block, now)
			}
		})
	}
}
