package jsonscan

import (
	"strconv"

	"github.com/spillway/spillway/record/field"
)

// Path finds the value that path leads to in src, a valid JSON value: "a.b.2" is element 2 of the array in member b of
// member a. Names may contain dots themselves: at each step the longest name that fits is taken, and of equal names the
// last. The result has no name, and its span counts from the place of which src is at offset base. In a text that is not
// valid it may miss values.
func Path(src []byte, base uint32, path string) (f field.Field, ok bool) {
	if len(src) > MaxBytes {
		return f, false
	}
	var o Object
	for i := 0; ; {
		if i = o.space(src, i); i >= len(src) {
			return f, false
		}
		var value, used int
		switch src[i] {
		case '{':
			value, used = o.step(src, i, path)
		case '[':
			value, used = o.index(src, i, path)
		}
		if used == 0 {
			return f, false
		}
		if used >= len(path) {
			return o.field(src, value, base), true
		}
		i, path = value, path[used+1:]
	}
}

// field describes the value that was found at i.
func (o *Object) field(src []byte, i int, base uint32) (f field.Field) {
	k, seen, end := o.value(src, i)
	f.Kind = k
	if k == field.String {
		f.Value, f.Form = field.Span{Off: base + uint32(i+1), Len: uint32(end - i - 2)}, formOf(seen)
	} else {
		f.Value, f.Form = bare(k, base+uint32(i), uint32(end-i))
	}
	return f
}

// step finds the member of the object at i whose name is the longest beginning of path. Value is the index of
// its value, used the name's length, or 0 if there is none.
func (o *Object) step(src []byte, i int, path string) (value, used int) {
	i = o.space(src, i+1)
	for at(src, i) == '"' {
		name := i + 1
		end, seen := o.str(src, name)
		if end < 0 {
			break
		}
		if i = o.space(src, end+1); at(src, i) != ':' {
			break
		}
		start := o.space(src, i+1)
		if i = o.element(src, start); i < 0 {
			break
		}
		if n := prefix(src[name:end], seen&escaped != 0, path); n > 0 && n >= used {
			value, used = start, n
		}
		if at(src, i) != ',' {
			break
		}
		i = o.space(src, i+1)
	}
	return value, used
}

// index finds the element of the array at i whose number path begins with.
func (o *Object) index(src []byte, i int, path string) (value, used int) {
	for used < len(path) && path[used] != '.' {
		used++
	}
	want, err := strconv.ParseUint(path[:used], 10, 31)
	if err != nil || used > 1 && path[0] == '0' {
		return 0, 0
	}
	if i = o.space(src, i+1); at(src, i) == ']' {
		return 0, 0
	}
	for n := uint64(0); ; n++ {
		i = o.space(src, i)
		next := o.element(src, i)
		if next < 0 {
			return 0, 0
		}
		if n == want {
			return i, used
		}
		if at(src, next) != ',' {
			return 0, 0
		}
		i = next + 1
	}
}

// element scans the value at i and returns the index of what follows it, white space skipped.
func (o *Object) element(src []byte, i int) (next int) {
	_, _, end := o.value(src, i)
	if end < 0 {
		return end
	}
	return o.space(src, end)
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
