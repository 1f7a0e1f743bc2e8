package demo

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/spillway/spillway/pipeline"
)

// view draws the pipelines' figures: over itself on a terminal, else line after
// line.
type view struct {
	out    *os.File
	daemon *pipeline.Daemon
	redraw bool
	drawn  int
	last   map[string]sample
}

type sample struct {
	at                        time.Time
	read, appended, delivered int64
}

func newView(out *os.File, d *pipeline.Daemon) *view {
	return &view{out: out, daemon: d, redraw: term.IsTerminal(int(out.Fd())), last: map[string]sample{}}
}

func (v *view) draw(now time.Time) {
	lines := []string{fmt.Sprintf("%-9s %12s %12s %13s %9s   %s", "pipeline", "read/s", "appended/s", "delivered/s", "backlog", "conservation")}
	for _, p := range v.daemon.Pipelines() {
		lines = append(lines, v.line(p.Name(), p.Status(), now))
	}
	if v.redraw && v.drawn > 0 {
		fmt.Fprintf(v.out, "\x1b[%dA\x1b[J", v.drawn)
	}
	v.drawn = len(lines)
	fmt.Fprintln(v.out, strings.Join(lines, "\n"))
}

func (v *view) line(name string, s pipeline.Status, now time.Time) string {
	next := sample{at: now, read: s.Account.Read, appended: s.Account.Appended}
	var backlog int64
	law := "holds"
	if err := s.Account.Balance(); err != nil {
		law = err.Error()
	}
	for _, o := range s.Outputs {
		if o.ID == pipeline.DeadLettersID {
			continue
		}
		next.delivered += o.Acked
		backlog += o.PendingRecords
		if err := o.Balance(); err != nil {
			law = err.Error()
		}
	}
	last, ok := v.last[name]
	if !ok {
		last = sample{at: now.Add(-time.Second)}
	}
	v.last[name] = next
	per := func(n, before int64) string {
		return fmt.Sprintf("%.0f", float64(n-before)/max(now.Sub(last.at).Seconds(), 0.001))
	}
	return fmt.Sprintf("%-9s %12s %12s %13s %9d   %s: %d read = %d appended + %d filtered",
		name, per(next.read, last.read), per(next.appended, last.appended), per(next.delivered, last.delivered),
		backlog, law, s.Account.Read, s.Account.Appended, s.Account.Filtered)
}
