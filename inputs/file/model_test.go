package file

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spillway/spillway/inputs/inputstest"
	"github.com/spillway/spillway/internal/config"
)

// world is two logs that are written, rotated and truncated in every way that
// loses nothing, while an input reads them, stops, and crashes.
type world struct {
	*rapid.T
	*bench
	out     *inputstest.Emitter
	run     *inputstest.Running
	writers map[string]*os.File
	partial map[string]string // what was written of a line so far
	next    map[string]int    // per log, the number of the next line
	rotated int
	// outside: rotated files have names that are not read, so that a file which
	// no input has met before its rotation is lost, as it must be.
	outside bool
	// multiline: every third line is a record of three.
	multiline bool
	whole     map[string]int  // per log, the lines in the file of that name
	met       map[string]bool // per log, whether the file of that name has a committed position
}

var logNames = []string{"a.log", "b.log"}

func TestModelOfRotationsAndCrashes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t)
		defer os.RemoveAll(b.dir)
		w := &world{T: rt, bench: b, out: inputstest.NewEmitter(), writers: map[string]*os.File{}, partial: map[string]string{}, next: map[string]int{}, whole: map[string]int{}, met: map[string]bool{}}
		b.cfg.MaxOpenFiles = rapid.SampledFrom([]int{3, 100}).Draw(rt, "max_open_files")
		b.cfg.Watch = rapid.SampledFrom([]string{"auto", "poll"}).Draw(rt, "watch")
		b.cfg.ScanInterval = 5 * time.Millisecond
		if w.multiline = rapid.Bool().Draw(rt, "multiline"); w.multiline {
			b.cfg.Multiline.Indent, b.cfg.Multiline.FlushAfter = true, 20*time.Millisecond
		}
		if w.outside = rapid.Bool().Draw(rt, "rotated files are outside the glob"); w.outside {
			b.cfg.Paths = []config.Path{config.Path(b.path("*.log"))}
		}
		defer w.end()
		rt.Repeat(map[string]func(*rapid.T){
			"write":        func(t *rapid.T) { w.append(pick(t), rapid.IntRange(1, 300).Draw(t, "lines")) },
			"write part":   func(t *rapid.T) { w.part(pick(t)) },
			"rename":       func(t *rapid.T) { w.rotate(pick(t), rapid.Bool().Draw(t, "the writer lags")) },
			"copytruncate": func(t *rapid.T) { w.copytruncate(pick(t)) },
			"delete":       func(t *rapid.T) { w.delete(pick(t)) },
			"start":        func(*rapid.T) { w.begin() },
			"stop":         func(*rapid.T) { w.halt() },
			"crash":        func(t *rapid.T) { w.crash(rapid.IntRange(0, 3).Draw(t, "committed")) },
			"pause": func(t *rapid.T) {
				time.Sleep(time.Duration(rapid.IntRange(0, 15).Draw(t, "ms")) * time.Millisecond)
			},
		})
		w.settle()
	})
}

func pick(t *rapid.T) string { return rapid.SampledFrom(logNames).Draw(t, "log") }

func (w *world) line(name string) string {
	w.next[name]++
	return w.text(name, w.next[name])
}

func (w *world) text(name string, n int) string {
	text := fmt.Sprintf("%s %06d %s", name, n, strings.Repeat("x", n%97))
	if w.multiline && n%3 == 0 {
		text += "\n\tat x\r\n\tat y"
	}
	return text
}

