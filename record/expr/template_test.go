package expr

import (
	"strings"
	"testing"

	"github.com/spillway/spillway/record"
)

func TestTemplates(t *testing.T) {
	b := record.NewBatch()
	defer b.Release()
	r := object(t, b, sample)
	for text, want := range map[string]string{
		"":                         "",
		"constant }} {x}":          "constant }} {x}",
		"{{path}}":                 "/healthz",
		"a{{ status }}b{{ok}}":     "a503btrue",
		"{{user.id}}{{a.b}}":       "7dotted",
		"{{text}}":                 "a\tb",
		"{{{{path}} {{path}} {{{{": "{{path}} /healthz {{",
		"{{user}}":                 `{"id":7,"names":["x","y"],"deep":{"n":null}}`,
		"{{empty}}":                "",
	} {
		template, err := ParseTemplate(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, ok := template.Append([]byte("x"), r)
		if want = "x" + strings.ReplaceAll(want, "\n", " "); !ok || string(got) != want {
			t.Errorf("%s gives %q, %v", text, got, ok)
		}
		if template.String() != text || template.Missing(r) != "" {
			t.Errorf("%s: %q misses %q", text, template, template.Missing(r))
		}
	}
}

func TestTemplateWithoutItsFieldGivesNothing(t *testing.T) {
	b := record.NewBatch()
	defer b.Release()
	r := object(t, b, sample)
	for text, field := range map[string]string{"a{{path}}{{missing}}": "missing", "{{nothing}}": "nothing", "{{user.x}}": "user.x"} {
		template, err := ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := template.Append([]byte("x"), r); ok || string(got) != "x" {
			t.Errorf("%s gives %q, %v", text, got, ok)
		}
		if got := template.Missing(r); got != field {
			t.Errorf("%s misses %q", text, got)
		}
	}
}

func TestTemplatesKnowWhatIsLiteral(t *testing.T) {
	for text, want := range map[string]struct {
		prefix   string
		constant bool
	}{
		"/logs/{{a}}/x": {"/logs/", false}, "{{a}}": {"", false}, "plain": {"plain", true}, "{{{{x": {"{{x", true}, "": {"", true},
	} {
		template, err := ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		constant, ok := template.Constant()
		if template.Prefix() != want.prefix || ok != want.constant || ok && constant != want.prefix {
			t.Errorf("%s: prefix %q, constant %q %v", text, template.Prefix(), constant, ok)
		}
	}
}

func TestWrongTemplatesSayWhere(t *testing.T) {
	for text, want := range map[string]string{
		"é{{a":       "character 2: {{ without }}",
		"ab{{ }}":    `character 3: "" is no field name`,
		"{{a{{b}}":   `"a{{b" is no field name`,
		"{{a}}{{b}c": "character 6: {{ without }}",
	} {
		if _, err := ParseTemplate(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("a{{b}}c{{{{")
	b := record.NewBatch()
	r := object(f, b, sample)
	f.Fuzz(func(t *testing.T, text string) {
		template, err := ParseTemplate(text)
		if err != nil {
			return
		}
		if got, ok := template.Append(nil, r); ok && !strings.HasPrefix(string(got), template.Prefix()) {
			t.Fatalf("%q gives %q", text, got)
		}
	})
}
