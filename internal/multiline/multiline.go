// Package multiline says where records of several lines begin and end: stack
// traces, and whatever else rules describe. It is fed with lines and knows
// nothing of where they are from.
//
// What a record is depends on its own lines only, never on what was before it: who
// begins again at the first line of any record finds the same records.
package multiline

import "regexp"

// Verdict says where a line belongs.
type Verdict uint8

const (
	// Begins: the line is the first of a record. Lines before it that Perhaps
	// belonged to the last record did not, and are to be fed again, after a Reset.
	Begins Verdict = iota
	// Continues: the line belongs to the record, and so do the lines before it that
	// Perhaps did.
	Continues
	// Perhaps: the line belongs to the record if a later one Continues it.
	Perhaps
)

// Rules are what a user says of records. Those that are nil say nothing.
type Rules struct {
	Start    *regexp.Regexp // begins a record
	Continue *regexp.Regexp // belongs to the record before
	Indent   bool           // so does a line that begins with a space or a tab
	End      *regexp.Regexp // is the last line of a record
}

// Machine finds records. It belongs to one goroutine.
type Machine struct {
	rules   *Rules
	presets []preset
	within  bool // a record has begun
	started bool // by a line that Start matches
}

// New returns a machine for rules. They are shared, and not written to.
func New(rules *Rules) *Machine { return &Machine{rules: rules} }

// Reset makes the next line the first of a record.
func (m *Machine) Reset() { m.within = false }

// Next takes a line, without its line end. Ends says that it is the last of its
// record. The line is not kept.
func (m *Machine) Next(line []byte) (v Verdict, ends bool) {
	if m.rules == nil {
		v = m.trace(line)
	} else {
		v, ends = m.rule(line)
	}
	m.within = !ends
	return v, ends
}

// rule is Next by the rules of a user.
func (m *Machine) rule(line []byte) (v Verdict, ends bool) {
	r := m.rules
	starts := r.Start != nil && r.Start.Match(line)
	ends = r.End != nil && r.End.Match(line)
	if !m.within || starts || !m.continues(line, ends) {
		m.started = starts
		return Begins, ends || r.single(starts)
	}
	return Continues, ends
}

// single says whether a record is complete with its first line: with a start and
// an end, and nothing else, what is outside of them is lines.
func (r *Rules) single(starts bool) bool {
	return r.Start != nil && r.End != nil && r.Continue == nil && !r.Indent && !starts
}

// continues says whether a line that does not match Start belongs to the record
// before it.
func (m *Machine) continues(line []byte, ends bool) bool {
	r := m.rules
	switch {
	case ends && (r.Start == nil || m.started):
		return true
	case r.Continue == nil && !r.Indent:
		return true // all is told by where records start or end
	case r.Indent && indented(line):
		return true
	}
	return r.Continue != nil && r.Continue.Match(line)
}

func indented(line []byte) bool { return len(line) > 0 && (line[0] == ' ' || line[0] == '\t') }