func (w *world) writer(name string) *os.File {
	if w.writers[name] == nil {
		f, err := os.OpenFile(w.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		w.must(err)
		w.writers[name] = f
	}
	return w.writers[name]
}

// append writes whole lines, the first of which may have been begun already.
func (w *world) append(name string, lines int) {
	var text strings.Builder
	rest := w.partial[name]
	delete(w.partial, name)
	for i := range lines {
		if i == 0 && rest != "" {
			text.WriteString(rest + "\n")
			continue
		}
		text.WriteString(w.line(name) + "\n")
	}
	_, err := w.writer(name).WriteString(text.String())
	w.must(err)
	w.T.Logf("%s: %d lines to %d", name, lines, w.next[name])
	w.whole[name] += lines
}

// part writes the beginning of a line.
func (w *world) part(name string) {
	if w.partial[name] != "" {
		return
	}
	line := w.line(name)
	begun := min(len(line)/2, 8) // no whole line of a record: after a pause it would be one
	_, err := w.writer(name).WriteString(line[:begun])
	w.must(err)
	w.partial[name] = line[begun:]
}

func (w *world) complete(name string) {
	if w.partial[name] != "" {
		w.append(name, 1)
	}
}

func (w *world) target(name string) string {
	w.rotated++
	return fmt.Sprintf("%s.%d", name, w.rotated)
}

// meet makes sure that the input knows the log before its rotation, if it must.
func (w *world) meet(name string) {
	if w.outside && !w.met[name] {
		w.append(name, 1)
		w.begin()
		w.arrived()
	}
}

// renew notes that the log is a new file, or an empty one.
func (w *world) renew(name string) {
	w.met[name], w.whole[name] = false, 0
}

func (w *world) rotate(name string, lagging bool) {
	w.complete(name)
	w.meet(name)
	old := w.writer(name)
	to := w.target(name)
	w.rename(name, to)
	w.T.Logf("rename %s to %s", name, to)
	delete(w.writers, name)
	w.renew(name)
	if lagging {
		w.part(name) // the new file comes first
		_, err := old.WriteString(w.line(name) + "\n")
		w.must(err)
	}
	w.must(old.Close())
}

func (w *world) copytruncate(name string) {
	w.complete(name)
	w.meet(name)
	w.writer(name)
	to := w.target(name)
	w.copy(name, to)
	w.truncate(name)
	w.T.Logf("copy %s to %s and truncate", name, to)
	w.renew(name)
}

// delete removes a log once it has been read: what else it held would be lost.
func (w *world) delete(name string) {
	if w.run == nil || len(w.partial) > 0 {
		return
	}
	w.arrived()
	w.writer(name).Close()
	delete(w.writers, name)
	w.remove(name)
	w.renew(name)
}

func (w *world) begin() {
	if w.run == nil {
		w.run = inputstest.Start(w.bench.input(false), w.out)
	}
}

func (w *world) halt() {
	if w.run != nil {
		w.run.Stop(w.bench.T)
		w.run = nil
	}
}

// crash kills the input with some of what it has emitted not committed.
func (w *world) crash(committed int) {
	if w.run == nil {
		return
	}
	w.out.Hold()
	w.append(logNames[0], 50)
	w.append(logNames[1], 5000)
	time.Sleep(10 * time.Millisecond)
	w.out.Commit(committed)
	w.halt()
	w.out.Crash()
}

func (w *world) total() int {
	n := 0
	for _, name := range logNames {
		n += w.next[name]
	}
	return n - len(w.partial)
}

func (w *world) arrived() {
	for deadline := time.Now().Add(30 * time.Second); w.out.Count() < w.total(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.report()
		}
	}
	for _, name := range logNames {
		w.met[name] = w.whole[name] > 0
	}
}

// settle reads everything and checks that each line arrived once, and in order
// within each source.
func (w *world) settle() {
	for _, name := range logNames {
		w.complete(name)
	}
	w.begin()
	w.arrived()
	time.Sleep(15 * time.Millisecond)
	w.halt()
	w.report()
}

func (w *world) report() {
	seen := map[string]int{}
	last := map[string]inputstest.Line{}
	latest := map[string]inputstest.Line{}
	for _, l := range w.out.Lines() {
		latest[l.Text] = l
		seen[l.Text]++
		if before := last[l.Source]; before.Text > l.Text {
			w.T.Fatalf("%q came after %q from %s", l.Text, before.Text, l.Source)
		}
		last[l.Source] = l
	}
	for _, l := range w.out.Lines() {
		if n := seen[l.Text]; n > 1 {
			w.T.Fatalf("%q arrived %d times, first from %s at %d, last from %s at %d\n%s",
				l.Text, n, l.Source, l.Offset, latest[l.Text].Source, latest[l.Text].Offset, w.log)
		}
	}
	if len(seen) != w.total() {
		for _, name := range logNames {
			for i := 1; i <= w.next[name]; i++ {
				text := w.text(name, i)
				if seen[text] == 0 {
					w.T.Fatalf("%d of %d lines arrived; %q is missing\n%s", len(seen), w.total(), text, w.log)
				}
			}
		}
	}
	for _, p := range w.out.Resume() {
		if p.Lost > 0 {
			w.T.Fatalf("%d bytes of %s are counted as lost\n%s", p.Lost, p.Source, w.log)
		}
	}
	w.out.Check(w.bench.T)
}

func (w *world) end() {
	w.halt()
	for _, f := range w.writers {
		f.Close()
	}
}
