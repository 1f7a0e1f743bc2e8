package combined

import "bytes"

// span is a part of a line; it is not there if to is 0.
type span struct{ from, to int }

func (s span) of(line []byte) []byte { return line[s.from:s.to] }

// entry is a line taken apart.
type entry struct {
	client, ident, user, time, request, status, bytes, referer, agent, rest span
}

// scan takes a line apart in one pass:
//
//	client ident user [time] "request" status bytes
//	client ident user [time] "request" status bytes "referer" "agent" rest
//
// A user may contain spaces, but no bracket. A backslash in quotes escapes the
// byte after it. Status is three digits; bytes is digits or a dash.
func scan(line []byte) (e entry, ok bool) {
	s := scanner{line: line, ok: true}
	e.client = s.word()
	e.ident = s.word()
	e.user = s.until('[')
	if e.user.to == 0 || e.user.to-e.user.from < 2 || line[e.user.to-1] != ' ' {
		return e, false
	}
	e.user.to--
	e.time = s.until(']')
	s.byte(' ')
	e.request = s.quoted()
	s.byte(' ')
	e.status = s.digits()
	s.byte(' ')
	if s.at < len(line) && line[s.at] == '-' {
		e.bytes = span{s.at, s.at + 1}
		s.at++
	} else {
		e.bytes = s.digits()
	}
	if !s.ok || e.status.to-e.status.from != 3 || e.time.from == e.time.to {
		return e, false
	}
	if s.at == len(line) {
		return e, true
	}
	s.byte(' ')
	e.referer = s.quoted()
	s.byte(' ')
	e.agent = s.quoted()
	if s.ok && s.at < len(line) {
		s.byte(' ')
		e.rest = span{s.at, len(line)}
	}
	return e, s.ok
}

type scanner struct {
	line []byte
	at   int
	ok   bool
}

// until is what comes before the next c, which is skipped.
func (s *scanner) until(c byte) span {
	n := bytes.IndexByte(s.line[s.at:], c)
	if n < 0 {
		s.ok = false
		return span{}
	}
	found := span{s.at, s.at + n}
	s.at += n + 1
	return found
}

// word is at least one byte before the next space, which is skipped. Tabs
// and the like belong to no word.
func (s *scanner) word() span {
	for i := s.at; i < len(s.line); i++ {
		switch s.line[i] {
		case ' ':
			found := span{s.at, i}
			s.ok = s.ok && i > s.at
			s.at = i + 1
			return found
		case '\t', '\n', '\f', '\r':
			s.ok = false
			return span{}
		}
	}
	s.ok = false
	return span{}
}

func (s *scanner) byte(c byte) {
	if s.at >= len(s.line) || s.line[s.at] != c {
		s.ok = false
		return
	}
	s.at++
}

func (s *scanner) digits() span {
	from := s.at
	for s.at < len(s.line) && s.line[s.at]-'0' <= 9 {
		s.at++
	}
	s.ok = s.ok && s.at > from
	return span{from, s.at}
}

// quoted is what stands between quotes.
func (s *scanner) quoted() span {
	s.byte('"')
	from := s.at
	for {
		n := bytes.IndexByte(s.line[s.at:], '"')
		if n < 0 || !s.ok {
			s.ok = false
			return span{}
		}
		s.at += n + 1
		if !escaped(s.line[from : s.at-1]) {
			return span{from, s.at - 1}
		}
	}
}

// escaped says whether what follows text is escaped: it ends in an odd number of
// backslashes.
func escaped(text []byte) bool {
	n := 0
	for n < len(text) && text[len(text)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}
