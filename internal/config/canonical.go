package config

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Canonical returns bytes that are equal for two nodes exactly if they mean the same configuration: the order of keys,
// the layout, comments, and whether something was an alias do not matter; the order of lists and quoting do. References
// are compared by what they were replaced by, so the bytes may hold secrets: compare them, don't print or keep them.
//
// A node is a kind byte followed by, for a map, its count and its keys and values in the order of the keys; for a list,
// its count and items; for a scalar, a byte that tells text from plain, and its text. Counts are uvarints, and keys and
// texts have their length before them, so that no two trees share their bytes.
func (n *Node) Canonical() []byte { return n.appendCanonical(nil) }

func (n *Node) appendCanonical(dst []byte) []byte {
	dst = append(dst, byte(n.kind))
	switch n.kind {
	case Map:
		sorted := slices.SortedFunc(slices.Values(n.entries), func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
		dst = binary.AppendUvarint(dst, uint64(len(sorted)))
		for _, e := range sorted {
			dst = appendText(dst, e.Key)
			dst = e.Value.appendCanonical(dst)
		}
	case List:
		dst = binary.AppendUvarint(dst, uint64(len(n.items)))
		for _, item := range n.items {
			dst = item.appendCanonical(dst)
		}
	case Scalar:
		style := byte('p')
		if n.quoted {
			style = 'q'
		}
		dst = append(dst, style)
		dst = appendText(dst, n.text)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}
