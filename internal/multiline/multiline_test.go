package multiline

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// split returns the records of text, the lines of each joined by |.
func split(m *Machine, text string) (records []string) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for len(lines) > 0 {
		n := first(m, lines)
		records = append(records, strings.Join(lines[:n], "|"))
		lines = lines[n:]
	}
	return records
}

// first returns how many lines the first record has.
func first(m *Machine, lines []string) int {
	m.Reset()
	sure := 0
	for i, line := range lines {
		v, ends := m.Next([]byte(line))
		switch {
		case i == 0 && v != Begins:
			panic("the first line must begin a record")
		case i > 0 && v == Begins:
			return sure
		case v != Perhaps:
			sure = i + 1
		}
		if ends {
			return sure
		}
	}
	return sure
}

func TestRules(t *testing.T) {
	re := regexp.MustCompile
	for _, c := range []struct {
		name  string
		rules Rules
		text  string
		want  []string
	}{
		{"start", Rules{Start: re(`^\d`)}, "a\nb\n1\nc\n2\n3\n\nd", []string{"a|b", "1|c", "2", "3||d"}},
		{"continue", Rules{Continue: re(`^\+`)}, "+a\n+b\nc\n+d\ne", []string{"+a|+b", "c|+d", "e"}},
		{"indent", Rules{Indent: true}, "a\n b\n\tc\nd\n\ne\n f", []string{"a| b|\tc", "d", "", "e| f"}},
		{"end", Rules{End: re(`;$`)}, "a\nb;\nc;\nd", []string{"a|b;", "c;", "d"}},
		{"start and end", Rules{Start: re(`^B`), End: re(`^E`)}, "a\nB\nb\nE\nc\nE\nd\nB\nB\nE", []string{"a", "B|b|E", "c", "E", "d", "B", "B|E"}},
		{"start and end in one line", Rules{Start: re(`^B`), End: re(`E$`)}, "B E\na\nB\nE", []string{"B E", "a", "B|E"}},
		{"start and continue", Rules{Start: re(`^ 1`), Continue: re(`^ `)}, "a\n b\n 1\n 2\nc", []string{"a| b", " 1| 2", "c"}},
		{"indent and end", Rules{Indent: true, End: re(`^}`)}, "f {\n x\n}\n y\ng {\n}\nh", []string{"f {| x|}", " y", "g {|}", "h"}},
		{"continue and indent", Rules{Continue: re(`^\.`), Indent: true}, "a\n.b\n c\nd", []string{"a|.b| c", "d"}},
		{"all", Rules{Start: re(`^B`), Continue: re(`^\.`), Indent: true, End: re(`^E`)}, "a\n.b\nE\nB\n c\nE\n.d\n e", []string{"a|.b", "E", "B| c|E", ".d| e"}},
	} {
		if got := split(New(&c.rules), c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestPresets(t *testing.T) {
	for _, c := range []struct {
		preset, text string
		want         []string
	}{
		{"java", "a\nb.C: d\n\tat e\n\t... 3 more\nCaused by: f\n    at g\nCall\n x", []string{"a", "b.C: d|\tat e|\t... 3 more|Caused by: f|    at g", "Call", " x"}},
		{"python", "a\nTraceback (most recent call last):\n  File 1\n    b\nE: c\n\nd", []string{"a", "Traceback (most recent call last):|  File 1|    b|E: c", "", "d"}},
		{"python", "Traceback (most recent call last):\n  File 1\nE\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File 2\nF\n\n\n", []string{"Traceback (most recent call last):|  File 1|E||During handling of the above exception, another exception occurred:||Traceback (most recent call last):|  File 2|F", "", ""}},
		{"python", "Traceback (most recent call last):\n  a\nE\nTraceback (most recent call last):\n  b\nF\n c", []string{"Traceback (most recent call last):|  a|E", "Traceback (most recent call last):|  b|F", " c"}},
		{"python", "  + Exception Group Traceback (most recent call last):\n  |   File 1\n  | ExceptionGroup: x\n  +-+---------------- 1 ----------------\n    | E: y\n    +------------------------------------\na", []string{"  + Exception Group Traceback (most recent call last):|  |   File 1|  | ExceptionGroup: x|  +-+---------------- 1 ----------------|    | E: y|    +------------------------------------", "a"}},
		{"go", "a)\nb\npanic: c\n\nd", []string{"a)", "b", "panic: c", "", "d"}},
		{"go", "panic: c\n\td\n\ngoroutine 1 [running]:\nf(...)\n\tf.go:1\ng)\ncreated by x", []string{"panic: c|\td||goroutine 1 [running]:|f(...)|\tf.go:1", "g)", "created by x"}},
		{"go", "http: panic serving\ngoroutine 5 [running]:\nf(1)\n\tf.go:1\ncreated by g\n\tg.go:2\n\na\n\tb", []string{"http: panic serving|goroutine 5 [running]:|f(1)|\tf.go:1|created by g|\tg.go:2", "", "a", "\tb"}},
		{"dotnet", "a\nb: c\n ---> d\n   at e\n   --- End of inner exception stack trace ---\n--- End of stack trace from previous location ---\nf\n g", []string{"a", "b: c| ---> d|   at e|   --- End of inner exception stack trace ---|--- End of stack trace from previous location ---", "f", " g"}},
		{"java,python,go,dotnet", "a\nTraceback (most recent call last):\n  x\nE\n\nb.C\n\tat d\n\npanic: e\n\ngoroutine 1 [running]:\nf(...)\n\tg\n\nh", []string{"a", "Traceback (most recent call last):|  x|E", "", "b.C|\tat d", "", "panic: e||goroutine 1 [running]:|f(...)|\tg", "", "h"}},
	} {
		m, err := Preset(strings.Split(c.preset, ",")...)
		if err != nil {
			t.Fatal(err)
		}
		if got := split(m, c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", c.preset, got, c.want)
		}
	}
	if _, err := Preset("go", "cobol"); err == nil {
		t.Error("cobol is taken for a preset")
	}
}

// machines are one for each rule and preset, and all presets together.
func machines(t testing.TB) map[string]*Machine {
	re := regexp.MustCompile
	all := map[string]*Machine{
		"start":         New(&Rules{Start: re(`^\S`)}),
		"continue":      New(&Rules{Continue: re(`^\s`)}),
		"indent":        New(&Rules{Indent: true}),
		"end":           New(&Rules{End: re(`;$`)}),
		"start and end": New(&Rules{Start: re(`^B`), End: re(`^E`)}),
	}
	for _, names := range [][]string{{"java"}, {"python"}, {"go"}, {"dotnet"}, Presets} {
		m, err := Preset(names...)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.Join(names, ",")] = m
	}
	return all
}

const ordinary = `2026-11-25T10:00:00.000Z INFO [main] com.example.Shop order 4711 accepted (3 items)`

func TestLinesCostNoAllocation(t *testing.T) {
	if raceBuild {
		t.Skip("the race detector makes pools forget")
	}
	lines := [][]byte{[]byte(ordinary), []byte("\tat a.b.C(D.java:1)"), []byte("panic: x"), nil, []byte("goroutine 1 [running]:"), []byte("main.main()"), []byte("\tmain.go:1")}
	for name, m := range machines(t) {
		m.Next(lines[0])
		if n := testing.AllocsPerRun(100, func() {
			for _, line := range lines {
				m.Next(line)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations for %d lines", name, n, len(lines))
		}
	}
}

// What a record is must not depend on what was before it, and few lines may be fed
// again: else what is read again after a restart would be another record, or
// take for ever.
func FuzzMachines(f *testing.F) {
	f.Add("Traceback (most recent call last):\n  a\nE\n\n\nDuring handling of the above exception, another exception occurred:\n\n")
	f.Add("panic: c\n\td\n\ngoroutine 1 [running]:\nf(...)\n\tf.go:1\ng)\ncreated by x\n\nrax    0x0\n")
	f.Add("a\n b\n\tat c\nCaused by: d\n ---> e\nB\nE\n;\n")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		for name, m := range machines(t) {
			var ran [][]byte // since the record began
			pending := 0
			m.Reset()
			for _, line := range lines {
				v, ends := m.Next([]byte(line))
				if v == Perhaps {
					if pending++; pending > 2 {
						t.Fatalf("%s: %d lines wait after %q", name, pending, ran)
					}
				} else {
					if v == Begins {
						ran = nil
					}
					pending = 0
				}
				ran = append(ran, []byte(line))
				if ends {
					ran = nil
				}
			}
			again := machines(t)[name]
			for i, line := range ran {
				if v, _ := again.Next(line); (v == Begins) != (i == 0) {
					t.Fatalf("%s: line %d of %q is found to be %d when it is read again", name, i, ran, v)
				}
			}
		}
	})
}

func BenchmarkOrdinaryLines(b *testing.B) {
	line := []byte(ordinary)
	for name, m := range machines(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Next(line)
			}
		})
	}
}
