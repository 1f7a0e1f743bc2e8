package demo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/spillway/spillway/pipeline"
)

// view draws the pipelines' figures: over itself on a terminal, else line after
// line.
type view struct {
	out    io.Writer
	daemon *pipeline.Daemon
	// width is how many columns the terminal has, or 0 if it is none. A line that
	// wraps cannot be drawn over.
	width func() int
	drawn int
	last  map[string]sample
}

type sample struct {
	at                        time.Time
	read, appended, delivered int64
}

func newView(out *os.File, d *pipeline.Daemon) *view {
	width := func() int {
		columns, _, err := term.GetSize(int(out.Fd()))
		if err != nil {
			return 0
		}
		return columns
	}
	return &view{out: out, daemon: d, width: width, last: map[string]sample{}}
}

func (v *view) draw(now time.Time) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-10s %8s %12s %12s %10s\n", "pipeline", "read/s", "appended/s", "delivered/s", "backlog")
	for _, p := range v.daemon.Pipelines() {
		v.lines(&b, p.Name(), p.Status(), now)
	}
	v.print(b.String())
}

// print writes a drawing, over the one before where that can be.
func (v *view) print(text string) {
	width := v.width()
	if width > 0 && v.drawn > 0 {
		// The echo of a Ctrl-C has moved the cursor from the line's beginning.
		fmt.Fprintf(v.out, "\r\x1b[%dA\x1b[J", v.drawn)
	}
	v.drawn = strings.Count(text, "\n")
	for line := range strings.Lines(text) {
		if width > 0 && len(line) > width {
			line = line[:width-1] + "\n"
		}
		fmt.Fprint(v.out, line)
	}
}

// lines writes what a pipeline does, and whether its account balances.
func (v *view) lines(b *strings.Builder, name string, s pipeline.Status, now time.Time) {
	next := sample{at: now, read: s.Account.Read, appended: s.Account.Appended}
	var backlog int64
	law := s.Account.Balance()
	for _, o := range s.Outputs {
		if o.ID == pipeline.DeadLettersID {
			continue
		}
		next.delivered += o.Acked
		backlog += o.PendingRecords
		law = errors.Join(law, o.Balance())
	}
	last, known := v.last[name]
	if !known {
		last = next // what a demo before this one has done is no speed
	}
	if s.MaxBytes > 0 { // else the spool is not open yet, and the account empty
		v.last[name] = next
	}
	per := func(n, before int64) float64 { return float64(n-before) / max(now.Sub(last.at).Seconds(), 0.001) }
	fmt.Fprintf(b, "%-10s %8.0f %12.0f %12.0f %10d\n", name,
		per(next.read, last.read), per(next.appended, last.appended), per(next.delivered, last.delivered), backlog)
	b.WriteString("  " + verdict(&s, law) + "\n")
}

// verdict is one line on how a pipeline is.
func verdict(s *pipeline.Status, law error) string {
	a := &s.Account
	switch {
	case s.Err != nil:
		return fmt.Sprintf("failed: %v", s.Err)
	case s.Trouble.Reason != "":
		return "waits: " + s.Trouble.Reason
	case law != nil:
		return "NOT conserved: " + strings.ReplaceAll(law.Error(), "\n", "; ")
	}
	return fmt.Sprintf("conservation holds: %d read = %d appended + %d filtered", a.Read, a.Appended, a.Filtered)
}
