package file

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/multiline"
)

// whole returns where the records of data end, given to s so many bytes at a time
// that it has not seen yet, negative if it was ended for its size. A line that is too long ends where it does.
func whole(t *testing.T, s *splitter, data []byte, chunk int) (ends []int) {
	from, seen := 0, 0
	for from < len(data) {
		then := unknown
		if seen = min(seen, len(data)); seen == len(data) {
			then = nothing
		}
		p := s.next(data[from:seen], then)
		switch {
		case p.long:
			n := bytes.IndexByte(data[from:], '\n') + 1
			if n == 0 {
				n = len(data) - from
			}
			if n <= s.longest {
				t.Fatalf("a line of %d bytes is said to be too long", n)
			}
			from += n
		case p.size > 0:
			if p.size > seen-from || len(trim(data[from:from+p.size])) > s.longest {
				t.Fatalf("a record of %d bytes out of %d, the longest is %d", p.size, seen-from, s.longest)
			}
			from += p.size
		case seen-from >= s.window() || then == nothing:
			t.Fatalf("%d bytes are not enough", seen-from)
		default:
			seen += chunk
			continue
		}
		seen = max(seen, from)
		ends = append(ends, from)
		if p.ended {
			ends = append(ends, -from)
		}
	}
	return ends
}

// Whatever the bytes and however many come at a time, they are cut at the same
// places, which are line ends.
func FuzzSplitter(f *testing.F) {
	trace, err := os.ReadFile("testdata/traces/dotnet.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(trace, uint8(0), uint8(7))
	f.Add([]byte("a\n b\r\n\r\nc\n"+strings.Repeat("x", 70)+"\n d"), uint8(1), uint8(1))
	f.Add([]byte("Traceback (most recent call last):\n  a\nE\n\n\nDuring"), uint8(0), uint8(3))
	f.Add([]byte("B\nb\nE\nc\nB E\n"), uint8(2), uint8(2))
	f.Add([]byte("a\n"+strings.Repeat("x", 5000)+"z\nb"), uint8(3), uint8(100))
	f.Fuzz(func(t *testing.T, data []byte, rules, chunk uint8) {
		machine, err := multiline.Preset(multiline.Presets...)
		if err != nil {
			t.Fatal(err)
		}
		switch rules % 4 {
		case 1:
			machine = multiline.New(&multiline.Rules{Indent: true})
		case 2:
			machine = multiline.New(&multiline.Rules{Start: regexp.MustCompile("^B"), End: regexp.MustCompile("E$")})
		case 3:
			machine = multiline.New(&multiline.Rules{Continue: regexp.MustCompile("z$")})
		}
		s := &splitter{machine: machine, longest: 60, maxLines: 5}
		want := whole(t, s, data, len(data))
		if got := whole(t, s, data, int(chunk)+1); !slices.Equal(got, want) {
			t.Fatalf("cut at %d, and in chunks of %d at %d", want, int(chunk)+1, got)
		}
		for _, end := range want {
			if end > 0 && end < len(data) && data[end-1] != '\n' {
				t.Fatalf("cut at %d, where no line ends", end)
			}
		}
	})
}

func multi(t *testing.T, rules Multiline) *bench {
	b := newBench(t)
	d := b.cfg.Multiline
	if rules.FlushAfter == 0 {
		rules.FlushAfter = d.FlushAfter
	}
	if rules.MaxLines == 0 {
		rules.MaxLines = d.MaxLines
	}
	b.cfg.Multiline = rules
	return b
}

func TestRecordsOfSeveralLines(t *testing.T) {
	x := strings.Repeat("x", 12)
	for _, c := range []struct {
		name, text string
		rules      Multiline
		want       []string
		cut        []string
	}{
		{"line ends", "a\r\n b\n c\r\nd\r\n\r\n", Multiline{Indent: true}, []string{"a\r\n b\n c", "d", ""}, nil},
		{"no line end", "a\n b", Multiline{Indent: true}, []string{"a\n b"}, nil},
		{"no line end after a record", "a\n b\nc\r", Multiline{Indent: true}, []string{"a\n b", "c\r"}, nil},
		{"start", "1\na\nb\n1\nc\n", Multiline{Start: "^1"}, []string{"1\na\nb", "1\nc"}, nil},
		{"end", "a\nb;\nc;\nd", Multiline{End: ";$"}, []string{"a\nb;", "c;", "d"}, nil},
		{"longest", "a\n" + x + x[:6] + "\nb\n", Multiline{Start: "^[ab]"}, []string{"a\n" + x + x[:6], "b"}, nil},
		{"too long", "a\n" + x + "\n" + x + "\nb\n", Multiline{Start: "^[ab]"}, []string{"a\n" + x, x, "b"}, []string{"a\n" + x}},
		{"too long by one", "a\n" + x + x[:7] + "\nb\n", Multiline{Start: "^[ab]"}, []string{"a", x + x[:7], "b"}, []string{"a"}},
		{"a long line within", "a\n" + x + x + "\nb\n", Multiline{Start: "^[ab]"}, []string{"a", (x + x)[:20], "b"}, []string{"a", (x + x)[:20]}},
		{"a huge line within", "a\n b\n" + strings.Repeat(x, 100_000) + "\n b\n", Multiline{Indent: true}, []string{"a\n b", (x + x)[:20], " b"}, []string{(x + x)[:20]}},
		{"a huge line that belongs", "a\n " + strings.Repeat(x, 100_000) + "\nb", Multiline{Indent: true}, []string{"a", " " + (x + x)[:19], "b"}, []string{"a", " " + (x + x)[:19]}},
		{"too many lines", "a\n b\n c\n d\n e\n", Multiline{Indent: true, MaxLines: 2}, []string{"a\n b", " c\n d", " e"}, []string{"a\n b", " c\n d"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := multi(t, c.rules)
			b.cfg.MaxLine = 20
			b.cfg.FileFields = []string{"path"} // is written behind the records
			b.write("a.log", c.text)
			b.once()
			if got := b.out.Texts(); !slices.Equal(got, c.want) {
				t.Fatalf("got  %q\nwant %q", got, c.want)
			}
			var cut []string
			for _, l := range b.out.Lines() {
				if l.Fields[truncatedField] == "true" {
					cut = append(cut, l.Text)
				}
			}
			if !slices.Equal(cut, c.cut) || b.cut() != int64(len(c.cut)) {
				t.Errorf("%q are marked and %d counted, want %q", cut, b.cut(), c.cut)
			}
			for _, p := range b.out.Resume() {
				if p.Offset != int64(len(c.text)) || p.Bytes != int64(len(c.text)) {
					t.Errorf("offset %d, bytes %d, want %d", p.Offset, p.Bytes, len(c.text))
				}
			}
		})
	}
}

func TestRecordIsCompleteAfterAPause(t *testing.T) {
	b := multi(t, Multiline{Indent: true, FlushAfter: 300 * time.Millisecond})
	b.write("a.log", "")
	b.cfg.ScanInterval = time.Hour // notifications tell of lines, nothing of a pause
	b.start()
	b.awaitMetric("open_files", 1)
	time.Sleep(50 * time.Millisecond)
	b.write("a.log", "a\n b\nc")
	time.Sleep(100 * time.Millisecond)
	b.want()
	b.want("a\n b") // it has come when nothing else happens, without the line that is not whole
	b.write("a.log", "\n")
	b.want("a\n b", "c")
	b.write("a.log", " d\n")
	b.want("a\n b", "c", " d")
	b.stop()
}

func TestPauseBeginsWithTheLastGrowth(t *testing.T) {
	b := multi(t, Multiline{Indent: true, FlushAfter: 400 * time.Millisecond})
	b.start()
	want := "a"
	b.write("a.log", "a\n")
	for range 10 {
		time.Sleep(100 * time.Millisecond)
		b.write("a.log", " b\n")
		want += "\n b"
	}
	b.want(want)
}

// A kill may come anywhere: what is committed are whole records.
func TestRecordsAreTheSameWithARestartAtEveryByte(t *testing.T) {
	text := "a\n b\n c\r\nd\n\ne\n" + strings.Repeat(" f\n", 12) + "g\n"
	one := multi(t, Multiline{Indent: true, FlushAfter: time.Hour})
	one.cfg.MaxLine = 20
	one.write("a.log", text)
	one.once()
	want := one.out.Texts()
	for at := range len(text) {
		b := multi(t, Multiline{Indent: true, FlushAfter: time.Hour})
		b.cfg.MaxLine = 20
		b.write("a.log", text[:at])
		s := b.steps()
		s.look()
		s.turns()
		if n := s.ready.len(); n > 0 {
			t.Fatalf("%d files wait for a turn", n)
		}
		s.end()
		b.write("a.log", text[at:])
		b.once()
		if got := b.out.Texts(); !slices.Equal(got, want) {
			t.Fatalf("restarted at %d:\ngot  %q\nwant %q", at, got, want)
		}
	}
}

func TestLongRecordsThatDripAreWhole(t *testing.T) {
	b := multi(t, Multiline{Indent: true, FlushAfter: 2 * time.Second, MaxLines: 1_000_000})
	b.start()
	line := " " + strings.Repeat("x", 30_000) + "\n"
	want := "a"
	b.write("a.log", "a\n")
	for range 30 { // 900 KB: more than a batch
		b.write("a.log", line[:20_000])
		time.Sleep(3 * time.Millisecond)
		b.write("a.log", line[20_000:])
		want += "\n" + line[:len(line)-1]
	}
	b.write("a.log", "b\n")
	b.want(want, "b")
	b.stop()
	again := multi(t, b.cfg.Multiline)
	again.write("a.log", want+"\nb\n")
	again.once()
	again.want(want, "b")
}

// Of the trace that is cut nothing is known any more where its rest begins.
func TestRestOfARecordThatIsTooLongIsReadAsIfItWereFirst(t *testing.T) {
	b := multi(t, Multiline{Preset: presets{"python"}, MaxLines: 2})
	b.write("a.log", "Traceback (most recent call last):\n  a\n  b\n  c\nE\n")
	b.once()
	b.want("Traceback (most recent call last):\n  a", "  b", "  c", "E")
}

// A long part of a record is not read again each time that something is added, but it is when
// nothing was added for long.
func TestLongRecordIsCompleteAfterAPause(t *testing.T) {
	b := multi(t, Multiline{Indent: true, FlushAfter: 500 * time.Millisecond})
	want := "a" + strings.Repeat("\n "+strings.Repeat("x", 1000), 200)
	b.start()
	b.write("a.log", want+"\nb")
	b.want(want)
	b.write("a.log", "\n")
	b.want(want, "b")
}

// The last record of a rotated file does not wait while those of the next file are read.
func TestRotatedFilesKeepTheOrderOfTheirRecords(t *testing.T) {
	b := multi(t, Multiline{Indent: true, FlushAfter: time.Hour})
	var want []string
	for i := range 3 {
		if i > 0 {
			time.Sleep(20 * time.Millisecond) // birth times tick slowly
		}
		if i < 2 {
			b.write("tmp", fmt.Sprintf("%d a\n b\n%d c\n d\n", i, i))
			b.rename("tmp", fmt.Sprintf("a.log.%d", 2-i))
			want = append(want, fmt.Sprintf("%d a\n b", i), fmt.Sprintf("%d c\n d", i))
		}
	}
	b.write("a.log", "last\n e\n")
	want = append(want, "last\n e")
	b.once()
	if got := b.out.Texts(); !slices.Equal(got, want) {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
}

func TestRestOfARecordIsReadFromACompressedCopy(t *testing.T) {
	b := multi(t, Multiline{Indent: true, FlushAfter: time.Hour})
	b.cfg.Exclude = []string{"*.gz"}
	b.write("a.log", "a\n b\nc\n d\n")
	s := b.steps()
	s.look()
	s.turns()
	s.kept("a\n b")
	s.end()
	b.write("a.log", " e\nf\n g")
	b.rename("a.log", "a.log.1")
	b.pack("a.log.1", "a.log.1.gz")
	b.write("a.log", "h\n")
	b.once()
	b.want("a\n b", "c\n d\n e", "f\n g", "h")
	if b.lost() != 0 {
		t.Fatalf("%d bytes lost", b.lost())
	}
}

func TestMultilineRulesThatMakeNoSense(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"{preset: cobol}", `"cobol" is no preset`},
		{"{preset: [java, java]}", "named twice"},
		{"{preset: {java: true}}", "wanted the name of a preset"},
		{"{preset: java, indent: true}", "leave out start, continue, indent and end"},
		{"{flush_after: 5s}", "nothing says which lines belong together"},
		{"{start: '('}", "missing closing )"},
		{"{start: '.*'}", "matches every line"},
		{"{start: a, continue: a}", "is the same as start"},
		{"{start: a, end: a}", "is the same as start"},
		{"{indent: true, flush_after: 0s}", "flush_after"},
		{"{indent: true, max_lines: 1}", "max_lines"},
		{"{start: '^$', continue: '^\\s', indent: true, end: x}", ""},
		{"{preset: java}", ""},
		{"{preset: [go, python], flush_after: 3s}", ""},
		{"{}", ""},
	} {
		n, err := config.Parse("test", []byte("paths: [/a]\nmultiline: "+c.text+"\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		err = config.Decode(n, Default())
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.text, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", c.text, err, c.want)
		}
	}
}

func TestRecordsOfSeveralLinesCostNoAllocationEach(t *testing.T) {
	if raceBuild {
		t.Skip("the race detector makes pools forget")
	}
	path := filepath.Join(t.TempDir(), "a.log")
	cfg := Default()
	cfg.Paths, cfg.Multiline.Preset = []config.Path{config.Path(path)}, multiline.Presets
	allocs := func(records int) float64 {
		if err := os.WriteFile(path, []byte(strings.Repeat(benchLine+"\tat a.b.C(D.java:1)\n", records)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readOnce(t, cfg).lines; got != records {
			t.Fatalf("%d records, want %d", got, records)
		}
		return testing.AllocsPerRun(1, func() { readOnce(t, cfg) })
	}
	few, many := allocs(1000), allocs(101_000)
	if perThousand := (many - few) / 100; perThousand > 10 {
		t.Fatalf("%.1f allocations for a thousand records", perThousand)
	}
}

func BenchmarkReadMultiline(b *testing.B) {
	path := filepath.Join(b.TempDir(), "a.log")
	const lines = 200_000
	if err := os.WriteFile(path, []byte(strings.Repeat(benchLine, lines)), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, names := range []presets{nil, {"java"}, multiline.Presets} {
		b.Run(names.String(), func(b *testing.B) {
			cfg := Default()
			cfg.Paths, cfg.Multiline.Preset = []config.Path{config.Path(path)}, names
			b.SetBytes(int64(lines * len(benchLine)))
			b.ReportAllocs()
			for b.Loop() {
				if got := readOnce(b, cfg).lines; got != lines {
					b.Fatalf("%d lines", got)
				}
			}
		})
	}
}
