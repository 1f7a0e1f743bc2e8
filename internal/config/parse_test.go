package config

import (
	"fmt"
	"strings"
	"testing"
)

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// tree prints a node as "line:column value" in flow style, so that a test sees values and places at once.
func tree(n *Node) string {
	at := fmt.Sprintf("%d:%d ", n.Line(), n.Column())
	switch n.Kind() {
	case Map:
		var parts []string
		for _, e := range n.Entries() {
			parts = append(parts, fmt.Sprintf("%d:%d %s: %s", e.at.line, e.at.column, e.Key, tree(e.Value)))
		}
		return at + "{" + strings.Join(parts, ", ") + "}"
	case List:
		var parts []string
		for _, item := range n.Items() {
			parts = append(parts, tree(item))
		}
		return at + "[" + strings.Join(parts, ", ") + "]"
	case Scalar:
		if n.quoted {
			return fmt.Sprintf("%s%q", at, n.Scalar())
		}
		return at + n.Scalar()
	}
	return at + "null"
}

func TestParseKeepsValuesAndPlaces(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"empty":                  {"", "1:1 null"},
		"only a comment":         {"# nothing\n", "1:1 null"},
		"scalar":                 {"x", "1:1 x"},
		"block map":              {"a: 1\nb:\n  c: x y\n", "1:1 {1:1 a: 1:4 1, 2:1 b: 3:3 {3:3 c: 3:6 x y}}"},
		"flow":                   {"{a: [1, 'b', \"c\\n\"]}", `1:1 {1:2 a: 1:5 [1:6 1, 1:9 "b", 1:14 "c\n"]}`},
		"list of maps":           {"- a:\n- b: 1\n", "1:1 [1:3 {1:3 a: 1:3 null}, 2:3 {2:3 b: 2:6 1}]"},
		"list at key column":     {"a:\n- 1\nb:\n- 2\n", "1:1 {1:1 a: 2:1 [2:3 1], 3:1 b: 4:1 [4:3 2]}"},
		"literal block":          {"a: |\n  x\n  y\n", `1:1 {1:1 a: 1:4 "x\ny\n"}`},
		"folded block":           {"a: >-\n  x\n  y\n", `1:1 {1:1 a: 1:4 "x y"}`},
		"numbers stay text":      {"[007, 1_0, 0x1F, 1e3, .inf, yes, TRUE]", "1:1 [1:2 007, 1:7 1_0, 1:12 0x1F, 1:18 1e3, 1:23 .inf, 1:29 yes, 1:34 TRUE]"},
		"null":                   {"[~, null, 'null']", `1:1 [1:2 null, 1:5 null, 1:11 "null"]`},
		"keys are texts":         {"1: a\ntrue: b\n'c d': e\n", "1:1 {1:1 1: 1:4 a, 2:1 true: 2:7 b, 3:1 c d: 3:8 e}"},
		"byte order mark":        {"\ufeffa: 1", "1:1 {1:1 a: 1:4 1}"},
		"columns are characters": {"ä: [ö, x]", "1:1 {1:1 ä: 1:4 [1:5 ö, 1:8 x]}"},
		"carriage returns":       {"a: 1\r\nb: 2\r\n", "1:1 {1:1 a: 1:4 1, 2:1 b: 2:4 2}"},
		"document markers":       {"---\na: 1\n...\n", "2:1 {2:1 a: 2:4 1}"},
		"alias":                  {"a: &x {k: 1}\nb: *x\n", "1:1 {1:1 a: 1:7 {1:8 k: 1:11 1}, 2:1 b: 1:7 {1:8 k: 1:11 1}}"},
		"anchor again":           {"a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "1:1 {1:1 a: 1:7 1, 2:1 b: 1:7 1, 3:1 c: 3:7 2, 4:1 d: 3:7 2}"},
		"merge":                  {"a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\n", "1:1 {1:1 a: 1:7 {1:8 k: 1:11 1, 1:14 l: 1:17 2}, 2:1 b: 3:3 {4:3 k: 4:6 3, 1:14 l: 1:17 2}}"},
		"merge of several":       {"<<: [{k: 1}, {k: 2, l: 3}]", "1:1 {1:7 k: 1:10 1, 1:21 l: 1:24 3}"},
		"colons in flow": {"{a: [127.0.0.1:9092, ::1, http://h:80/x, 12:30, a :b, a:~, :c], b: h:1, c: :2}",
			"1:1 {1:2 a: 1:5 [1:6 127.0.0.1:9092, 1:22 ::1, 1:27 http://h:80/x, 1:42 12:30, 1:49 a :b, 1:55 a:~, 1:60 :c], 1:65 b: 1:68 h:1, 1:73 c: 1:76 :2}"},
		"pairs in flow": {"{x: [a: b, 'f':1, h:[1], [i]]}",
			`1:1 {1:2 x: 1:5 [1:6 {1:6 a: 1:9 b}, 1:12 {1:12 f: 1:16 1}, 1:19 {1:19 h: 1:21 [1:22 1]}, 1:26 [1:27 i]]}`},
		"colons in a list alone": {"[a:b, ::1, 1:2:3, a:*b]", "1:1 [1:2 a:b, 1:7 ::1, 1:12 1:2:3, 1:19 a:*b]"},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := Parse("f.yaml", []byte(c.in), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := tree(n); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("[", 65)
	for name, c := range map[string]struct{ in, want string }{
		"syntax":      {"a: [1, 2", "f.yaml:1:4: not YAML: sequence end token ']' not found"},
		"indentation": {"a:\n    b: 1\n  c: 2\n", "f.yaml:3:3: not YAML: value is not allowed in this context; does its indentation match that of its neighbours?"},
		"tab":         {"a:\n\t- b\n", "f.yaml:2:1: not YAML: a tab cannot indent; use spaces"},
		"colon":       {"a: b: c\n", `f.yaml:1:4: not YAML: mapping value is not allowed in this context; a text with ": " in it needs quotes`},
		"unquoted reference in flow": {"a: 1\nb: {c: ${X}}\n",
			`f.yaml:2:9: not YAML: ',' or '}' must be specified; inside {...} and [...] a reference needs quotes: "${NAME}"`},
		"template in flow style": {"a: {b: ./{{c}}.log}", `f.yaml:1:10: not YAML: ',' or '}' must be specified; inside {...} and [...] a template needs quotes: "{{field}}"`},
		"colon in a flow key":    {"a: {b:c}", "f.yaml:1:6: a colon inside a text is ambiguous here; write a blank after it, or put the text in quotes"},
		"colon before a quote":   {"{a: 1, b:\"c\"}", "f.yaml:1:9: a colon inside a text is ambiguous here; write a blank after it, or put the text in quotes"},
		"colon over two lines":   {"{x: [a\n b:c]}", "f.yaml:2:2: not YAML: ',' or ']' must be specified"},
		"colon before an anchor": {"{x: [a:*b]}", "f.yaml:1:7: a colon inside a text is ambiguous here; write a blank after it, or put the text in quotes"},
		"a colon too many":       {"{a: b: c}", `f.yaml:1:5: the text "b: c" holds a colon and a blank; put it in quotes`},
		"a colon after a colon":  {"{x: [c:d: e]}", `f.yaml:1:6: the text "c:d: e" holds a colon and a blank; put it in quotes`},
		"not UTF-8":              {"a: é\nbé\xff", "f.yaml:2:3: the file is not UTF-8 text: found the byte 0xff"},
		"a zero byte":            {"a: \x00", "f.yaml:1:4: the file is not UTF-8 text: found the byte 0x00"},
		"documents":              {"a: 1\n---\nb: 2\n", "f.yaml:2:1: the file holds more than one document; use a folder of several files"},
		"directive":              {"%YAML 1.2\n---\na: 1\n", "f.yaml:1:1: directives (%) are not supported; remove the line"},
		"tag":                    {"a: !!str 5", `f.yaml:1:4: tags such as "!!str" are not supported; put a text in quotes`},
		"complex key":            {"? a\n: b\n", "f.yaml:1:1: complex keys (?) are not supported; write key: value"},
		"nested brackets":        {deep, "f.yaml:1:65: maps and lists are nested more than 64 deep"},
		"nested dashes":          {strings.Repeat("- ", 65), "f.yaml:1:129: maps and lists are nested more than 64 deep"},
		"large":                  {strings.Repeat(" ", maxFileBytes+1), "f.yaml:1:1: the file is larger than 2MiB"},
		"many tokens":            {"[" + strings.Repeat("a,", maxTokens), "f.yaml:1:100001: the file is too large: more than 100000 YAML tokens; use a folder of several files"},
		"duplicate":              {"a: 1\nb:\n  c: 1\n  c: 2\n", `f.yaml:4:3: b: key "c" appears twice in this map; the first is at line 3, column 3`},
		"duplicate in flow":      {"{a: 1, 'a': 2}", `f.yaml:1:8: key "a" appears twice in this map; the first is at line 1, column 2`},
		"null key":               {"a: {null: 1}", "f.yaml:1:5: a: a key is missing or null; put it in quotes if it is meant as a text"},
		"anchored key":           {"&x a: 1", "f.yaml:1:1: a key must be a plain or quoted text"},
		"reference in key":       {"'${X}': 1", `f.yaml:1:1: references are not replaced in keys; write the key "${X}" out`},
		"unknown alias":          {"a: &base 1\nb: *bse\n", `f.yaml:2:4: b: there is no anchor &bse before this alias; did you mean "base"?`},
		"alias of itself":        {"a: &x [*x]", "f.yaml:1:8: a[0]: there is no anchor &x before this alias; there are none"},
		"merge of a scalar":      {"a: &x 1\nb: {<<: *x}\n", "f.yaml:2:9: b: a merge key (<<) wants a map or a list of maps, found a scalar"},
		"merge of a list":        {"b: {<<: [{}, 1]}\n", "f.yaml:1:14: b: a merge key (<<) wants a map or a list of maps, found a scalar in the list"},
		"several": {"a: ${A}\nb: 1\nb: ${B}\nc: ${C}\n", `f.yaml:1:4: a: the environment variable A is not set; write ${A:-default} to do without
f.yaml:3:1: key "b" appears twice in this map; the first is at line 2, column 1
f.yaml:4:4: c: the environment variable C is not set; write ${C:-default} to do without`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(c.in), nil)
			if err == nil {
				t.Fatalf("no error, want %s", c.want)
			}
			if err.Error() != c.want {
				t.Errorf("\n got %s\nwant %s", err, c.want)
			}
		})
	}
}

