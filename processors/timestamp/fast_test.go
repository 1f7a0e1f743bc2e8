package timestamp

import (
	"strings"
	"testing"
	"time"

	"github.com/spillway/spillway/record"
)

var texts = []string{
	"20/Nov/2026:12:00:00 +0000", "29/Feb/2024:23:59:59 -0730", "29/Feb/2023:00:00:00 +0000", "29/Feb/1900:00:00:00 +0000",
	"31/Apr/2026:00:00:00 +0000", "01/jan/2026:00:00:00 +0000", "01/Jan/2026:24:00:00 +0000", "01/Jan/2026:00:60:00 +0000",
	"01/Jan/2026:00:00:60 +0000", "01/Jan/2026:00:00:00 +2400", "01/Jan/2026:00:00:00 ?0000", "00/Jan/2026:00:00:00 +0000",
	"31/Dec/2200:23:59:59 +0000", "01/Jan/1700:00:00:00 +0000", "01/Mar/2000:00:00:00 +0060", "/1/Jan/2026:00:00:00 +0000",
	"2026-11-20T12:00:00Z", "2026-11-20T12:00:00.1Z", "2026-11-20T12:00:00.123456789+23:59", "2026-11-20T12:00:00.1234567891Z",
	"2026-11-20T12:00:00.Z", "2026-11-20T12:00:00,5Z", "2026-02-29T12:00:00Z", "2000-02-29T12:00:00-00:01", "2026-13-01T00:00:00Z",
	"2026-11-20T12:00:00+24:00", "2026-11-20T12:00:00+0100", "2026-11-20T12:00:00", "2026-11-20T12-00:00Z", "", "Z",
}

// TestFastIsAsPackageTime and the fuzz test hold the fast parsers to package
// time: what they accept, it accepts, and reads as the same time.
func TestFastIsAsPackageTime(t *testing.T) {
	for _, text := range texts {
		agree(t, text)
		for i := range len(text) {
			for _, c := range "0 +x9" {
				agree(t, text[:i]+string(c)+text[i+1:])
			}
		}
	}
	for day := time.Date(1700, 1, 1, 0, 0, 0, 1, time.UTC); day.Year() <= 2200; day = day.AddDate(0, 0, 1) {
		if ns, ok := fastRFC3339([]byte(day.Format(time.RFC3339Nano))); !ok || ns != day.UnixNano() {
			t.Fatalf("%v is %v (%v)", day, time.Unix(0, ns).UTC(), ok)
		}
	}
}

func TestFastTakesTheUsual(t *testing.T) {
	if _, ok := fastCommonLog([]byte(texts[0])); !ok {
		t.Error("a common time is left to package time")
	}
	if _, ok := fastRFC3339([]byte("2026-11-20T12:00:00.123+01:00")); !ok {
		t.Error("a common time is left to package time")
	}
}

func FuzzFast(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(agree)
}

func agree(t *testing.T, text string) {
	for layout, fast := range map[string]func([]byte) (int64, bool){commonLog: fastCommonLog, time.RFC3339Nano: fastRFC3339} {
		ns, ok := fast([]byte(text))
		if !ok {
			continue
		}
		want, err := time.Parse(layout, text)
		if err != nil || want.UnixNano() != ns {
			t.Fatalf("%q is %v, for package time %v, %v", text, time.Unix(0, ns).UTC(), want.UTC(), err)
		}
	}
}

func TestYearsAreTheLatestPossible(t *testing.T) {
	read := time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC)
	for text, want := range map[string]int{
		"Jan  1 00:29:59": 2026, "Dec 31 23:59:59": 2025, "Jan  2 00:30:00": 2026, "Jan  2 00:30:01": 2025, "Feb 29 00:00:00": 2024,
	} {
		at, err := time.Parse("Jan _2 15:04:05", text)
		if err != nil {
			t.Fatal(err)
		}
		if got := inferYear(at, read); got.Year() != want {
			t.Errorf("%s is of %d, want %d", text, got.Year(), want)
		}
	}
}

func TestLayoutsOfOtherLanguagesAreRefused(t *testing.T) {
	for layout, want := range map[string]string{
		"%Y-%m-%d %H:%M:%S": "not %Y", "yyyy-MM-dd HH:mm:ss": "has no", "2006-01-02": "has no hour", "15:04:05": "has no", "": "has no",
		"02 15:04": "has no month", "rfc3339 ": "has no",
	} {
		c := Default()
		c.Layout = layout
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", layout, err)
		}
	}
	for _, layout := range []string{rfc3339, "unix_ns", time.RFC1123Z, time.Stamp, "2006-002 15:04", "Jan 2 3:04PM"} {
		c := Default()
		c.Layout = layout
		if err := c.Check(); err != nil {
			t.Errorf("%q: %v", layout, err)
		}
	}
	c := Default()
	c.Timezone = "Mars/Olympus"
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "Mars/Olympus") {
		t.Errorf("timezone: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range append(texts, "1795176000.5", "-9223372036854775808", "Nov 20 12:00:00") {
		f.Add([]byte(text))
	}
	b := record.NewBatch()
	r := b.AddRecord(b.Source("s"), 0, time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC).UnixNano())
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, layout := range []string{rfc3339, "unix", "unix_ms", "unix_us", "unix_ns", commonLog, time.Stamp, time.RFC850} {
			if ns, err := parserFor(layout, time.UTC)(text, r); err != nil && (ns != 0 || len(err.Error()) > 600) {
				t.Fatalf("%s: %d, %v", layout, ns, err)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for layout, text := range map[string]string{
		commonLog: texts[0], rfc3339: "2026-11-20T12:00:00.123456Z", "2006-01-02 15:04:05": "2026-11-20 12:00:00", "unix_ms": "1795176000123",
	} {
		parse := parserFor(layout, time.UTC)
		batch := record.NewBatch()
		r := batch.AddRecord(batch.Source("s"), 0, 0)
		b.Run(layout, func(b *testing.B) {
			bytes := []byte(text)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse(bytes, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
