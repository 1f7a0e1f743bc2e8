package expr

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spillway/spillway/record"
)

// object makes a record of the members of a JSON object.
func object(t interface{ Fatal(...any) }, b *record.Batch, text string) record.Record {
	r := b.AddRecord(b.Source("s"), 0, 0)
	if err := new(record.JSONParser).Merge(r, b.Value(b.Text(text), record.String, record.Plain)); err != nil {
		t.Fatal(err)
	}
	return r
}

const sample = `{"path":"/healthz","status":503,"code":"503","f":2.5,"ok":true,"no":false,"nothing":null,"text":"a\tb",
	"user":{"id":7,"names":["x","y"],"deep":{"n":null}},"list":[1,2.0,"3"],"a.b":"dotted","big":12345678901234567890,"empty":""}`

var holding = []string{
	`path == "/healthz"`, `path != "/other"`, `status >= 500`, `status == 503`, `status == 503.0`, `503 <= status`,
	`code >= 500`, `code == 503`, `code == "503"`, `status == code`, `code in [503]`, `status in ["503"]`, `path in ["/a", "/healthz"]`,
	`path not in ["/a"]`, `f > 2 and f < 3`, `ok`, `ok == true`, `not no`, `!no`, `nothing == nil`, `missing == nil`, `missing != 1`,
	`text == "a\tb"`, `text startsWith "a"`, `path endsWith "z"`, `path contains "health"`, `path matches "^/h.*z$"`,
	`user.id == 7`, `field("user.id") == 7`, `field("a.b") == "dotted"`, `user.deep.n == nil`, `user["id"] == 7`, `user?.id == 7`,
	`"x" in user.names`, `any(user.names, # == "y")`, `any(list, # == 2)`, `len(user.names) == 2`,
	`status / 2 > 251`, `lower("PATH") == "path" && len(path) > 3`, `status > 500 ? ok : no`, `-1 < status`, `status > -1.5`,
	`big > 1`, `list == [1, 2.0, "3"]`, `"id" in user`, `field("us" + "er.id") == 7`, `code + "x" == "503x"`, `empty == ""`, `empty < path`,
	`1 < f < 3`, `status matches "5" == false`, `ok or missing > 1`, `upper(path) == "/HEALTHZ"`, `(user.id ?? 0) == 7`, `(missing ?? 1) == 1`,
	`count(user.names, # startsWith "x") == 1`, `not (missing > 1 or missing < 1 or missing == 1)`, `field("status") > 1`,
}

var failing = []string{
	`path == "/other"`, `missing > 1`, `missing < 1`, `missing == 0`, `missing == ""`, `missing in [1]`, `missing contains "a"`,
	`missing matches "."`, `missing`, `path > 1`, `path == 0`, `ok == 1`, `ok == "true"`, `code`, `status`, `path`, `nothing`,
	`user == 7`, `user.id.x == 1`, `no`, `status startsWith "5"`, `ok > 0`, `empty == 0`, `empty >= 0`, `path in user.id`,
	`nothing > 0 or nothing <= 0`, `status and ok`, `text == "a\\tb"`, `code in ["50"]`, `no or missing`,
}

func TestConditions(t *testing.T) {
	b := record.NewBatch()
	defer b.Release()
	r := object(t, b, sample)
	for _, want := range []bool{true, false} {
		list := failing
		if want {
			list = holding
		}
		for _, text := range list {
			c, err := Compile(text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if got, err := c.Eval(r); err != nil || got != want {
				t.Errorf("%s is %v, %v", text, got, err)
			}
			if got, err := c.run(); err != nil || got != want {
				t.Errorf("%s is %v, %v on the machine", text, got, err)
			}
		}
	}
}

func TestWhatCannotBeEvaluatedIsFalseAndAnError(t *testing.T) {
	b := record.NewBatch()
	defer b.Release()
	r := object(t, b, sample)
	for _, text := range []string{`missing / 2 < 1`, `code * 2 > 1`, `all(status, # > 1)`, `len(status) > 1 or ok`, `len(1..1000000) > 1`} {
		c, err := Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := c.Eval(r)
		if got || err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s is %v, %v", text, got, err)
		}
		if ok, err := c.Eval(r); ok || err == nil {
			t.Errorf("%s is %v, %v the second time", text, ok, err)
		}
	}
}

func TestWrongConditionsSayWhere(t *testing.T) {
	for text, want := range map[string]string{
		`path == `:                      "character 8: unexpected token EOF",
		`status >= 500 &&& x`:           "character 17: unexpected token Operator(\"&\")",
		`len(path)`:                     "must be true or false, but this is of type int",
		`"text"`:                        "must be true or false",
		`path matches "("`:              "character 14: error parsing regexp",
		`len(path) > "x"`:               "character 11: invalid operation: > (mismatched types int and string)",
		`"a" > 1`:                       "invalid operation",
		`nosuch(path)`:                  "character 1: unknown function nosuch",
		`let x = 1; x == 1`:             "let is not supported",
		`$env.path == 1`:                "$env is not supported",
		`field(1) == 1`:                 "cannot use int as argument",
		``:                              "unexpected token EOF",
		"path == 1 and\n  status > > 1": "line 2, character 12",
		`path.trim() == "x"`:            "unknown function",
		strings.Repeat("x == 1 or ", 1000) + "true": "exceeds",
	} {
		c, err := Compile(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v (%v), want %s", text, err, c, want)
		}
	}
}

