package timestamp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spillway/spillway/record"
)

// parserFor returns what parses the layout. Times without a zone are in zone.
func parserFor(layout string, zone *time.Location) func([]byte, record.Record) (int64, error) {
	if unit, ok := units[layout]; ok {
		return func(text []byte, _ record.Record) (int64, error) { return parseUnix(text, unit) }
	}
	switch layout {
	case rfc3339:
		return withFastPath(fastRFC3339, time.RFC3339, zone)
	case commonLog:
		return withFastPath(fastCommonLog, commonLog, zone)
	}
	withYear := hasYear(layout)
	return func(text []byte, r record.Record) (int64, error) {
		return parseLayout(text, layout, zone, withYear, r)
	}
}

func withFastPath(fast func([]byte) (int64, bool), layout string, zone *time.Location) func([]byte, record.Record) (int64, error) {
	return func(text []byte, r record.Record) (int64, error) {
		if ns, ok := fast(text); ok {
			return ns, nil
		}
		return parseLayout(text, layout, zone, true, r)
	}
}

var errRange = errors.New("the time is not between the years 1678 and 2262")

func parseLayout(text []byte, layout string, zone *time.Location, withYear bool, r record.Record) (int64, error) {
	t, err := time.ParseInLocation(layout, string(text), zone)
	if err != nil {
		return 0, fmt.Errorf("%s is not a time like %s", shown(text), layout)
	}
	if name, offset := t.Zone(); offset == 0 && !knownZone(name) && t.Location() != zone {
		return 0, fmt.Errorf("what %s means as a time zone is not known", name)
	}
	if !withYear {
		t = inferYear(t, time.Unix(0, r.Time()))
	}
	if t.Year() < 1678 || t.Year() >= 2262 {
		return 0, errRange
	}
	return t.UnixNano(), nil
}

// knownZone tells apart zones that are UTC from abbreviations that package time
// doesn't know, which it takes for UTC.
func knownZone(name string) bool {
	return name == "" || name == "UTC" || name == "GMT" || name == "WET"
}

func hasYear(layout string) bool {
	at := time.Date(2024, 3, 7, 9, 26, 53, 0, time.UTC)
	return at.Format(layout) != at.AddDate(4, 0, 0).Format(layout)
}

// inferYear gives t, which has no year, the latest year in which it exists and is at
// most a day after read, when the record was read: clocks differ, but a log of
// last December is not from next December.
func inferYear(t, read time.Time) time.Time {
	limit := read.Add(24 * time.Hour)
	for year := limit.In(t.Location()).Year(); ; year-- {
		dated := time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
		if !dated.After(limit) && dated.Day() == t.Day() {
			return dated
		}
	}
}

// parseUnix parses a number of units since 1970, with a fraction or not, without
// going through a float.
func parseUnix(text []byte, unit int64) (int64, error) {
	digits, fraction, _ := strings.Cut(string(text), ".")
	whole, err := strconv.ParseInt(digits, 10, 64)
	if limit := (1<<63-1)/unit - 1; err != nil || whole > limit || whole < -limit {
		return 0, notUnix(text)
	}
	ns, part := whole*unit, int64(0)
	for i := range len(fraction) {
		c := fraction[i]
		if c < '0' || c > '9' {
			return 0, notUnix(text)
		}
		unit /= 10
		part += int64(c-'0') * unit
	}
	if strings.HasPrefix(digits, "-") {
		part = -part
	}
	return ns + part, nil
}

func notUnix(text []byte) error {
	return fmt.Errorf("%s is not a number of units since 1970 between the years 1678 and 2262", shown(text))
}

const longestShown = 64

// shown is text in quotes, cut if it is long.
func shown(text []byte) string {
	if len(text) > longestShown {
		return strconv.Quote(string(text[:longestShown])) + "..."
	}
	return strconv.Quote(string(text))
}
