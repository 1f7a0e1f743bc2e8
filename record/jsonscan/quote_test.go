package jsonscan

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "plain", "é日本", "\xff\xfe", "a\"b\\c\n\r\t\b\f\x00\x1f\x7f", "12345678\xe9", "1234567\x01\xc3\xa9 \u2028"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		quoted := Quote([]byte("x"), text)[1:]
		var got string
		if err := json.Unmarshal(quoted, &got); err != nil {
			t.Fatalf("%q: %v", quoted, err)
		}
		var want strings.Builder
		for _, r := range string(text) { // yields U+FFFD for each byte that is not UTF-8
			want.WriteRune(r)
		}
		if got != want.String() {
			t.Fatalf("%q reads back as %q", text, got)
		}
		inside := quoted[1 : len(quoted)-1]
		if Clean(text) != bytes.Equal(inside, text) {
			t.Fatalf("%q: clean is %v, quoted is %q", text, Clean(text), quoted)
		}
		if again := Unquote(nil, inside); string(again) != got {
			t.Fatalf("%q: unquoted is %q", text, again)
		}
	})
}
