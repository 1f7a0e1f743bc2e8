package recordbatch

import (
	"encoding/binary"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/snappy/xerial"
)

// Snappy in Kafka is not bare snappy but the framing of the xerial library for
// Java: a header of 16 bytes, then blocks of at most 32 KiB before compression,
// each behind its compressed length.
const (
	xerialHeaderLen = 16
	xerialBlock     = 32 << 10
)

// appendXerial appends src to dst, compressed. The room is made first, so that
// the encoder works in place.
func appendXerial(dst, src []byte) []byte {
	blocks := len(src)/xerialBlock + 1
	dst = slices.Grow(dst, xerialHeaderLen+blocks*(4+s2.MaxEncodedLen(xerialBlock)))
	return dst[:len(dst)+len(xerial.Encode(dst[len(dst):], src))]
}

// bareLen is what bare snappy decompresses to, by its own word. Clients other than
// the Java one write it, so it is in topics. Three bytes of it make 64 at most: what
// claims more is not believed.
func bareLen(src []byte) (int, error) {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return 0, corrupt("snappy: %v", err)
	}
	if n > 22*len(src) || n > MaxUncompressed {
		return 0, corrupt("snappy: %d bytes of %d", n, len(src))
	}
	return n, nil
}

// xerialLen is what src decompresses to, by its blocks' own word.
func xerialLen(src []byte) (int, error) {
	if len(src) < xerialHeaderLen || string(src[:8]) != "\x82SNAPPY\x00" {
		return bareLen(src)
	}
	total := 0
	for rest := src[xerialHeaderLen:]; len(rest) > 0; {
		if len(rest) < 4 {
			return 0, corrupt("snappy: torn block length")
		}
		n := int(binary.BigEndian.Uint32(rest))
		if rest = rest[4:]; n > len(rest) {
			return 0, corrupt("snappy: block of %d bytes in %d", n, len(rest))
		}
		size, err := s2.DecodedLen(rest[:n])
		if err != nil {
			return 0, corrupt("snappy: %v", err)
		}
		if total += size; total > MaxUncompressed {
			return 0, corrupt("snappy: more than %d bytes", MaxUncompressed)
		}
		rest = rest[n:]
	}
	return total, nil
}
