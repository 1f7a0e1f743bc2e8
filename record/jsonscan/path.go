package jsonscan

import "strconv"

// Path finds the value that path leads to in src, a valid JSON value: "a.b.2" is element 2 of the array in member b of
// member a. Names may contain dots themselves: at each step the longest name that fits is taken, and of equal names the
// last. The NameStart and NameEnd of the result mean nothing. In a text that is not valid it may miss values.
func Path(src []byte, path string) (Member, bool) {
	var o Object
	at := Member{End: uint32(len(src))}
	if len(src) > MaxBytes {
		return at, false
	}
	for {
		i := o.space(src[:at.End], int(at.Start))
		if i >= int(at.End) {
			return at, false
		}
		var used int
		switch src[i] {
		case '{':
			at, used = o.step(src[:at.End], i, path)
		case '[':
			at, used = o.index(src[:at.End], i, path)
		}
		if used == 0 {
			return at, false
		}
		if used >= len(path) {
			return at, true
		}
		path = path[used+1:]
	}
}

// step finds the member of the object at i whose name is the longest beginning of path. Used is the name's length, or 0
// if there is none.
func (o *Object) step(src []byte, i int, path string) (found Member, used int) {
	i = o.space(src, i+1)
	for i < len(src) && src[i] == '"' {
		start := i + 1
		end, seen := o.str(src, start)
		if end < 0 {
			break
		}
		if i = o.space(src, end+1); i >= len(src) || src[i] != ':' {
			break
		}
		var m Member
		if m, i = o.element(src, i+1); i < 0 {
			break
		}
		if n := prefix(src[start:end], seen&escaped != 0, path); n > 0 && n >= used {
			found, used = m, n
		}
		if i >= len(src) || src[i] != ',' {
			break
		}
		i = o.space(src, i+1)
	}
	return found, used
}

// index finds the element of the array at i whose number path begins with.
func (o *Object) index(src []byte, i int, path string) (found Member, used int) {
	for used < len(path) && path[used] != '.' {
		used++
	}
	want, err := strconv.ParseUint(path[:used], 10, 31)
	if err != nil || used > 1 && path[0] == '0' {
		return found, 0
	}
	if i = o.space(src, i+1); i >= len(src) || src[i] == ']' {
		return found, 0
	}
	for n := uint64(0); ; n++ {
		m, next := o.element(src, i)
		if next < 0 {
			return found, 0
		}
		if n == want {
			return m, used
		}
		if next >= len(src) || src[next] != ',' {
			return found, 0
		}
		i = next + 1
	}
}

// element scans the value from i on and returns the index of what follows it, white space skipped.
func (o *Object) element(src []byte, i int) (m Member, next int) {
	i = o.space(src, i)
	k, seen, end := o.value(src, i)
	if end < 0 {
		return m, end
	}
	m = Member{Start: uint32(i), End: uint32(end), Kind: k}
	if k == String {
		m.Start, m.End, m.Escaped = m.Start+1, m.End-1, seen&escaped != 0
	}
	return m, o.space(src, end)
}

// prefix returns the length of name if path is that name, or the name and a dot and more; else 0.
func prefix(name []byte, quoted bool, path string) int {
	if quoted {
		var buf [64]byte
		name = Unquote(buf[:0], name)
	}
	n := len(name)
	if n == 0 || n > len(path) || path[:n] != string(name) || n < len(path) && path[n] != '.' {
		return 0
	}
	return n
}
