package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spillway/spillway/record/field"
)

// logLine is a line of an application log, about as long as such lines are.
const logLine = `{"time":"2026-11-20T12:00:00.123456789Z","level":"info","msg":"request served","service":"checkout","method":"GET","path":"/api/v1/carts/8f14e45f/items","status":200,"bytes":5123,"duration_ms":12.75,"client":"192.0.2.17","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}`

var accepted = []string{
	`{}`, " {\t}\r\n ", `{"a":1}`, `{"a":"b","a":null}`, `{"":""}`, `{ "a" : [ ] , "b" : { } }`,
	`{"a":-0,"b":0.5,"c":1E+9,"d":123456789012345678901234567890,"e":-1e-5,"f":0e0}`,
	`{"a\"b":"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, "{\"é\":\"日本\"}", "{\"a\":\"\xff\xc0\"}", "{\"a\":\"\x7f\"}",
	`{"a":{"b":[1,{"c":"]}"},[[]],"x"],"d":{}},"e":true,"f":false}`, logLine,
	`{"a":"1234567","b":"12345678","c":"123456789\\"}`, "{\"a\":[1,\n2]}", `{"lone":"\ud800","pair":"\ud800\u0041"}`,
}

var refused = []string{
	``, ` `, `1`, `"a"`, `[]`, `{`, `}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `{a:1}`, `{'a':1}`,
	`{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":1e+}`, `{"a":+1}`, `{"a":0x1}`, `{"a":NaN}`,
	`{"a":tru}`, `{"a":nul`, `{"a":falsey}`, `{"a":"\x"}`, `{"a":"\u12g4"}`, `{"a":"\u12`, `{"a":"b`, "{\"a\":\"\n\"}",
	"{\"a\":\"\x00\"}", "{\"a\":\"12345678\x1f\"}", `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1}`, `{"a":{"b":1]}`, `{"a":{"b"}}`,
	`{"a":{b:1}}`, `{"a":[1 2]}`, `{"a":1}x`, `{"a":1}{}`, "{\"a\":1}\x00", "\ufeff{}", `{"a":{"b":1,}}`, `{"a":[`, `{"a":{`,
	`{"a":{"b":`, `{"a":"\`, `{"a":-01}`, `{"a":--1}`, "{\"a\"\v:1}",
}

func TestScanAgreesWithEncodingJSON(t *testing.T) {
	for _, text := range slices.Concat(accepted, refused) {
		agree(t, []byte(text))
	}
	for _, text := range accepted {
		if scan(text) != nil {
			t.Errorf("refused %q", text)
		}
	}
	for _, text := range refused {
		if scan(text) == nil {
			t.Errorf("accepted %q", text)
		}
	}
}

func scan[T string | []byte](text T) error {
	_, err := new(Object).Scan(nil, []byte(text), 0)
	return err
}

func FuzzScan(f *testing.F) {
	for _, text := range slices.Concat(accepted, refused) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) >= MaxDepth {
			t.Skip("may be nested deeper than we go")
		}
		agree(t, text)
	})
}

// FuzzScanAfterAnother scans text with the names guessed that another one had.
func FuzzScanAfterAnother(f *testing.F) {
	for _, texts := range similar {
		f.Add([]byte(texts[0]), []byte(texts[1]))
	}
	f.Fuzz(func(t *testing.T, before, text []byte) {
		if len(text) >= MaxDepth {
			t.Skip("may be nested deeper than we go")
		}
		var o Object
		o.Scan(nil, before, 0)
		agreeOn(t, &o, text)
	})
}

// similar are pairs of texts of which the second looks like the first for a while.
var similar = [][2]string{
	{logLine, logLine},
	{logLine, strings.ToUpper(logLine)},
	{`{"a":1,"b":2,"padding":"0123456789abcdef"}`, `{"a":1,"b" :2,"padding":"0123456789abcdef"}`},
	{`{"a":1,"b":2,"padding":"0123456789abcdef"}`, `{"a":1,"b"}  ,"padding":"0123456789abcdef"}`},
	{`{"a":1,"padding":"0123456789abcdef"}`, `{"a\":1,"padding":"0123456789abcdef"}`},
	{`{"a\"":1,"padding":"0123456789abcdef"}`, `{"a\"":1,"padding":"0123456789abcdef"}`},
	{`{"é":1,"padding":"0123456789abcdef"}`, `{"é":1,"padding":"0123456789abcdef"}`},
	{`{"":1,"padding":"0123456789abcdef"}`, `{"":1,"padding":"0123456789abcdef"}`},
	{`{"of_14_letters_":1,"padding":"0123456789"}`, `{"of_14_letters_":1,"padding":"0123456789"}`},
	{`{"of_15_letters__":1,"padding":"0123456789"}`, `{"of_15_letters__":1,"padding":"0123456789"}`},
	{`{"last":"0123456789abcdef"}`, `{"last":1}`},
	{`{"last":"0123456789abcdef"}`, `{"last":`},
	{`{"a":1}`, "{\"" + strings.Repeat("\x00", 20)},
	{`{` + strings.Repeat(`"a":1,`, maxGuesses+1) + `"b":2}`, `{` + strings.Repeat(`"a":1,`, maxGuesses+1) + `"c":"0123456789abcdef"}`},
}

