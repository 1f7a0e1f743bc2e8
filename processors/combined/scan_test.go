package combined

import (
	"regexp"
	"testing"
)

// pattern is the grammar of scan as a regular expression, a hundred times slower.
var pattern = regexp.MustCompile(`(?s)^([^ \t\n\f\r]+) ([^ \t\n\f\r]+) ([^\[]+) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" ([0-9]{3}) ([0-9]+|-)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"(?: (.*))?)?$`)

var lines = []string{
	`127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326`,
	`192.0.2.17 - - [20/Nov/2026:12:00:00 +0000] "POST /a?b=c HTTP/1.1" 503 0 "https://example.com/" "a \"b\" \\"`,
	`::1 id john doe [x] "GET /old" 404 - "-" "-" 0.1 "more"`,
	`a b c [d] "" 200 1 "" "" `,
	`a b  [d] "" 200 1`, `a b c  [d] "e" 200 1`, `a b c[d] "e" 200 1`, `a b c [] "e" 200 1`, `a  c d [e] "f" 200 1`,
	`a b c [d] "e\" 200 1`, `a b c [d] "e" 2000 1`, `a b c [d] "e" 200 -1`, `a b c [d] "e" 200 1 "x"`, `a b c [d] "e" 200 1 "x" "y"z`,
	`a b c [d] "e" 200 1 "x" "y`, `a b c [d] "e" 200`, `a b c [d`, `a`, ``, ` `, "a\tb - - [d] \"e\" 200 1", "a b c [d\n] \"e\\\n\" 200 1",
}

// TestLinesEndAnywhere and the fuzz test hold the scan to the pattern.
func TestLinesEndAnywhere(t *testing.T) {
	for _, line := range lines {
		for end := range len(line) + 1 {
			agree(t, []byte(line[:end]))
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, line := range lines {
		f.Add([]byte(line))
	}
	f.Fuzz(agree)
}

func agree(t *testing.T, line []byte) {
	for _, c := range line {
		if c >= 0x80 {
			return // the pattern takes bytes that are not UTF-8 for U+FFFD
		}
	}
	want := pattern.FindSubmatch(line)
	e, ok := scan(line)
	if ok != (want != nil) {
		t.Fatalf("%q: scan says %v", line, ok)
	}
	if !ok {
		return
	}
	for i, s := range []span{e.client, e.ident, e.user, e.time, e.request, e.status, e.bytes, e.referer, e.agent, e.rest} {
		if got := string(s.of(line)); got != string(want[i+1]) {
			t.Fatalf("%q: group %d is %q, want %q", line, i+1, got, want[i+1])
		}
	}
}

func BenchmarkScan(b *testing.B) {
	line := []byte(`192.0.2.17 - - [20/Nov/2026:12:00:00 +0000] "GET /api/v1/carts/8f14e45f HTTP/1.1" 200 5123 "https://example.com/shop" "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"`)
	b.Run("scan", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(line)))
		for b.Loop() {
			scan(line)
		}
	})
	b.Run("regexp", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(line)))
		for b.Loop() {
			pattern.FindSubmatchIndex(line)
		}
	})
}
