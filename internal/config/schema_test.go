package config

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compile(t *testing.T, schema map[string]any) *jsonschema.Schema {
	t.Helper()
	data, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchemaAgreesWithDecode holds both to the same list: what one takes, the other takes.
func TestSchemaAgreesWithDecode(t *testing.T) {
	s := compile(t, SchemaOf(defaults(), &common{OnFull: "block"}))
	for in, valid := range map[string]bool{
		"":                         true,
		"id: x":                    true,
		"on_full: drop":            true,
		"on_full: keep":            false,
		"idd: x":                   false,
		"name: 5":                  true,
		"name: true":               true,
		"name: [a]":                false,
		"name:":                    false,
		"codec: raw":               true,
		"codec: xml":               false,
		"codec: '${NONE:-raw}'":    true,
		"on: true":                 true,
		"on: 'true'":               false,
		"on: '${NONE:-true}'":      true,
		"port: 80":                 true,
		"port: '80'":               false,
		"port: '${PORT}'":          true,
		"port: 1.5":                false,
		"port: 65536":              false,
		"port: -1":                 false,
		"small: -128":              true,
		"small: -129":              false,
		"rate: 1":                  true,
		"rate: 0":                  false,
		"rate: 101":                false,
		"share: 0.5":               true,
		"share: 2":                 false,
		"pause: 10s":               true,
		"pause: 1h30m":             true,
		"pause: 0":                 true,
		"pause: 10":                false,
		"pause: 7d":                false,
		"pause: -1s":               false,
		"burst: 2048":              true,
		"burst: 64MiB":             true,
		"burst: '2048'":            true,
		"burst: 10MB":              false,
		"burst: -1":                false,
		"codes: [200]":             true,
		"codes: 200":               false,
		"codes: [99]":              false,
		"codes:":                   false,
		"labels: {a: b}":           true,
		"labels: {a: [b]}":         false,
		"fields: {a: [1, {b: ~}]}": true,
		"fields: [1]":              false,
		"tls: {cert: a}":           true,
		"tls: {cert: ''}":          false,
		"tls: {}":                  false,
		"tls:":                     false,
		"rules: [{cert: a}]":       true,
		"rules: [{key: a}]":        false,
		"coin: heads":              true,
		"coin: side":               false,
		"coins: {a: tails}":        true,
		"coins: {a: side}":         false,
		"raw: [anything]":          true,
	} {
		n := parse(t, in+"\npaths: [/p]\n")
		var d decoder
		asWritten := parse(t, strings.ReplaceAll(in, "${", "$${")+"\npaths: [/p]\n")
		if err := s.Validate(jsonOf(d.any(asWritten))); (err == nil) != valid {
			t.Errorf("schema on %q: %v", in, err)
		}
		if err := Decode(n, defaults(), &common{OnFull: "block"}); (err == nil) != valid {
			t.Errorf("Decode on %q: %v", in, err)
		}
	}
}

// jsonOf turns decoded YAML into what the validator takes.
func jsonOf(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		panic(err)
	}
	return doc
}

func TestSchemaWantsWhatIsRequired(t *testing.T) {
	s := compile(t, SchemaOf(defaults()))
	for in, valid := range map[string]bool{
		`{}`: false, `null`: false, `{"paths": []}`: false, `{"paths": ["a"]}`: true, `{"paths": ["${A}"], "port": "x${A}"}`: true,
	} {
		var v any
		if err := json.Unmarshal([]byte(in), &v); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); (err == nil) != valid {
			t.Errorf("%s: %v", in, err)
		}
	}
	if err := compile(t, SchemaOf(&common{})).Validate(nil); err != nil {
		t.Errorf("nothing behind the key of a map without required keys: %v", err)
	}
}

func TestSchemaCarriesDocsAndDefaults(t *testing.T) {
	properties := SchemaOf(defaults())["properties"].(map[string]any)
	for key, want := range map[string]string{
		"name":  `{"default":"n","description":"A name.","type":["string","number","boolean"]}`,
		"codes": `{"default":[200,404],"description":"Codes.","items":{"anyOf":[{"maximum":599,"minimum":100,"type":"integer"},{"pattern":"\\$\\{","type":"string"}]},"type":"array"}`,
		"burst": `{"anyOf":[{"minimum":0,"type":"integer"},{"pattern":"^[0-9]+(KiB|MiB|GiB|TiB)?$","type":"string"},{"pattern":"\\$\\{","type":"string"}],"default":"1MiB","description":"Bytes at once."}`,
		"coin":  `{"description":"A coin.","enum":["heads","tails"]}`,
	} {
		got, err := json.Marshal(properties[key])
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s:\n got %s\nwant %s", key, got, want)
		}
	}
}
