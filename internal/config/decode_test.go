package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

type level string

// coin decodes itself.
type coin struct{ side string }

func (c *coin) UnmarshalConfig(n *Node) error {
	switch n.Scalar() {
	case "heads", "tails":
		c.side = n.Scalar()
		return nil
	case "edge":
		return errors.New("it never stands on its edge")
	}
	return n.Wanted("heads or tails")
}

func (coin) DescribeConfig() (string, map[string]any) {
	return "coin", map[string]any{"enum": []any{"heads", "tails"}}
}

type limitsConfig struct {
	Rate  int           `yaml:"rate" doc:"Records a second." min:"1" max:"100"`
	Burst Size          `yaml:"burst" doc:"Bytes at once." min:"1KiB" max:"1GiB"`
	Wait  time.Duration `yaml:"wait" doc:"Longest wait." min:"10ms" max:"1h"`
	Share float64       `yaml:"share" doc:"Part of the whole." min:"0" max:"1"`
}

type tlsConfig struct {
	Cert Path `yaml:"cert" doc:"Certificate." required:"true" example:"cert.pem"`
	Key  Path `yaml:"key" doc:"Key."`
}

func (c *tlsConfig) Check() error {
	if c.Key == c.Cert {
		return At("key", errors.New("is the same as cert"))
	}
	return nil
}

// sample has a field of every type and rule.
type sample struct {
	limitsConfig
	Paths   []Path            `yaml:"paths" doc:"Files." required:"true" example:"[/var/log/*.log]"`
	Codec   level             `yaml:"codec" doc:"Encoding." oneof:"json,raw"`
	Name    string            `yaml:"name" doc:"A name."`
	On      bool              `yaml:"on" doc:"A switch."`
	Port    uint16            `yaml:"port" doc:"A port."`
	Small   int8              `yaml:"small" doc:"A small number."`
	Pause   time.Duration     `yaml:"pause" doc:"A pause."`
	Codes   []int             `yaml:"codes" doc:"Codes." min:"100" max:"599"`
	Labels  map[string]string `yaml:"labels" doc:"Labels."`
	Fields  map[string]any    `yaml:"fields" doc:"Values."`
	TLS     tlsConfig         `yaml:"tls" doc:"Encryption."`
	Coin    coin              `yaml:"coin" doc:"A coin."`
	Coins   map[string]coin   `yaml:"coins" doc:"Coins."`
	Rules   []tlsConfig       `yaml:"rules" doc:"Rules."`
	Raw     *Node             `yaml:"raw" doc:"Left as it is."`
	Ignored int               `yaml:"-"`
	checked int
}

func (c *sample) Check() error {
	c.checked++
	var errs []error
	if c.Name == "bad" {
		errs = append(errs, At("name", fmt.Errorf("is bad: %w", errBad)))
	}
	if i := slices.Index(c.Codes, 444); i >= 0 {
		errs = append(errs, At(fmt.Sprintf("codes[%d]", i), errors.New("is no code")))
	}
	if c.Small == 13 {
		errs = append(errs, errors.New("thirteen is not good"))
	}
	return errors.Join(errs...)
}

var errBad = errors.New("bad")

func defaults() *sample {
	return &sample{
		limitsConfig: limitsConfig{Rate: 10, Burst: MiB, Wait: time.Second, Share: 0.5},
		Codec:        "json", Name: "n", Codes: []int{200, 404}, Labels: map[string]string{"a": "b"},
		Pause: 168 * time.Hour, Coin: coin{side: "heads"},
	}
}

