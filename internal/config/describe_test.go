package config

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestFieldsDescribeAStruct(t *testing.T) {
	tls := []Field{
		{Name: "cert", Type: "path", Doc: "Certificate.", Required: true, Example: "cert.pem"},
		{Name: "key", Type: "path", Default: `""`, Doc: "Key."},
	}
	want := []Field{
		{Name: "rate", Type: "integer", Default: "10", Doc: "Records a second.", Min: "1", Max: "100"},
		{Name: "burst", Type: "size", Default: "1MiB", Doc: "Bytes at once.", Min: "1KiB", Max: "1GiB"},
		{Name: "wait", Type: "duration", Default: "1s", Doc: "Longest wait.", Min: "10ms", Max: "1h"},
		{Name: "share", Type: "number", Default: "0.5", Doc: "Part of the whole.", Min: "0", Max: "1"},
		{Name: "paths", Type: "list of paths", Doc: "Files.", Required: true, Example: "[/var/log/*.log]"},
		{Name: "codec", Type: "text", Default: "json", Doc: "Encoding.", OneOf: []string{"json", "raw"}},
		{Name: "name", Type: "text", Default: "n", Doc: "A name."},
		{Name: "on", Type: "boolean", Default: "false", Doc: "A switch."},
		{Name: "port", Type: "integer", Default: "0", Doc: "A port."},
		{Name: "small", Type: "integer", Default: "0", Doc: "A small number."},
		{Name: "pause", Type: "duration", Default: "168h", Doc: "A pause."},
		{Name: "codes", Type: "list of integers", Default: "[200, 404]", Doc: "Codes.", Min: "100", Max: "599"},
		{Name: "labels", Type: "map of texts", Default: "{a: b}", Doc: "Labels."},
		{Name: "fields", Type: "map of anything", Default: "{}", Doc: "Values."},
		{Name: "tls", Type: "map", Doc: "Encryption.", Fields: tls},
		{Name: "coin", Type: "coin", Doc: "A coin."},
		{Name: "coins", Type: "map of coins", Default: "{}", Doc: "Coins."},
		{Name: "rules", Type: "list of maps", Default: "[]", Doc: "Rules.", Fields: tls},
		{Name: "raw", Type: "any", Doc: "Left as it is."},
	}
	got := Fields(defaults())
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("field %d:\n got %+v\nwant %+v", i, got[i:min(i+1, len(got))], want[i:min(i+1, len(want))])
		}
	}
}

func TestDefaultsReadBackAsTheyAreShown(t *testing.T) {
	type all struct {
		Text  string         `yaml:"text"`
		Texts []string       `yaml:"texts"`
		Map   map[string]any `yaml:"map"`
		Wait  time.Duration  `yaml:"wait"`
		Size  Size           `yaml:"size"`
	}
	texts := []string{"", "a", "null", "~", "true", "5", "1.5", "a: b", "a:", "#x", "a #b", "- a", "[x]", "{a}", "a,b", "'a'",
		`"`, "*a", "&a", "!a", "|", ">", "%", "@", "`", "a b", " a", "a ", "é", "a\nb", "\t", `\d+`, "007", "1e3", "0x1F", ":a", "?"}
	for _, want := range []all{
		{Texts: texts, Map: map[string]any{}},
		{Texts: []string{}, Map: map[string]any{"a": int64(1), "b c": "1", "d": []any{true, nil, 1.5}}},
		{Texts: []string{}, Map: map[string]any{}, Wait: 90 * time.Minute, Size: 3 * GiB},
		{Texts: []string{}, Map: map[string]any{}, Wait: 10 * time.Minute, Size: 1000},
		{Texts: []string{}, Map: map[string]any{}, Wait: 1500 * time.Microsecond, Size: KiB},
	} {
		for _, text := range texts {
			want.Text = text
			in := ""
			for _, f := range Fields(&want) {
				in += f.Name + ": " + f.Default + "\n"
			}
			var got all
			if err := Decode(parse(t, in), &got); err != nil {
				t.Fatalf("%s\n%v", in, err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s\n got %+v\nwant %+v", in, got, want)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "1": 1, "1023": 1023, "1KiB": KiB, "64MiB": 64 * MiB, "4GiB": 4 * GiB, "2TiB": 2 * TiB, "8388607TiB": 8388607 * TiB,
	} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%s became %d (%v), want %d", text, got, err, want)
		}
		if got.String() != text {
			t.Errorf("%d is shown as %s", got, got)
		}
	}
	for _, text := range []string{"", "KiB", "-1", "+1", "1 KiB", "1kib", "1K", "1KB", "1B", "1.5KiB", "0x10", "8388608TiB", "9223372036854775808", "1KiBKiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q became %d", text, got)
		}
	}
}

func TestNearestFindsMisspellings(t *testing.T) {
	known := []string{"topic", "brokers", "path", "paths", "on_full"}
	for name, want := range map[string]string{
		"topics": "topic", "topci": "topic", "tpoic": "topic", "Topic": "topic", "broker": "brokers", "pth": "path",
		"onfull": "on_full", "on-full": "on_full", "x": "", "zebra": "", "": "", "linger": "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if got, want := Suggest("zebra", slices.Clone(known)), "; known are brokers, on_full, path, paths, topic"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
