package timestamp

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // hosts and containers without a zone database are common

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/processors"
)

func init() {
	processors.Register("timestamp", "Sets a record's timestamp from one of its fields.", Default, New)
}

// Config says where the time is and how it is written.
type Config struct {
	processors.ParserConfig
	Layout   string `yaml:"layout" doc:"How the time is written: rfc3339, unix, unix_ms, unix_us, unix_ns, or a layout of Go's time package." required:"true" example:"02/Jan/2006:15:04:05 -0700"`
	Timezone string `yaml:"timezone" doc:"The zone of times that don't name one: UTC, Local, or a name such as Europe/Berlin."`
}

// Default reads RFC 3339 from the field time.
func Default() *Config {
	c := &Config{ParserConfig: processors.DefaultParserConfig(), Layout: rfc3339, Timezone: "UTC"}
	c.Field = "time"
	return c
}

// Check refuses zones that don't exist and layouts that can't tell a time.
func (c *Config) Check() error {
	if _, err := time.LoadLocation(c.Timezone); err != nil {
		return config.At("timezone", fmt.Errorf("%q is no time zone: %w", c.Timezone, err))
	}
	if _, named := units[c.Layout]; named || c.Layout == rfc3339 {
		return nil
	}
	return config.At("layout", checkLayout(c.Layout))
}

// checkLayout refuses a layout without a month, a day or an hour, which is what
// a layout of another language comes out as.
func checkLayout(layout string) error {
	if strings.Contains(layout, "%") {
		return errors.New("layouts are Go's: 2006-01-02 15:04:05, not %Y-%m-%d %H:%M:%S")
	}
	at := time.Date(2024, 3, 7, 9, 26, 53, 0, time.UTC)
	for what, other := range map[string]time.Time{
		"month": at.AddDate(0, 1, 0), "day": at.AddDate(0, 0, 1), "hour": at.Add(time.Hour),
	} {
		if at.Format(layout) == other.Format(layout) {
			return fmt.Errorf("%q has no %s; a layout writes the time 2006-01-02 15:04:05", layout, what)
		}
	}
	return nil
}
