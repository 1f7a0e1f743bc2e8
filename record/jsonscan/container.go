package jsonscan

// nest is the stack of open containers: bit d is set if the one at depth d is an object.
type nest [(MaxDepth + 63) / 64]uint64

func (n *nest) push(depth int, object bool) {
	if object {
		n[depth>>6] |= 1 << (depth & 63)
	} else {
		n[depth>>6] &^= 1 << (depth & 63)
	}
}

func (n *nest) object(depth int) bool { return n[depth>>6]>>(depth&63)&1 != 0 }

// container scans the nested object or array whose opening bracket is at i, and returns the index after its closing
// one. It keeps its own stack, so that no input can make it recurse.
func (o *Object) container(src []byte, i int) (high uint64, next int) {
	var open nest
	depth := 0 // of the innermost open container; 0 is the outermost of these, which lies at depth 1 of the text
	object := src[i] == '{'
	open.push(0, object)
	i = o.space(src, i+1)
	if at(src, i) == closing(object) {
		return high, i + 1
	}
	for {
		// At i, a member or an element begins.
		if object {
			var seen uint64
			if i, seen = o.name(src, i); i < 0 {
				return 0, i
			}
			high |= seen
		}
		if at(src, i)|0x20 == '{' {
			if depth++; depth+1 >= MaxDepth {
				return 0, o.fail(i, tooDeep)
			}
			object = src[i] == '{'
			open.push(depth, object)
			if i = o.space(src, i+1); at(src, i) != closing(object) {
				continue
			}
		} else {
			_, seen, end := o.value(src, i)
			if end < 0 {
				return 0, end
			}
			high |= seen
			i = o.space(src, end)
			if at(src, i) == ',' {
				i = o.space(src, i+1)
				continue
			}
		}
		// A container ends at i, or the text is wrong.
		for {
			if at(src, i) != closing(object) {
				return 0, o.fail(i, noComma)
			}
			i++
			if depth--; depth < 0 {
				return high, i
			}
			object = open.object(depth)
			i = o.space(src, i)
			if at(src, i) == ',' {
				i = o.space(src, i+1)
				break
			}
		}
	}
}

func closing(object bool) byte {
	if object {
		return '}'
	}
	return ']'
}

// name scans a member's name and colon from i on and returns the index of its value.
func (o *Object) name(src []byte, i int) (next int, seen uint64) {
	if at(src, i) != '"' {
		return o.fail(i, noName), 0
	}
	end, seen := o.str(src, i+1)
	if end < 0 {
		return end, 0
	}
	if i = o.space(src, end+1); at(src, i) != ':' {
		return o.fail(i, noColon), 0
	}
	return o.space(src, i+1), seen
}
