package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestBashCompletesWhatMayFollow(t *testing.T) {
	var script strings.Builder
	printBash(&script, collect(kong.Must(&commands{}, kong.Vars{"version": ""}).Model.Node, nil))
	for line, want := range map[string]string{
		"ru":                       "run",
		"spool i":                  "inspect",
		"run --o":                  "--once",
		"run -c some.yaml --o":     "--once",
		"run -c ":                  "",
		"spool cat /var/x --h":     "",
		"completion z":             "zsh",
		"audit --json --config x ": "--config --json",
	} {
		words := strings.Split("spillway "+line, " ")
		ask := exec.Command("bash", append([]string{"-c", script.String() +
			"\nCOMP_WORDS=(\"$0\" \"$@\"); COMP_CWORD=$#; _spillway; echo \"${COMPREPLY[*]}\""}, words...)...)
		got, err := ask.Output()
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%q: got %q, %v, want %q", line, got, err, want)
		}
	}
}
