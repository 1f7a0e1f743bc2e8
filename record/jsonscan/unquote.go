package jsonscan

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Unquote appends the text that src, the inside of a valid JSON string, stands for. As encoding/json does, it writes
// U+FFFD for what is not UTF-8 and for half a surrogate pair. The result is never longer than three times src.
func Unquote(dst, src []byte) []byte {
	for {
		i := bytes.IndexByte(src, '\\')
		if i < 0 || i+1 >= len(src) {
			return appendValid(dst, src)
		}
		dst = appendValid(dst, src[:i])
		c := src[i+1]
		src = src[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			var r rune
			r, src = codePoint(src)
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
}

// codePoint reads the code point whose first \u stood before src, and returns what follows it.
func codePoint(src []byte) (rune, []byte) {
	r, src := hex4(src)
	if !utf16.IsSurrogate(r) {
		return r, src
	}
	if len(src) >= 6 && src[0] == '\\' && src[1] == 'u' {
		low, rest := hex4(src[2:])
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, rest
		}
	}
	return utf8.RuneError, src
}

func hex4(src []byte) (rune, []byte) {
	if len(src) < 4 {
		return utf8.RuneError, nil
	}
	var r rune
	for _, c := range src[:4] {
		r = r<<4 | rune(hexDigit(c))
	}
	return r, src[4:]
}

func hexDigit(c byte) int {
	switch {
	case c-'0' <= 9:
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

func appendValid(dst, src []byte) []byte {
	if utf8.Valid(src) {
		return append(dst, src...)
	}
	for len(src) > 0 {
		r, n := utf8.DecodeRune(src)
		dst = utf8.AppendRune(dst, r)
		src = src[n:]
	}
	return dst
}