func TestAliasesCantExplode(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 60; i++ {
		alias := fmt.Sprintf("*a%d, ", i-1)
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.Repeat(alias, 10))
	}
	_, err := Parse("f.yaml", []byte(b.String()), nil)
	const want = "f.yaml:6:15: a5[1]: the configuration is too large: more than 32MiB with aliases and references replaced"
	if err == nil || err.Error() != want {
		t.Fatalf("\n got %v\nwant %s", err, want)
	}
}

func TestManyMapsAtOneColumnAreNotDeep(t *testing.T) {
	var b strings.Builder
	b.WriteString("long:\n" + strings.Repeat("- x\n", 300))
	for i := range 300 {
		fmt.Fprintf(&b, "a%d:\n- b:\n    c: [{d: 1}]\n- e\n", i)
	}
	if _, err := Parse("f.yaml", []byte(b.String()), nil); err != nil {
		t.Fatal(err)
	}
}

func TestPathNamesTheWay(t *testing.T) {
	n, err := Parse("f.yaml", []byte("pipelines:\n  web:\n    inputs:\n      - file: {paths: [a, b]}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf := n.Key("pipelines").Key("web").Key("inputs").Items()[0].Key("file").Key("paths").Items()[1]
	if got, want := leaf.Path(), "pipelines.web.inputs[0].file.paths[1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := n.Path(); got != "" {
		t.Errorf("the path of the whole file is %q", got)
	}
	if n.Key("none") != nil {
		t.Error("a key that is not there has a value")
	}
}

func TestCanonicalSeesMeaningOnly(t *testing.T) {
	canonical := func(in string) string {
		t.Helper()
		n, err := Parse("f.yaml", []byte(in), env("ONE", "1"))
		if err != nil {
			t.Fatal(err)
		}
		return string(n.Canonical())
	}
	same := []string{"a: 1\nb: [x, {c: d}]\n", "b:\n- x\n-   c: d # comment\n\na: ${ONE}\n", "{b: [&x x, {c: d}], a: 1}"}
	for _, in := range same {
		if canonical(in) != canonical(same[0]) {
			t.Errorf("%q differs from %q", in, same[0])
		}
	}
	different := []string{"a: 1", "a: '1'", "a: 2", "b: 1", "a: [1]", "a: {1: }", "a:", "a: ''", "a: [1, 2]", "a: [2, 1]", "a: [12]", "[a, 1]", "a: {}", "a: []"}
	seen := map[string]string{}
	for _, in := range different {
		c := canonical(in)
		if other, ok := seen[c]; ok {
			t.Errorf("%q is the same as %q", in, other)
		}
		seen[c] = in
	}
}
