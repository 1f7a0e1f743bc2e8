package codec

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/record"
)

var update = flag.Bool("update", false, "write the golden file")

var read = time.Date(2026, 11, 20, 12, 0, 0, 120_000_000, time.UTC).UnixNano()

func build(t testing.TB, c Config) Codec {
	t.Helper()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	codec, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

func encode(t testing.TB, c Codec, r record.Record) string {
	t.Helper()
	out, err := c.Append([]byte("before"), r)
	if err != nil {
		t.Fatal(err)
	}
	text, ok := bytes.CutPrefix(out, []byte("before"))
	if !ok {
		t.Fatalf("what was in the buffer became %q", out)
	}
	return string(text)
}

func line(b *record.Batch, text string) record.Record {
	return b.AddLine(b.Text(text), b.Source("s"), 0, read)
}

func merge(t testing.TB, r record.Record, text string) {
	t.Helper()
	b := r.Batch()
	if err := new(record.JSONParser).Merge(r, b.Value(b.Text(text), record.String, record.Plain)); err != nil {
		t.Fatal(err)
	}
}

// kinds has a field of every kind and form.
func kinds(b *record.Batch) record.Record {
	r := b.AddRecord(b.Source("s"), 0, read)
	for _, f := range []struct {
		name  string
		value record.Value
	}{
		{"plain", b.Value(b.Text("tab\t\"q\" \\ \x00 \xff \u2028 é"), record.String, record.Plain)},
		{"clean", b.Value(b.Text("clean é"), record.String, record.Clean)},
		{"escaped", b.Value(b.Text(`\u00e9\n`), record.String, record.Escaped)},
		{"int", b.Int(math.MinInt64)},
		{"float", b.Float(1e-7)},
		{"nan", b.Float(math.NaN())},
		{"bool", b.Bool(false)},
		{"time", b.Time(read + 1)},
		{"bytes", b.Value(b.Text("\x00\xff~"), record.Bytes, record.Plain)},
		{"null", b.Value(record.Span{}, record.Null, record.Clean)},
		{"json", b.Value(b.Text(`{"a": [1]}`), record.JSON, record.Plain)},
		{"na\"me\xff", b.String("")},
	} {
		r.Set(b.Name(f.name), f.value)
	}
	return r
}

func TestGolden(t *testing.T) {
	b := record.NewBatch()
	defer b.Release()
	withTime := build(t, DefaultConfig())
	bare := build(t, Config{Codec: "json"})
	raw := build(t, Config{Codec: "raw"})
	var got bytes.Buffer
	show := func(what, text string) { got.WriteString(what + ": " + text + "\n") }

	show("every kind", encode(t, bare, kinds(b)))
	show("every kind, raw after set", encode(t, raw, func() record.Record {
		r := line(b, "the \xff line")
		r.Remove(record.Message)
		return r
	}()))
	r := line(b, "text")
	show("line", encode(t, withTime, r))
	merge(t, r, ` { "a" : 1.50 , "b":{"c":[ ]} } `)
	show("object after a field", encode(t, withTime, r))
	r.Set(b.Name("last"), b.Bool(true))
	show("object between fields", encode(t, withTime, r))
	r.Remove(record.Message)
	show("object before a field", encode(t, withTime, r))
	r.Remove("last")
	show("object alone", encode(t, bare, r))
	r.Remove("a")
	show("object that changed", encode(t, bare, r))
	r.Remove("b")
	show("nothing", encode(t, bare, r))
	show("nothing but a timestamp", encode(t, withTime, r))
	merge(t, r, "{ }")
	show("empty object", encode(t, bare, r))
	r.Set(b.Name("timestamp"), b.Int(5))
	show("timestamp taken", encode(t, withTime, r))
	r.SetTime(-1)
	show("before 1970", encode(t, build(t, Config{Codec: "json", TimestampField: "a\"t"}), r))
	r = b.AddRecord(b.Source("s"), 0, read)
	r.Set(b.Name(record.Message), b.Value(b.Text(`a\tb`), record.String, record.Escaped))
	show("raw without a line", encode(t, raw, r))

	if *update {
		if err := os.WriteFile("testdata/golden", got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestRawWithoutLineAndMessageIsAnError(t *testing.T) {
	b := record.NewBatch()
	defer b.Release()
	out, err := build(t, Config{Codec: "raw"}).Append([]byte("before"), b.AddRecord(b.Source("s"), 0, 0))
	if err == nil || string(out) != "before" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	defaults := DefaultConfig()
	if err := config.Lint(&defaults); err != nil {
		t.Error(err)
	}
	if err := (&Config{Codec: "xml"}).Check(); err == nil {
		t.Error("codec xml passed")
	}
	a, b := Config{Codec: "json", TimestampField: "t"}, Config{Codec: "json", TimestampField: "u"}
	if a.Fingerprint() == b.Fingerprint() {
		t.Error("two codecs share their fingerprint")
	}
	a, b = Config{Codec: "raw", TimestampField: "t"}, Config{Codec: "raw"}
	if a.Fingerprint() != b.Fingerprint() {
		t.Error("a key that raw does not use makes a difference")
	}
}

func TestTimesAreAsPackageTimeWritesThem(t *testing.T) {
	var c clock
	for _, ns := range []int64{0, 1, -1, 1e9, 1e9 - 1, read, read, read + 1, read + 1e9, read, math.MaxInt64, math.MinInt64, 120, 1_200} {
		want := `"` + time.Unix(0, ns).UTC().Format(time.RFC3339Nano) + `"`
		if got := string(c.append(nil, ns)); got != want {
			t.Errorf("%d is %s, want %s", ns, got, want)
		}
	}
}

func TestEncodingDoesNotAllocate(t *testing.T) {
	b := record.NewBatch()
	defer b.Release()
	r := line(b, "text \xff")
	merge(t, r, `{"a":1,"b":"x\ny"}`)
	r.Remove("a")
	all := kinds(b)
	for name, c := range map[string]Codec{"json": build(t, DefaultConfig()), "raw": build(t, Config{Codec: "raw"})} {
		buf := make([]byte, 0, 4096)
		n := testing.AllocsPerRun(100, func() {
			buf, _ = c.Append(buf[:0], r)
			if name == "json" {
				buf, _ = c.Append(buf[:0], all)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// FuzzJSONReadsBack holds the codec to this: what it writes is JSON in one line,
// and encoding/json finds the fields in it that the record had.
func FuzzJSONReadsBack(f *testing.F) {
	f.Add("line", `{"a":1,"b":"x"}`, "a", "new", uint8(0))
	f.Add("l\"\n\xff", `{"message":"x","b":[1, 2]}`, "na\"me", "v\xff\x00", uint8(1))
	f.Add("", "{\n}", "b", "", uint8(2))
	f.Add("x", `{"\u0061":null,"é":"\ud800"}`, "a", "é", uint8(3))
	f.Fuzz(func(t *testing.T, message, object, name, value string, operation uint8) {
		b := record.NewBatch()
		defer b.Release()
		r := line(b, message)
		if new(record.JSONParser).Merge(r, b.Value(b.Text(object), record.String, record.Plain)) != nil {
			t.Skip()
		}
		switch operation % 4 {
		case 1:
			r.Set(b.Name(name), b.String(value))
		case 2:
			r.Remove(name)
		case 3:
			r.Remove(record.Message)
			r.Rename(name, b.Name(value))
		}
		text := encode(t, build(t, Config{Codec: "json"}), r)
		if bytes.ContainsAny([]byte(text), "\n") {
			t.Fatalf("more than one line: %q", text)
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		compareFields(t, r, got)
	})
}

func compareFields(t *testing.T, r record.Record, got map[string]json.RawMessage) {
	t.Helper()
	want := map[string]record.Value{} // the last of equal names wins, for encoding/json too
	for i := range r.Fields() {
		if f := &r.Fields()[i]; !f.Removed() {
			want[valid(r.FieldName(f))] = r.FieldValue(f)
		}
	}
	for name, v := range want {
		raw, ok := got[name]
		if !ok {
			t.Fatalf("%q is missing in %q", name, got)
		}
		switch v.Kind() {
		case record.Null:
			if string(raw) != "null" {
				t.Fatalf("%q is %s", name, raw)
			}
		case record.String:
			var s string
			if err := json.Unmarshal(raw, &s); err != nil || s != valid(v.AppendText(nil)) {
				t.Fatalf("%q reads back as %q, want %q", name, s, v.AppendText(nil))
			}
		default:
			if string(raw) != string(v.Bytes()) {
				t.Fatalf("%q reads back as %s, want %s", name, raw, v.Bytes())
			}
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d members of %d fields", len(got), len(want))
	}
}

// valid is text with U+FFFD for each byte that is not UTF-8.
func valid(text []byte) string { return string([]rune(string(text))) }
