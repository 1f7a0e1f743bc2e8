package jsonscan

import "encoding/binary"

// guess is the name that a member of the last object had, with its closing quote and colon. The objects of a log repeat
// their names in their places; to compare one takes less than to scan it, and the scan of what follows need not wait for
// where it ends.
type guess struct {
	text, mask [2]uint64 // the bytes, and which of them count
	size       int       // of the name
}

const (
	guessBytes = 16
	maxGuesses = 64
)

// never is a guess that no text is like: it has a bit that its mask leaves out.
var never = guess{text: [2]uint64{1, 0}}

// like says whether src, of at least guessBytes bytes, begins as guessed.
func (g *guess) like(src []byte) bool {
	v, w := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[8:])
	return (v&g.mask[0]^g.text[0])|(w&g.mask[1]^g.text[1]) == 0
}

// learn makes the name of the k-th member, between start and end, the guess for the next object. Names are guessed
// if they are short, and neither escaped nor beside bytes above 0x7f.
func (o *Object) learn(k int, src []byte, start, end int, seen uint64) {
	if k >= maxGuesses {
		return
	}
	if k == len(o.guesses) {
		o.guesses = append(o.guesses, never)
	}
	g, n := &o.guesses[k], end-start+2
	if *g = never; seen != 0 || n > guessBytes || start+guessBytes > len(src) || src[end+1] != ':' {
		return
	}
	g.size = end - start
	g.mask = [2]uint64{1<<(8*min(n, 8)) - 1, 1<<(8*max(n-8, 0)) - 1}
	g.text = [2]uint64{binary.LittleEndian.Uint64(src[start:]) & g.mask[0], binary.LittleEndian.Uint64(src[start+8:]) & g.mask[1]}
}
