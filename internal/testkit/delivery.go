package testkit

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Delivery is what an output got, held against what was written.
type Delivery struct {
	// Lines counts all, the others those that are wrong.
	Lines                                 int
	Lost, Doubled, OutOfOrder, Unexpected int
	// First describes the first that is wrong.
	First string
}

// Exact says that every line arrived once, in the order of its source.
func (d *Delivery) Exact() bool { return d.Lost+d.Doubled+d.OutOfOrder+d.Unexpected == 0 }

func (d *Delivery) String() string {
	s := fmt.Sprintf("%d lines: %d lost, %d doubled, %d out of order, %d unexpected", d.Lines, d.Lost, d.Doubled, d.OutOfOrder, d.Unexpected)
	if d.First != "" {
		s += "; first: " + d.First
	}
	return s
}

func (d *Delivery) note(n *int, format string, args ...any) {
	*n++
	if d.First == "" {
		d.First = fmt.Sprintf(format, args...)
	}
}

// CheckDelivery reads files, in this order, as one stream of the lines of
// [AppendLine], of which written says how many each source has.
func CheckDelivery(t testing.TB, files []string, written map[string]int) *Delivery {
	t.Helper()
	c := NewChecker(written)
	for _, name := range files {
		if err := c.read(name); err != nil {
			t.Fatal(err)
		}
	}
	return c.Delivery()
}

// Checker holds lines against what was written.
type Checker struct {
	d Delivery
	// next is the number behind the highest seen in this stream, by source.
	next map[string]int
	seen map[string][]bool
}

// NewChecker returns a checker for the lines of [AppendLine], of which written says
// how many each source has.
func NewChecker(written map[string]int) *Checker {
	c := &Checker{next: map[string]int{}, seen: map[string][]bool{}}
	for name, n := range written {
		c.seen[name] = make([]bool, n)
	}
	return c
}

// Stream begins another stream: order is held within one.
func (c *Checker) Stream() { clear(c.next) }

// Delivery is the result, once every line has been shown.
func (c *Checker) Delivery() *Delivery {
	d := c.d
	for _, who := range slices.Sorted(maps.Keys(c.seen)) {
		for n, ok := range c.seen[who] {
			if !ok {
				d.note(&d.Lost, "%s %d is missing", who, n)
			}
		}
	}
	return &d
}

func (c *Checker) read(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		c.Line(scan.Text())
	}
	return scan.Err()
}

// Line shows a line of the stream, without its end.
func (c *Checker) Line(text string) {
	c.d.Lines++
	who, n, ok := ParseLine(text)
	if !ok || n >= len(c.seen[who]) {
		c.d.note(&c.d.Unexpected, "line %d: %q", c.d.Lines, text)
		return
	}
	if c.seen[who][n] {
		c.d.note(&c.d.Doubled, "%s %d comes again in line %d", who, n, c.d.Lines)
		return
	}
	if n < c.next[who] {
		c.d.note(&c.d.OutOfOrder, "%s %d comes behind %d", who, n, c.next[who]-1)
	}
	c.seen[who][n] = true
	c.next[who] = max(c.next[who], n+1)
}

// ParseLine reads a line of [AppendLine] without its end.
func ParseLine(text string) (source string, n int, ok bool) {
	source, rest, _ := strings.Cut(text, " ")
	number, pad, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(number)
	return source, n, err == nil && n >= 0 && pad == padding(n)
}
