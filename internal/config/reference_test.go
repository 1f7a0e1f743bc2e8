package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReferencesAreReplaced(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	abs := write("token", "s3cret\n")
	write("crlf", "a\r\n")
	write("lines", "a\n\n")
	write("cr", "a\r")
	r := references{folder: folder, env: env("A", "1", "EMPTY", "", "REF", "${A}", "NAME", "token", "_x9", "u")}
	for in, want := range map[string]string{
		"":                      "",
		"plain":                 "plain",
		"${A}":                  "1",
		"x${A}y${A}z":           "x1y1z",
		"${_x9}":                "u",
		"${EMPTY}":              "",
		"${env:A}":              "1",
		"${env:NONE:-d}":        "d",
		"${A:-d}":               "1",
		"${NONE:-d e}":          "d e",
		"${NONE:-}":             "",
		"${EMPTY:-d}":           "d",
		"${NONE:-${A}}":         "1",
		"${NONE:-${EMPTY:-x}}y": "xy",
		"${A:-${NONE}}":         "1",
		"${A:?needed}":          "1",
		`${NONE:-\d{3}}`:        `\d{3}`,
		`${A:-\d{3}}!`:          "1!",
		"${NONE:-$${x}}":        "${x}",
		"${NONE:-$${x}${A}}":    "${x}1",
		"${REF}":                "${A}",
		"$${A}":                 "${A}",
		"$$${A}":                "$${A}",
		"$${A} ${A}":            "${A} 1",
		"$A $ $$ 5$":            "$A $ $$ 5$",
		"^a$":                   "^a$",
		"}{":                    "}{",
		"${A}}":                 "1}",
		"${file:token}":         "s3cret",
		"${file:" + abs + "}":   "s3cret",
		"${file:${NAME}}":       "s3cret",
		"${file:crlf}":          "a",
		"${file:lines}":         "a\n",
		"${file:cr}":            "a\r",
	} {
		got, changed, err := r.expand(in)
		if err != nil || got != want {
			t.Errorf("%q became %q (%v), want %q", in, got, err, want)
		}
		if changed != strings.Contains(in, "${") {
			t.Errorf("%q: changed is %v", in, changed)
		}
	}
}

func TestReferencesAreRefused(t *testing.T) {
	folder := t.TempDir()
	large := filepath.Join(folder, "large")
	if err := os.WriteFile(large, make([]byte, maxReferencedBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(folder, "half")
	if err := os.WriteFile(half, make([]byte, maxReferencedBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	const form = "write ${NAME}, ${NAME:-default}, ${NAME:?message}, ${env:NAME} or ${file:/path}, or $${ for a literal ${"
	r := references{folder: folder, env: env("A", "1", "EMPTY", "")}
	for in, want := range map[string]string{
		"${NONE}":                         "the environment variable NONE is not set; write ${NONE:-default} to do without",
		"${env:NONE}":                     "the environment variable NONE is not set; write ${NONE:-default} to do without",
		"${NONE:?set the key}":            "the environment variable NONE is not set: set the key",
		"${EMPTY:?it ${A}}":               "the environment variable EMPTY is not set: it 1",
		"${NONE:-${NADA}}":                "the environment variable NADA is not set; write ${NADA:-default} to do without",
		"x${A":                            `the reference "${A" has no closing brace; write $${ for a literal ${`,
		"${":                              `the reference "${" has no closing brace; write $${ for a literal ${`,
		"${NONE:-a":                       `the reference "${NONE:-a" has no closing brace; write $${ for a literal ${`,
		"${A:-a{b}":                       `the reference "${A:-a{b}" has no closing brace; write $${ for a literal ${`,
		"${NONE:?a":                       `the reference "${NONE:?a" has no closing brace; write $${ for a literal ${`,
		"${file:/x":                       `the reference "${file:/x" has no closing brace; write $${ for a literal ${`,
		"${}":                             `"${}" is not a reference: ` + form,
		"${a.b}":                          `"${a.b}" is not a reference: ` + form,
		"${1A}":                           `"${1A}" is not a reference: ` + form,
		"${A-b}":                          `"${A-b}" is not a reference: ` + form,
		"${A:b}":                          `"${A:b}" is not a reference: ` + form,
		"${ A }":                          `"${ A }" is not a reference: ` + form,
		"${file:}":                        "${file:} names no file",
		"${file:none}":                    "reference to a file: stat " + folder + "/none: no such file or directory",
		"${file:.}":                       "reference to a file: " + folder + " is not a regular file",
		"${file:/dev/zero}":               "reference to a file: /dev/zero is not a regular file",
		"${file:large}":                   "reference to a file: " + large + " is larger than 1MiB",
		strings.Repeat("${file:half}", 5): "the value is larger than 4MiB with its references replaced",
		strings.Repeat("${N:-", 20) + strings.Repeat("}", 20): "references are nested more than 16 deep",
	} {
		_, _, err := r.expand(in)
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", in, err, want)
		}
	}
}