func TestNamesAreGuessed(t *testing.T) {
	for _, texts := range similar {
		var o Object
		o.Scan(nil, []byte(texts[0]), 0)
		agreeOn(t, &o, []byte(texts[1]))
	}
	var o Object
	o.Scan(nil, []byte(logLine), 0)
	for _, at := range []int{len(`{"`), strings.Index(logLine, "duration_ms")} {
		if !slices.ContainsFunc(o.guesses, func(g guess) bool { return g.like([]byte(logLine)[at:]) }) {
			t.Errorf("the name at %d was not learnt", at)
		}
	}
}

// agree fails unless this package and encoding/json see the same in text, at first sight and at the second.
func agree(t *testing.T, text []byte) {
	t.Helper()
	if valid := json.Valid(text); Valid(text) != valid {
		t.Fatalf("%q: valid is %v for encoding/json", text, valid)
	}
	var o Object
	agreeOn(t, &o, text)
	agreeOn(t, &o, text)
}

func agreeOn(t *testing.T, o *Object, text []byte) {
	t.Helper()
	members, err := o.Scan(nil, text, 0)
	wanted := json.Valid(text) && bytes.TrimLeft(text, " \t\r\n")[0] == '{'
	if (err == nil) != wanted {
		t.Fatalf("%q: error is %v, encoding/json accepts: %v", text, err, wanted)
	}
	if err != nil {
		checkError(t, text, err, members)
		return
	}
	if !o.NonASCII && slices.ContainsFunc(text, func(c byte) bool { return c >= 0x80 }) {
		t.Fatalf("%q: bytes above 0x7f not noticed", text)
	}
	if object := text[o.Start:o.End]; o.Newline != bytes.Contains(object, []byte("\n")) && !bytes.Contains(text, []byte("\n")) {
		t.Fatalf("%q: newline is %v", text, o.Newline)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		checkMember(t, text, m, dec)
	}
	if dec.More() {
		t.Fatalf("%q: members are missing after %d", text, len(members))
	}
}

func checkError(t *testing.T, text []byte, err error, members []field.Field) {
	t.Helper()
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(text) || len(members) > 0 {
		t.Fatalf("%q: unusable error %#v", text, err)
	}
	// Up to the offset the text must be the beginning of something valid: what encoding/json complains about lies
	// there or later.
	var other *json.SyntaxError
	if json.Unmarshal(text, new(json.RawMessage)) != nil && errors.As(json.Unmarshal(text, new(any)), &other) &&
		syntax.problem != noObject && syntax.Offset < len(text) && int64(syntax.Offset) != other.Offset-1 {
		t.Fatalf("%q: error at %d, but encoding/json says %d: %v", text, syntax.Offset, other.Offset-1, other)
	}
}