func parse(t *testing.T, in string) *Node {
	t.Helper()
	n, err := Parse("/conf/f.yaml", []byte(in), env("PORT", "8080", "SECRET", "s3cret", "EMPTY", "", "PAUSE", "5s"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDecodeFillsStructs(t *testing.T) {
	for in, change := range map[string]func(*sample){
		"":                                 func(*sample) {},
		"name: 12":                         func(s *sample) { s.Name = "12" },
		"name: 007":                        func(s *sample) { s.Name = "007" },
		"name: true":                       func(s *sample) { s.Name = "true" },
		"name: ''":                         func(s *sample) { s.Name = "" },
		"name: ${EMPTY}":                   func(s *sample) { s.Name = "" },
		"codec: raw":                       func(s *sample) { s.Codec = "raw" },
		"on: True":                         func(s *sample) { s.On = true },
		"port: 8080":                       func(s *sample) { s.Port = 8080 },
		"port: ${PORT}":                    func(s *sample) { s.Port = 8080 },
		"port: '${PORT}'":                  func(s *sample) { s.Port = 8080 },
		"{port: \"${NONE:-1}\"}":           func(s *sample) { s.Port = 1 },
		"name: ${PORT}":                    func(s *sample) { s.Name = "8080" },
		"on: '${NONE:-true}'":              func(s *sample) { s.On = true },
		"port: 0x1F":                       func(s *sample) { s.Port = 31 },
		"port: +5":                         func(s *sample) { s.Port = 5 },
		"small: -128":                      func(s *sample) { s.Small = -128 },
		"share: 1":                         func(s *sample) { s.Share = 1 },
		"share: 2.5e-1":                    func(s *sample) { s.Share = 0.25 },
		"pause: 1m30s":                     func(s *sample) { s.Pause = 90 * time.Second },
		"pause: 0":                         func(s *sample) { s.Pause = 0 },
		"pause: '10s'":                     func(s *sample) { s.Pause = 10 * time.Second },
		"pause: ${PAUSE}":                  func(s *sample) { s.Pause = 5 * time.Second },
		"burst: 2048":                      func(s *sample) { s.Burst = 2048 },
		"burst: 64MiB":                     func(s *sample) { s.Burst = 64 * MiB },
		"paths: [/a, b/*.log, ../c]":       func(s *sample) { s.Paths = []Path{"/a", "/conf/b/*.log", "/c"} },
		"paths:\n- ''":                     func(s *sample) { s.Paths = []Path{""} },
		"codes: []":                        func(s *sample) { s.Codes = []int{} },
		"codes: [100, 599]":                func(s *sample) { s.Codes = []int{100, 599} },
		"labels: {c: 1, d: x}":             func(s *sample) { s.Labels = map[string]string{"c": "1", "d": "x"} },
		"tls: {cert: c, key: k}":           func(s *sample) { s.TLS = tlsConfig{"/conf/c", "/conf/k"} },
		"coin: tails":                      func(s *sample) { s.Coin.side = "tails" },
		"coins: {a: heads}":                func(s *sample) { s.Coins = map[string]coin{"a": {"heads"}} },
		"rules: [{cert: /a}, {cert: /b}]":  func(s *sample) { s.Rules = []tlsConfig{{Cert: "/a"}, {Cert: "/b"}} },
		"fields: {a: 9007199254740993}":    func(s *sample) { s.Fields = map[string]any{"a": int64(9007199254740993)} },
		"fields: {a: 1.5, b: 1e3, c: '1'}": func(s *sample) { s.Fields = map[string]any{"a": 1.5, "b": 1000.0, "c": "1"} },
		"fields: {a: true, b: ~, c: yes}":  func(s *sample) { s.Fields = map[string]any{"a": true, "b": nil, "c": "yes"} },
		"fields: {a: [1, x], b: {c: -1}}": func(s *sample) {
			s.Fields = map[string]any{"a": []any{int64(1), "x"}, "b": map[string]any{"c": int64(-1)}}
		},
		"fields: {a: 01234, b: 1_0}":          func(s *sample) { s.Fields = map[string]any{"a": "01234", "b": "1_0"} },
		"fields: {a: 99999999999999999999}":   func(s *sample) { s.Fields = map[string]any{"a": "99999999999999999999"} },
		"fields: {a: .inf, b: nan, c: 1e999}": func(s *sample) { s.Fields = map[string]any{"a": ".inf", "b": "nan", "c": "1e999"} },
		"fields: {a: '${PORT}'}":              func(s *sample) { s.Fields = map[string]any{"a": "8080"} },
		"fields:\n  a: ${PORT}":               func(s *sample) { s.Fields = map[string]any{"a": int64(8080)} },
		"fields:\n  a: ${EMPTY}":              func(s *sample) { s.Fields = map[string]any{"a": ""} },
	} {
		t.Run(in, func(t *testing.T) {
			if !strings.Contains(in, "paths") {
				if strings.HasPrefix(in, "{") {
					in = "{paths: [/p], " + in[1:]
				} else {
					in += "\npaths: [/p]\n"
				}
			}
			got, want := defaults(), defaults()
			want.Paths = []Path{"/p"}
			want.checked = 1
			change(want)
			if err := Decode(parse(t, in), got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("\n got %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestDecodeKeepsTheNode(t *testing.T) {
	got := defaults()
	if err := Decode(parse(t, "paths: [/p]\nraw: {x: 1}"), got); err != nil {
		t.Fatal(err)
	}
	if tree(got.Raw) != "2:6 {2:7 x: 2:10 1}" {
		t.Errorf("got %s", tree(got.Raw))
	}
}

func TestDecodeRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"portt: 1":                       `1:1: unknown key "portt"; did you mean "port"?`,
		"tls: {cert: a, kye: b}":         `1:16: tls: unknown key "kye"; did you mean "key"?`,
		"tls: {cert: a, zzzzzz: b}":      `1:16: tls: unknown key "zzzzzz"; known are cert, key`,
		"name:":                          `1:1: name: wanted text, found nothing; write "" for an empty text`,
		"name: null":                     `1:7: name: wanted text, found nothing; write "" for an empty text`,
		"name: [a]":                      "1:7: name: wanted text, found a list",
		"name: {a: b}":                   "1:7: name: wanted text, found a map",
		"codec: jsn":                     `1:8: codec: wanted one of json, raw, found "jsn"; did you mean "json"?`,
		"codec: xml":                     `1:8: codec: wanted one of json, raw, found "xml"`,
		"codec: ${SECRET}":               `1:8: codec: wanted one of json, raw, found the value of "${SECRET}"`,
		"on: yes":                        `1:5: on: wanted true or false, found "yes"; write true`,
		"on: off":                        `1:5: on: wanted true or false, found "off"; write false`,
		"on: maybe":                      `1:5: on: wanted true or false, found "maybe"`,
		"on: 'true'":                     `1:5: on: wanted true or false, found the quoted text "true"; remove the quotes`,
		"on: ${SECRET}":                  `1:5: on: wanted true or false, found the value of "${SECRET}"`,
		"port: abc":                      `1:7: port: wanted an integer, found "abc"`,
		"port: '80'":                     `1:7: port: wanted an integer, found the quoted text "80"; remove the quotes`,
		"port: 1.5":                      `1:7: port: wanted an integer, found "1.5"`,
		"port: 080":                      `1:7: port: wanted an integer, found "080"`,
		"port: 1_000":                    `1:7: port: wanted an integer, found "1_000"`,
		"port: 65536":                    `1:7: port: must be between 0 and 65535, found "65536"`,
		"port: -1":                       `1:7: port: must be between 0 and 65535, found "-1"`,
		"port: ${SECRET}":                `1:7: port: wanted an integer, found the value of "${SECRET}"`,
		"port: ${EMPTY}":                 `1:7: port: wanted an integer, found the value of "${EMPTY}"`,
		"port:":                          "1:1: port: wanted an integer, found nothing",
		"small: 128":                     `1:8: small: must be between -128 and 127, found "128"`,
		"rate: 0":                        `1:7: rate: must be between 1 and 100, found "0"`,
		"rate: 101":                      `1:7: rate: must be between 1 and 100, found "101"`,
		"rate: 99999999999999999999":     `1:7: rate: must be between 1 and 100, found "99999999999999999999"`,
		"share: 1.01":                    `1:8: share: must be between 0 and 1, found "1.01"`,
		"share: half":                    `1:8: share: wanted a number, found "half"`,
		"share: .nan":                    `1:8: share: wanted a number, found ".nan"`,
		"share: inf":                     `1:8: share: wanted a number, found "inf"`,
		"pause: 10":                      `1:8: pause: wanted a duration such as 10s, found "10"; a number needs a unit: write 10s`,
		"pause: 7d":                      `1:8: pause: wanted a duration such as 10s, found "7d"; write it like 500ms, 10s, 5m or 168h`,
		"pause: -1s":                     `1:8: pause: must be at least 0s, found "-1s"`,
		"pause: ${PORT}":                 `1:8: pause: wanted a duration such as 10s, found the value of "${PORT}"; write it like 500ms, 10s, 5m or 168h`,
		"wait: 2h":                       `1:7: wait: must be between 10ms and 1h, found "2h"`,
		"burst: 10MB":                    `1:8: burst: wanted a size such as 64MiB, found "10MB", which is not a size: write 10MiB`,
		"burst: 10 gib":                  `1:8: burst: wanted a size such as 64MiB, found "10 gib", which is not a size: write 10GiB`,
		"burst: 99999999999999999999":    `1:8: burst: wanted a size such as 64MiB, found "99999999999999999999", which is too large: the largest size is 9223372036854775807`,
		"burst: 1.5GiB":                  `1:8: burst: wanted a size such as 64MiB, found "1.5GiB", which is not a size: write a whole number with KiB, MiB, GiB or TiB, or of plain bytes`,
		"burst: 1":                       `1:8: burst: must be between 1KiB and 1GiB, found "1"`,
		"burst: 9999999999TiB":           `1:8: burst: wanted a size such as 64MiB, found "9999999999TiB", which is too large: the largest size is 9223372036854775807`,
		"codes: 200":                     `1:8: codes: wanted a list, found "200"; write [200]`,
		"codes: 'a: b'":                  `1:8: codes: wanted a list, found the quoted text "a: b"; write ["a: b"]`,
		"codes: ${PORT}":                 `1:8: codes: wanted a list, found the value of "${PORT}"; write ["${PORT}"]`,
		"codes:":                         "1:1: codes: wanted a list, found nothing",
		"codes: {a: 1}":                  "1:8: codes: wanted a list, found a map; each item of a list begins with \"- \"",
		"codes: [200, 99]":               `1:14: codes[1]: must be between 100 and 599, found "99"`,
		"codes: [200, 444]":              "1:14: codes[1]: is no code",
		"labels: [a]":                    "1:9: labels: wanted a map, found a list",
		"labels: {a: [b]}":               "1:13: labels.a: wanted text, found a list",
		"tls: x":                         `1:6: tls: wanted a map, found "x"`,
		"tls: {}":                        `1:6: tls: the key "cert" is missing, for example cert: cert.pem`,
		"tls:":                           `1:1: tls: the key "cert" is missing, for example cert: cert.pem`,
		"tls: {cert: ''}":                "1:13: tls.cert: must not be empty",
		"tls: {cert: a, key: a}":         "1:21: tls.key: is the same as cert",
		"rules: [{cert: a}, {key: a}]":   `1:20: rules[1]: the key "cert" is missing, for example cert: cert.pem`,
		"coin: side":                     `1:7: coin: wanted heads or tails, found "side"`,
		"coin: edge":                     "1:7: coin: it never stands on its edge",
		"coins: {a: edge}":               "1:12: coins.a: it never stands on its edge",
		"name: bad":                      "1:7: name: is bad: bad",
		"small: 13":                      "1:1: thirteen is not good",
		"ignored: 1":                     `1:1: unknown key "ignored"; known are burst, codec, codes, coin, coins, fields, labels, name, on, paths, pause, port, rate, raw, rules, share, small, tls, wait`,
		strings.Repeat("x", 100) + ": 1": `1:1: unknown key "` + strings.Repeat("x", 60) + `..."; known are burst, codec, codes, coin, coins, fields, labels, name, on, paths, pause, port, rate, raw, rules, share, small, tls, wait`,
	} {
		t.Run(in, func(t *testing.T) {
			err := Decode(parse(t, in+"\npaths: [/p]\n"), defaults())
			if err == nil {
				t.Fatalf("no error, want %s", want)
			}
			if got := err.Error(); got != "/conf/f.yaml:"+want {
				t.Errorf("\n got %s\nwant /conf/f.yaml:%s", got, want)
			}
		})
	}
}

func TestRequiredMeansNotEmpty(t *testing.T) {
	for in, want := range map[string]string{
		"":          `1:1: the key "paths" is missing, for example paths: [/var/log/*.log]`,
		"paths:":    "1:1: paths: wanted a list, found nothing",
		"paths: []": "1:8: paths: must not be empty",
		// What is misspelled is not missing as well.
		"path: [a]":        `1:1: unknown key "path"; did you mean "paths"?`,
		"paths: [~/a.log]": "1:9: paths[0]: ~ is not replaced by the home folder; write ${HOME}/a.log",
	} {
		err := Decode(parse(t, in), defaults())
		if err == nil || err.Error() != "/conf/f.yaml:"+want {
			t.Errorf("%q:\n got %v\nwant /conf/f.yaml:%s", in, err, want)
		}
	}
}

func TestDecodeReportsAllMistakesInOrder(t *testing.T) {
	err := Decode(parse(t, "rate: 0\ncodec: x\ntls: {kee: a}\nport: p\n"), defaults())
	const want = `/conf/f.yaml:1:1: the key "paths" is missing, for example paths: [/var/log/*.log]
/conf/f.yaml:1:7: rate: must be between 1 and 100, found "0"
/conf/f.yaml:2:8: codec: wanted one of json, raw, found "x"
/conf/f.yaml:3:6: tls: the key "cert" is missing, for example cert: cert.pem
/conf/f.yaml:3:7: tls: unknown key "kee"; did you mean "key"?
/conf/f.yaml:4:7: port: wanted an integer, found "p"`
	if err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

func TestCheckRunsOnlyOnWhatDecoded(t *testing.T) {
	s := defaults()
	if err := Decode(parse(t, "rate: 0\nname: bad\npaths: [/p]\n"), s); err == nil || s.checked != 0 {
		t.Errorf("checked %d times after %v", s.checked, err)
	}
}

func TestAnInlinedCheckSpeaksOnce(t *testing.T) {
	type outer struct {
		tlsConfig        // its Check is promoted to outer
		Name      string `yaml:"name"`
	}
	err := Decode(parse(t, "{cert: a, key: a, name: n}"), &outer{})
	const want = "/conf/f.yaml:1:16: key: is the same as cert"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestErrorsKeepTheirCauseAndPlace(t *testing.T) {
	err := Decode(parse(t, "paths: [/p]\nname: bad\n"), defaults())
	var placed *Error
	if !errors.Is(err, errBad) || !errors.As(err, &placed) {
		t.Fatalf("got %v", err)
	}
	want := Error{File: "/conf/f.yaml", Line: 2, Column: 7, Path: "name", Msg: "is bad: bad"}
	got := *placed
	got.cause = nil
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

type common struct {
	ID     string `yaml:"id" doc:"A name."`
	OnFull string `yaml:"on_full" doc:"What to do." oneof:"block,drop"`
}

func TestSeveralStructsShareAMap(t *testing.T) {
	own, shared := &tlsConfig{}, &common{OnFull: "block"}
	if err := Decode(parse(t, "cert: /c\nid: x\n"), own, shared); err != nil {
		t.Fatal(err)
	}
	if own.Cert != "/c" || *shared != (common{ID: "x", OnFull: "block"}) {
		t.Errorf("got %+v and %+v", own, shared)
	}
	err := Decode(parse(t, "cert: /c\nonfull: block\n"), own, shared)
	const want = `/conf/f.yaml:2:1: unknown key "onfull"; did you mean "on_full"?`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestProgramMistakesPanic(t *testing.T) {
	type unsupported struct {
		C chan int `yaml:"c"`
	}
	type badBound struct {
		N int `yaml:"n" min:"x"`
	}
	for name, dst := range map[string][]any{
		"no pointer":        {sample{}},
		"no struct":         {new(int)},
		"nil":               {(*sample)(nil)},
		"a key twice":       {&common{}, &common{}},
		"unsupported field": {&unsupported{}},
		"bad bound":         {&badBound{}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_ = Decode(parse(t, "c: 1\nn: 1\n"), dst...)
		})
	}
}

func TestRelativePathsStartAtTheFile(t *testing.T) {
	wd, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	n, err := Parse("conf.d/f.yaml", []byte("cert: c.pem"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var c tlsConfig
	if err := Decode(n, &c); err != nil {
		t.Fatal(err)
	}
	if want := Path(filepath.Join(wd, "conf.d", "c.pem")); c.Cert != want {
		t.Errorf("got %s, want %s", c.Cert, want)
	}
}
