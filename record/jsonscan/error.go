package jsonscan

import "strconv"

// SyntaxError says where and why a text is not the JSON that it should be.
type SyntaxError struct {
	// Offset is the index of the first byte that can't be, or the length of the text if it ends too early.
	Offset  int
	problem problem
	ends    bool // the text ends before it is complete
}

type problem uint8

const (
	noObject problem = iota
	noName
	noColon
	noValue
	noComma
	noDigit
	leadingZero
	openString
	badEscape
	control
	tooDeep
	tooLong
	trailing
)

var problems = [...]string{
	noObject:    "expected an object",
	noName:      "expected a name in quotes",
	noColon:     "expected a colon",
	noValue:     "expected a value",
	noComma:     "expected a comma or the closing bracket",
	noDigit:     "expected a digit",
	leadingZero: "a number can't begin with 0",
	openString:  "string without its closing quote",
	badEscape:   "unknown escape sequence",
	control:     "control character in a string",
	tooDeep:     "nested more than " + strconv.Itoa(MaxDepth) + " deep",
	tooLong:     "longer than 2 GiB",
	trailing:    "something follows the object",
}

// Append appends what Error returns to dst.
func (e *SyntaxError) Append(dst []byte) []byte {
	dst = append(dst, "invalid JSON: "...)
	dst = append(dst, problems[e.problem]...)
	if e.ends {
		return append(dst, ", but the text ends"...)
	}
	dst = append(dst, " at byte "...)
	return strconv.AppendInt(dst, int64(e.Offset), 10)
}

func (e *SyntaxError) Error() string { return string(e.Append(nil)) }

// fail notes the error and returns a negative index.
func (o *Object) fail(offset int, p problem) int {
	o.err = SyntaxError{Offset: offset, problem: p}
	return -1
}