func checkMember(t *testing.T, text []byte, m field.Field, dec *json.Decoder) {
	t.Helper()
	name, err := dec.Token()
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	rawName := text[m.Name.Off:][:m.Name.Len]
	if got := string(Unquote(nil, rawName)); got != name {
		t.Fatalf("%q: name %q, want %q", text, got, name)
	}
	if m.NameClean == bytes.Contains(rawName, []byte(`\`)) {
		t.Fatalf("%q: wrong flag on name %q", text, rawName)
	}
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	value := text[m.Value.Off:][:m.Value.Len]
	if m.Kind == field.String {
		var want string
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if got := string(Unquote(nil, value)); got != want {
			t.Fatalf("%q: string %q, want %q", text, got, want)
		}
		if (m.Form == field.Escaped) != bytes.Contains(value, []byte(`\`)) {
			t.Fatalf("%q: wrong flag on %q", text, value)
		}
		raw = raw[1 : len(raw)-1]
	}
	if m.Kind == field.Null {
		value = []byte("null")[m.Value.Len:]
	}
	if !bytes.Equal(value, raw) {
		t.Fatalf("%q: value %q, want %q", text, value, raw)
	}
	if want := kindOf(raw, m.Kind == field.String); m.Kind != want {
		t.Fatalf("%q: kind of %q is %d, want %d", text, raw, m.Kind, want)
	}
}

func kindOf(raw []byte, quoted bool) field.Kind {
	switch {
	case quoted:
		return field.String
	case raw[0] == '{', raw[0] == '[':
		return field.JSON
	case string(raw) == "true", string(raw) == "false":
		return field.Bool
	case string(raw) == "null":
		return field.Null
	case bytes.ContainsAny(raw, ".eE"):
		return field.Float
	}
	return field.Int
}

func TestNestingIsBounded(t *testing.T) {
	for _, pair := range []string{"[]", "{}"} {
		nested := func(depth int) []byte {
			opening := strings.Repeat(pair[:1], depth-1)
			if pair == "{}" {
				opening = strings.Repeat(`{"a":`, depth-2) + "{"
			}
			return []byte(`{"a":` + opening + strings.Repeat(pair[1:], depth-1) + "}")
		}
		if err := scan(nested(MaxDepth)); err != nil {
			t.Errorf("%s nested %d deep: %v", pair, MaxDepth, err)
		}
		if err := scan(nested(MaxDepth + 1)); err == nil || !strings.Contains(err.Error(), "nested") {
			t.Errorf("%s nested %d deep: %v", pair, MaxDepth+1, err)
		}
		if err := scan(bytes.Repeat([]byte(`{"a":`), 1<<20)); err == nil {
			t.Error("a million open objects passed")
		}
	}
}

func TestErrorNamesTheByte(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,"b":x}`:  "invalid JSON: expected a value at byte 11",
		`{"a":1}}`:       "invalid JSON: something follows the object at byte 7",
		`GET / HTTP/1.1`: "invalid JSON: expected an object at byte 0",
		`{"a":1,"b":"x`:  "invalid JSON: string without its closing quote, but the text ends",
		`{"a":007}`:      "invalid JSON: a number can't begin with 0 at byte 6",
		"{\"a\":\"\t\"}": "invalid JSON: control character in a string at byte 6",
		`{"a":"\q"}`:     "invalid JSON: unknown escape sequence at byte 7",
		`{"a":1 "b":2}`:  "invalid JSON: expected a comma or the closing bracket at byte 7",
		`{"a" 1}`:        "invalid JSON: expected a colon at byte 5",
		`{"a":1.x}`:      "invalid JSON: expected a digit at byte 7",
		`{"a":1, b:2}`:   "invalid JSON: expected a name in quotes at byte 8",
		`{"a":[1,2}`:     "invalid JSON: expected a comma or the closing bracket at byte 9",
		``:               "invalid JSON: expected an object, but the text ends",
	} {
		err := scan(text)
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func FuzzUnquote(f *testing.F) {
	for _, s := range []string{`a`, `\n`, `\ud83d\ude00`, `\ud83d`, `\ud83dx`, `\ud83d\ud83d\ude00`, "\xff", `\u00`, `\`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, inside []byte) {
		got := Unquote(nil, inside)
		quoted := slices.Concat([]byte{'"'}, inside, []byte{'"'})
		var want string
		if json.Unmarshal(quoted, &want) == nil && string(got) != want {
			t.Fatalf("%q: got %q, want %q", inside, got, want)
		}
		if json.Valid(quoted) && !utf8.Valid(got) || len(got) > 3*len(inside) {
			t.Fatalf("%q: %q is no UTF-8, or too long", inside, got)
		}
	})
}

func TestScanDoesNotAllocate(t *testing.T) {
	var o Object
	good, bad := []byte(logLine), []byte(logLine[:200])
	members, _ := o.Scan(nil, good, 0)
	if n := testing.AllocsPerRun(100, func() { o.Scan(members[:0], good, 0); o.Scan(members[:0], bad, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
