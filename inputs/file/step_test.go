package file

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/spillway/spillway/inputs/inputstest"
)

// steps is a reader whose scans and turns come when the test says so.
type steps struct {
	*bench
	*reader
}

func (b *bench) steps() *steps {
	b.Helper()
	b.cfg.Watch = "poll"
	env := inputstest.Env(b.T)
	env.Log = testLog(b)
	m, err := newMetrics(b.reg)
	b.must(err)
	s := &steps{b, newReader(b.cfg, env, m, b.out)}
	b.T.Cleanup(s.end)
	return s
}

// turns gives turns until there is nothing left to read, and emits.
func (s *steps) turns() {
	for s.ready.len() > 0 {
		s.reader.turn(s.ready.pop())
		s.emit()
	}
	if len(s.inBatch) > 0 {
		s.handOff()
	}
	s.emit()
}

func (s *steps) emit() {
	if s.full != nil {
		s.must(s.reader.out.Emit(context.Background(), s.full))
		s.full = nil
	}
}

// end is a kill: what was not emitted is forgotten.
func (s *steps) end() {
	if s.reader != nil {
		s.reader.close()
		s.reader = nil
	}
}

// kept checks which lines have arrived and that none is counted as lost.
func (s *steps) kept(lines ...string) {
	s.Helper()
	s.bench.want(lines...)
	if n := s.bench.lost(); n != 0 {
		s.Fatalf("%d bytes are counted as lost\n%s", n, s.bench.log)
	}
}

// A file that was empty when it was last looked at has no beginning by which to
// tell its copy.
func TestCopyOfAFileThatWasEmptyIsNoLoss(t *testing.T) {
	for _, c := range []struct {
		name                     string
		restart, closed, outside bool
	}{
		{name: "open"}, {name: "closed", closed: true}, {name: "found again", restart: true},
		{name: "open, copy outside the glob", outside: true},
		{name: "closed, copy outside the glob", closed: true, outside: true},
		{name: "found again, copy outside the glob", restart: true, outside: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			if c.outside {
				b.cfg.Paths[0] = b.cfg.Paths[0][:len(b.cfg.Paths[0])-1] // *.log
			}
			b.write("a.log", "")
			s := b.steps()
			s.look()
			s.turns()
			switch {
			case c.restart:
				s.end()
				s = b.steps()
			case c.closed:
				s.shut(s.opened[0])
			}
			b.write("a.log", "1\n2\n")
			s.look()
			b.copy("a.log", "a.log.1")
			b.truncate("a.log")
			s.look()
			s.turns()
			s.kept("1", "2")
		})
	}
}

// With as few open files as that, the copy's opening closes the original.
func TestFileThatIsClosedForItsCopyIsNoLoss(t *testing.T) {
	b := newBench(t)
	b.cfg.Paths[0] = b.cfg.Paths[0][:len(b.cfg.Paths[0])-1]
	b.cfg.MaxOpenFiles = 1
	b.write("a.log", "1\n")
	s := b.steps()
	s.look()
	s.turns()
	b.write("a.log", "2\n")
	b.copy("a.log", "a.log.1")
	b.must(os.WriteFile(b.path("a.log"), []byte("3"), 0o600))
	s.turning = nil
	s.check(s.found.byPath[b.path("a.log")].file)
	b.write("a.log", "\n")
	b.copy("a.log", "a.log.2")
	b.truncate("a.log")
	s.look()
	s.turns()
	s.kept("1", "2", "3")
}

func (b *bench) lines(from, to int) (text string, lines []string) {
	for i := from; i < to; i++ {
		lines = append(lines, fmt.Sprintf("%060d", i))
		text += lines[i-from] + "\n"
	}
	return text, lines
}

func TestWhatACopyOfAGoneFileHoldsIsNoLoss(t *testing.T) {
	b := newBench(t)
	text, want := b.lines(0, 100)
	b.write("a.log", text)
	b.once()
	rest, more := b.lines(100, 120)
	b.write("a.log", rest)
	s := b.steps() // knows that there is more, and is killed
	s.look()
	s.note(s.found.byPath[b.path("a.log")].file)
	s.handOff()
	s.emit()
	s.end()
	b.rename("a.log", "tmp")
	b.copy("tmp", "a.log.1")
	b.remove("tmp")
	want = append(want, more...)
	for range 3 {
		s = b.steps()
		s.look()
		s.turns()
		s.kept(want...)
		s.end()
	}
}

// A name that was listed leads nowhere when the scan comes to it.
func TestOriginalThatIsRenamedDuringTheFirstScan(t *testing.T) {
	for i := range 4 {
		truncated, read := i%2 == 0, []int{10, 100}[i/2]
		b := newBench(t)
		text, want := b.lines(0, read)
		b.write("a.log", text)
		b.once()
		rest, more := b.lines(read, read+20)
		b.write("a.log", rest)
		s := b.steps() // knows that there is more, and is killed
		s.look()
		s.note(s.found.byPath[b.path("a.log")].file)
		s.handOff()
		s.emit()
		s.end()
		b.copy("a.log", "a.log.1")
		if truncated {
			b.truncate("a.log")
		}
		old := time.Now().Add(-time.Hour)
		b.must(os.Chtimes(b.dir, old, old))
		s = b.steps()
		s.found.refresh()
		b.rename("a.log", "a.log.2")
		b.must(os.Chtimes(b.dir, old, old))
		s.look()
		s.turns()
		s.look()
		s.turns()
		s.kept(append(want, more...)...)
	}
}

