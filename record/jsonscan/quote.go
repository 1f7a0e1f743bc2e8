package jsonscan

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Quote appends text as a JSON string, quotes included. What is not UTF-8 becomes U+FFFD, one for each such byte.
func Quote(dst, text []byte) []byte {
	dst = append(dst, '"')
	plain, high := plainPrefix(text)
	if plain == len(text) && (high == 0 || utf8.Valid(text)) {
		dst = append(dst, text...)
		return append(dst, '"')
	}
	for len(text) > 0 {
		plain, high = plainPrefix(text)
		if high == 0 {
			dst = append(dst, text[:plain]...)
		} else {
			dst = appendValid(dst, text[:plain])
		}
		if text = text[plain:]; len(text) > 0 {
			dst = appendEscape(dst, text[0])
			text = text[1:]
		}
	}
	return append(dst, '"')
}

// Clean says whether text is UTF-8 that stands for itself between quotes.
func Clean(text []byte) bool {
	plain, high := plainPrefix(text)
	return plain == len(text) && (high == 0 || utf8.Valid(text))
}

// plainPrefix returns how many bytes of text come before the first that must be escaped. High is not 0 if there may be
// a byte above 0x7f among them.
func plainPrefix(text []byte) (n int, high uint64) {
	for n+8 <= len(text) {
		w := binary.LittleEndian.Uint64(text[n:])
		m := stops(w)
		if m != 0 {
			return n + bits.TrailingZeros64(m)>>3, high | w&highs
		}
		high |= w & highs
		n += 8
	}
	for ; n < len(text); n++ {
		c := text[n]
		if c < ' ' || c == '"' || c == '\\' {
			break
		}
		high |= uint64(c & 0x80)
	}
	return n, high
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
}
