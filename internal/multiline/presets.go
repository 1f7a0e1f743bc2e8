package multiline

import (
	"bytes"
	"fmt"
	"strings"
)

// Presets are the names that [Preset] takes.
var Presets = []string{"java", "python", "go", "dotnet"}

// Preset returns a machine for the traces of these languages: a line belongs to a
// trace if it does in any of them, and all others are records of their own.
func Preset(names ...string) (*Machine, error) {
	m := &Machine{}
	for _, name := range names {
		p, ok := map[string]preset{
			"java":   {step: java},
			"python": {step: python},
			"go":     {step: golang},
			"dotnet": {step: dotnet},
		}[name]
		if !ok {
			return nil, fmt.Errorf("%q is no preset: there are %s", name, strings.Join(Presets, ", "))
		}
		m.presets = append(m.presets, p)
	}
	return m, nil
}

// preset is where one language is within a trace.
type preset struct {
	step func(at state, line []byte) (next state, v Verdict)
	at   state
}

// state is a place within a trace; of what it means each preset knows its own.
// Outside of any it is 0: then, too, a line may be found to continue the one
// before, which was the first of a trace and looked like any other.
type state uint8

// trace is Next by presets.
func (m *Machine) trace(line []byte) Verdict {
	v := Begins
	for i := range m.presets {
		p := &m.presets[i]
		if !m.within {
			p.at = 0
		}
		var of Verdict
		p.at, of = p.step(p.at, line)
		if of == Continues || v == Begins {
			v = of
		}
	}
	if !m.within {
		v = Begins
	}
	return v
}

// has says whether line begins with one of a few texts.
func has(line []byte, prefixes ...string) bool {
	for _, p := range prefixes {
		if len(line) >= len(p) && string(line[:len(p)]) == p {
			return true
		}
	}
	return false
}

// java: the line before a frame is the first of a trace, whatever it is: an
// exception, or the message that a logger has put before it.
func java(_ state, line []byte) (state, Verdict) {
	if len(line) == 0 || !indented(line) && line[0] != 'C' {
		return 0, Begins
	}
	text := bytes.TrimLeft(line, " \t")
	if len(text) == len(line) {
		if has(text, "Caused by: ") {
			return 0, Continues
		}
		return 0, Begins
	}
	if has(text, "at ", "... ", "Caused by: ", "Suppressed: ", "[CIRCULAR REFERENCE", "- locked <", "- waiting ", "- parking ") {
		return 0, Continues
	}
	return 0, Begins
}

// dotnet: as java.
func dotnet(_ state, line []byte) (state, Verdict) {
	if !indented(line) {
		if has(line, "--- End of ") {
			return 0, Continues
		}
		return 0, Begins
	}
	if has(bytes.TrimLeft(line, " \t"), "at ", "---> ", "--- End of ") {
		return 0, Continues
	}
	return 0, Begins
}

// The places within a Python trace.
const (
	pyHead   state = 1 + iota // what says in which thread it was
	pyFrames                  // what is indented, up to the exception
	pyGroup                   // a group of exceptions, all of it indented
	pyRaised                  // after the exception
	pyBlank                   // an empty line after that
	pyLink                    // what says how the next trace came about
)

const pyTraceback = "Traceback (most recent call last):"

func python(at state, line []byte) (state, Verdict) {
	switch at {
	case pyHead:
		if has(line, pyTraceback) {
			return pyFrames, Continues
		}
	case pyFrames:
		if indented(line) {
			return pyFrames, Continues
		}
		if len(line) > 0 && !has(line, pyTraceback) {
			return pyRaised, Continues
		}
	case pyGroup:
		if indented(line) {
			return pyGroup, Continues
		}
		if len(line) == 0 {
			return pyBlank, Perhaps
		}
	case pyRaised:
		if len(line) == 0 {
			return pyBlank, Perhaps
		}
	case pyBlank:
		if pyLinks(line) {
			return pyLink, Continues
		}
	case pyLink:
		if len(line) == 0 {
			return pyLink, Continues
		}
		if begun := pyBegins(line); begun != 0 {
			return begun, Continues
		}
	}
	return pyBegins(line), Begins
}

// pyBegins returns where the first line of a trace leads; 0 if it is none.
func pyBegins(line []byte) state {
	switch {
	case len(line) == 0 || line[0] != 'T' && line[0] != ' ' && line[0] != 'E':
	case has(line, pyTraceback, `  File "`): // a mistake in the syntax has no other beginning
		return pyFrames
	case has(line, "  + Exception Group Traceback"):
		return pyGroup
	case has(line, "Exception in thread ", "Exception ignored in: "):
		return pyHead
	}
	return 0
}

func pyLinks(line []byte) bool {
	return has(bytes.TrimLeft(line, " |"), "During handling of the above exception, another", "The above exception was the direct cause of the")
}

// The places within a Go trace.
const (
	goPanic  state = 1 + iota // the message
	goBlank                   // an empty line after it, or between goroutines
	goFrames                  // within a goroutine, after a whole frame
	goCall                    // after a function, the file of which must follow
)

func golang(at state, line []byte) (state, Verdict) {
	switch {
	case len(line) == 0:
		if at == goPanic || at == goFrames {
			return goBlank, Perhaps
		}
		return 0, Begins
	case line[0] == 'g' && goroutine(line):
		return goFrames, Continues // also after what a server says before it
	case at == 0:
		return goBegins(line), Begins
	}
	switch {
	case at != goBlank && line[0] == '\t':
		if at == goCall {
			at = goFrames
		}
		return at, Continues
	case at == goPanic && has(line, "runtime: ", "fatal error: ", "[signal ", "PC="), at == goFrames && has(line, "..."):
		return at, Continues
	case at == goBlank && (has(line, "runtime stack:") || register(line)), at == goFrames && register(line):
		return goFrames, Continues
	case at == goFrames && (line[len(line)-1] == ')' || has(line, "created by ")):
		return goCall, Perhaps
	}
	return goBegins(line), Begins
}

func goBegins(line []byte) state {
	if (line[0] == 'p' || line[0] == 'f' || line[0] == 'r' || line[0] == 'S') && has(line, "panic: ", "runtime: goroutine stack exceeds ", "fatal error: ", "SIGQUIT: quit", "SIGABRT: abort") {
		return goPanic
	}
	return 0
}

// goroutine says whether line is like "goroutine 1 [running]:".
func goroutine(line []byte) bool {
	const word = "goroutine "
	return len(line) > len(word)+1 && has(line, word) && digit(line[len(word)]) && line[len(line)-1] == ':' && bytes.IndexByte(line, '[') > 0
}

// register says whether line is like "rax    0x0".
func register(line []byte) bool {
	name, value, ok := bytes.Cut(line, []byte("  "))
	return ok && len(name) > 1 && len(name) <= 6 && has(bytes.TrimLeft(value, " "), "0x")
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