// After the crash only the copy is known, and known as one.
func TestCopyThatIsCommittedBeforeItsOriginal(t *testing.T) {
	for _, deleted := range []bool{false, true} {
		b := newBench(t)
		b.write("a.log", "1\n2\n")
		b.copy("a.log", "a.log.1")
		s := b.steps()
		s.look()
		s.reader.turn(s.found.byPath[b.path("a.log.1")].file)
		s.handOff()
		s.emit()
		s.end()
		if deleted {
			b.remove("a.log")
		} else {
			b.truncate("a.log")
		}
		for range 2 {
			s = b.steps()
			s.look()
			s.turns()
			s.kept("1", "2")
			s.end()
		}
	}
}

func TestCopyThatIsNotComparedWhenItsOriginalGoes(t *testing.T) {
	text, want := new(bench).lines(0, 10)
	for _, c := range []struct {
		name, copy string
		later      string // what was added to the copy after it was met
		more       []string
	}{
		{"as long", text, "", nil},
		{"made meanwhile", "", text, nil},
		{"made meanwhile, longer", text[:100], text[100:] + "more\n", []string{"more"}},
		{"shorter", text[:len(text)/2], "", nil},
		{"longer", text + "more\n", "", []string{"more"}},
		{"another file", text[:len(text)-2] + "x\n", "", append(slices.Clone(want[:9]), want[9][:59]+"x")},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.write("a.log", text)
			b.write("a.log.1", c.copy)
			s := b.steps()
			s.look()
			o := s.found.byPath[b.path("a.log")].file
			s.reader.turn(o)
			b.write("a.log.1", c.later)
			b.remove("a.log")
			s.drop(o)
			s.turns()
			s.kept(append(slices.Clone(want), c.more...)...)
		})
	}
}

func TestWhatSeveralCopiesHoldIsReadOnce(t *testing.T) {
	for _, how := range []string{"truncated", "deleted"} {
		b := newBench(t)
		b.write("a.log", "1\n")
		s := b.steps()
		s.look()
		s.turns()
		b.write("a.log", "2\n")
		b.copy("a.log", "a.log.bak")
		s.look()
		o := s.found.byPath[b.path("a.log")].file
		b.write("a.log", "3\n")
		b.copy("a.log", "a.log.1")
		if how == "truncated" {
			s.look()
			b.truncate("a.log")
			s.check(o)
		} else {
			s.look()
			b.remove("a.log")
			s.drop(o)
		}
		s.turns()
		s.look()
		s.turns()
		s.kept("1", "2", "3")
	}
}

func TestFileThatIsTruncatedAndRenamedOutOfTheGlobWhileDown(t *testing.T) {
	b := newBench(t)
	b.cfg.Paths[0] = b.cfg.Paths[0][:len(b.cfg.Paths[0])-1]
	b.write("a.log", "1\n")
	b.once()
	b.write("a.log", "2\n")
	b.copy("a.log", "a.log.1")
	b.truncate("a.log")
	b.write("a.log", "3\n")
	b.rename("a.log", "a.log.2")
	b.write("a.log", "4\n")
	b.once()
	b.want("1", "2", "3", "4")
	b.once()
	b.want("1", "2", "3", "4")
	if n := b.lost(); n != 0 {
		t.Fatalf("%d bytes are counted as lost", n)
	}
}

// The pipeline is full or not: a look at what was added is not its turn.
func TestGrowthWithinATickOfTheClock(t *testing.T) {
	for _, full := range []bool{false, true} {
		b := newBench(t)
		b.write("a.log", "")
		tick := time.Now().Add(-time.Hour)
		b.must(os.Chtimes(b.path("a.log"), tick, tick))
		s := b.steps()
		s.look()
		if full {
			s.handOff() // waits to be emitted
		}
		b.write("a.log", "1\n")
		b.must(os.Chtimes(b.path("a.log"), tick, tick))
		s.look()
		s.emit()
		s.turns()
		s.kept("1")
	}
}

// The original of a copy is looked at when the copy is met: that is not its turn.
func TestOriginalThatHasGrownWithinATickOfTheClock(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "")
	tick := time.Now().Add(-time.Hour)
	b.must(os.Chtimes(b.path("a.log"), tick, tick))
	s := b.steps()
	s.look()
	b.write("a.log", "1\n")
	b.must(os.Chtimes(b.path("a.log"), tick, tick))
	s.check(s.found.byPath[b.path("a.log")].file)
	s.look()
	s.turns()
	s.kept("1")
}

// The size of a file that was looked at just before its truncation is not that
// of what it is now.
func TestFileThatIsCopiedAndTruncatedAfterItsStat(t *testing.T) {
	b := newBench(t)
	text, want := b.lines(0, 100)
	b.write("a.log", text)
	s := b.steps()
	s.look()
	s.turns()
	f := s.found.byPath[b.path("a.log")].file
	var before stat
	b.must(statFD(f.fd, &before))
	b.copy("a.log", "a.log.1")
	b.truncate("a.log")
	text, more := b.lines(100, 120)
	b.write("a.log", text)
	s.truncated(f, &before)
	s.look()
	s.turns()
	s.kept(append(want, more...)...)
}
