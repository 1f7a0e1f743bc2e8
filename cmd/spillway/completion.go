package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints a script that completes verbs and flags. For bash:
// source <(spillway completion bash).
func (c *completionCmd) Run(parser *kong.Kong) error {
	verbs := collect(parser.Model.Node, nil)
	switch c.Shell {
	case "bash":
		printBash(os.Stdout, verbs)
	case "zsh":
		fmt.Println("autoload -U +X bashcompinit && bashcompinit")
		printBash(os.Stdout, verbs)
	case "fish":
		printFish(os.Stdout, verbs)
	}
	return nil
}

// verb is a path of words, such as "spool ls", and what may follow it.
type verb struct {
	path  string
	words []string // further verbs, or the values of an argument
	flags []*kong.Flag
}

// collect lists the verbs below n, longer paths before their beginnings.
func collect(n *kong.Node, path []string) []verb {
	var below []verb
	v := verb{path: strings.Join(path, " "), flags: n.Flags}
	for _, child := range n.Children {
		if child.Type == kong.CommandNode {
			v.words = append(v.words, child.Name)
			below = append(below, collect(child, append(path[:len(path):len(path)], child.Name))...)
		}
	}
	for _, p := range n.Positional {
		if p.Enum != "" {
			v.words = append(v.words, p.EnumSlice()...)
		}
	}
	return append(below, v)
}

// printBash offers words and flags; where a flag wants a value, or nothing fits,
// the shell falls back to the names of files.
func printBash(w io.Writer, verbs []verb) {
	fmt.Fprint(w, `_spillway() {
  local path="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${COMP_WORDS[i]}" in -*) ;; *) path="${path:+$path }${COMP_WORDS[i]}" ;; esac
  done
`)
	var valued []string
	for _, v := range verbs {
		for _, f := range v.flags {
			if !f.IsBool() {
				valued = append(valued, names(f)...)
			}
		}
	}
	slices.Sort(valued)
	fmt.Fprintf(w, "  case \"${COMP_WORDS[COMP_CWORD - 1]}\" in %s) return ;; esac\n", strings.Join(slices.Compact(valued), "|"))
	fmt.Fprintln(w, `  case "$path " in`)
	for _, v := range verbs {
		words := v.words
		for _, f := range v.flags {
			words = append(words, "--"+f.Name)
		}
		pattern := fmt.Sprintf("%q*", v.path+" ")
		if v.path == "" {
			pattern = `" "`
		}
		fmt.Fprintf(w, "    %s) COMPREPLY=($(compgen -W %q -- \"${COMP_WORDS[COMP_CWORD]}\")) ;;\n", pattern, strings.Join(words, " "))
	}
	fmt.Fprint(w, `  esac
}
complete -o default -F _spillway spillway
`)
}

// names are a flag's ways to be written.
func names(f *kong.Flag) []string {
	all := []string{"--" + f.Name}
	if f.Short != 0 {
		all = append(all, "-"+string(f.Short))
	}
	return all
}

func printFish(w io.Writer, verbs []verb) {
	for _, v := range verbs {
		condition := "__fish_use_subcommand"
		if v.path != "" {
			condition = "__fish_seen_subcommand_from " + v.path
		}
		for _, word := range v.words {
			fmt.Fprintf(w, "complete -c spillway -f -n %q -a %s\n", condition, word)
		}
		for _, f := range v.flags {
			fmt.Fprintf(w, "complete -c spillway -n %q -l %s", condition, f.Name)
			if f.Short != 0 {
				fmt.Fprintf(w, " -s %c", f.Short)
			}
			if !f.IsBool() {
				fmt.Fprint(w, " -r")
			}
			fmt.Fprintf(w, " -d %q\n", f.Help)
		}
	}
}