// TestBothWaysAgree holds the direct evaluation to the machine's, for random
// conditions over random records.
func TestBothWaysAgree(t *testing.T) {
	operand := rapid.SampledFrom([]string{
		"a", "b", "c", "d.e", "d", `field("a.x")`, "missing", "1", "2.0", "-1", `"1"`, `"x"`, `""`, `"1e3"`, "1000", "true", "false", "nil",
		`"0x10"`, "16", `"+1"`, `"1_0"`, `" 1"`, "9223372036854775807", `"Infinity"`,
	})
	operator := rapid.SampledFrom([]string{"==", "!=", "<", "<=", ">", ">=", "contains", "startsWith", "endsWith"})
	value := rapid.SampledFrom([]string{
		"1", "-1", "2.0", "2", "1000", "1e3", `"1"`, `"x"`, `"x\u0031"`, `"\u0031"`, `""`, `"0x10"`, `"+1"`, "true", "false", "null",
		`{"e":1}`, `{"e":"x"}`, "[1]", "9223372036854775807", "9223372036854775808", `"9223372036854775807"`, `"inf"`, `"NaN"`, `" 1"`, `"1_0"`,
	})
	comparison := rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 5).Draw(t, "form") {
		case 0:
			return rapid.SampledFrom([]string{"a", "d.e", "true", "missing"}).Draw(t, "bare")
		case 1:
			return rapid.SampledFrom([]string{"a", "b", "d.e", "missing"}).Draw(t, "needle") + rapid.SampledFrom([]string{
				` in [1, "x", nil]`, ` in ["1"]`, ` not in [true, 2]`, ` in []`, ` matches "^[x1]"`, ` not matches "x"`,
			}).Draw(t, "in")
		}
		return operand.Draw(t, "left") + " " + operator.Draw(t, "operator") + " " + operand.Draw(t, "right")
	})
	rapid.Check(t, func(t *rapid.T) {
		text := comparison.Draw(t, "first")
		for range rapid.IntRange(0, 2).Draw(t, "more") {
			text = rapid.SampledFrom([]string{"", "not ", "!"}).Draw(t, "not") + "(" + text + ")" +
				rapid.SampledFrom([]string{" and ", " or ", " && ", " || "}).Draw(t, "join") + comparison.Draw(t, "next")
		}
		c, err := Compile(text)
		if err != nil || c.direct == nil {
			t.Skip() // such as "x" < 1, which does not pass the type check
		}
		b := record.NewBatch()
		defer b.Release()
		var members []string
		for _, name := range []string{`"a"`, `"b"`, `"c"`, `"d"`, `"a.x"`} {
			if rapid.Bool().Draw(t, "has") {
				members = append(members, name+":"+value.Draw(t, "value"))
			}
		}
		r := object(t, b, "{"+strings.Join(members, ",")+"}")
		direct, _ := c.Eval(r)
		machine, err := c.run()
		if err != nil || direct != machine {
			t.Fatalf("%s over %s: directly %v, on the machine %v, %v", text, members, direct, machine, err)
		}
	})
}

func TestCommonConditionsDoNotAllocate(t *testing.T) {
	b := record.NewBatch()
	defer b.Release()
	r := object(t, b, sample)
	for _, text := range []string{
		`path == "/healthz"`, `status >= 500 && path not in ["/a", "/b"]`, `code > 1`, `text contains "b"`, `user.id == 7`,
		`path matches "^/h" or missing`,
	} {
		c, err := Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		c.Eval(r)
		if n := testing.AllocsPerRun(100, func() { c.Eval(r) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, text := range append(append([]string{}, holding...), failing...) {
		f.Add(text)
	}
	b := record.NewBatch()
	r := object(f, b, sample)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 {
			t.Skip()
		}
		c, err := Compile(text)
		if err != nil {
			return
		}
		got, err := c.Eval(r)
		if c.direct == nil {
			return
		}
		if machine, machineErr := c.run(); err != nil || machineErr != nil || got != machine {
			t.Fatalf("%q is directly %v, %v, on the machine %v, %v", text, got, err, machine, machineErr)
		}
	})
}

func BenchmarkCondition(b *testing.B) {
	batch := record.NewBatch()
	defer batch.Release()
	r := object(b, batch, sample)
	for name, text := range map[string]string{
		"equal":   `path == "/healthz"`,
		"two":     `status >= 500 && path in ["/a", "/b", "/healthz"]`,
		"machine": `len(path) > 3 and lower(path) == "/healthz"`,
	} {
		c, err := Compile(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Eval(r)
			}
		})
		if c.direct != nil {
			b.Run(name+"-on-machine", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.run()
				}
			})
		}
	}
}
