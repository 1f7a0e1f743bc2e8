package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints a script that completes verbs and flags. For bash:
// source <(spillway completion bash).
func (c *completionCmd) Run(parser *kong.Kong) error {
	words := map[string][]string{}
	collect(words, parser.Model.Node, nil)
	switch c.Shell {
	case "bash":
		printBash(words)
	case "zsh":
		fmt.Println("autoload -U +X bashcompinit && bashcompinit")
		printBash(words)
	case "fish":
		printFish(words)
	}
	return nil
}

// collect lists, for each path of verbs, what may follow it.
func collect(words map[string][]string, n *kong.Node, path []string) {
	key := strings.Join(path, " ")
	for _, child := range n.Children {
		if child.Type != kong.CommandNode {
			continue
		}
		words[key] = append(words[key], child.Name)
		collect(words, child, append(path[:len(path):len(path)], child.Name))
	}
	for _, f := range n.Flags {
		words[key] = append(words[key], "--"+f.Name)
	}
}

func printBash(words map[string][]string) {
	fmt.Print(`_spillway() {
  local path="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${COMP_WORDS[i]}" in -*) ;; *) path="${path:+$path }${COMP_WORDS[i]}" ;; esac
  done
  case "$path" in
`)
	for _, path := range sorted(words) {
		fmt.Printf("    %q) COMPREPLY=($(compgen -W %q -- \"${COMP_WORDS[COMP_CWORD]}\")) ;;\n", path, strings.Join(words[path], " "))
	}
	fmt.Print(`  esac
}
complete -o default -F _spillway spillway
`)
}

func printFish(words map[string][]string) {
	for _, path := range sorted(words) {
		condition := "__fish_use_subcommand"
		if path != "" {
			condition = "__fish_seen_subcommand_from " + path
		}
		for _, w := range words[path] {
			if name, ok := strings.CutPrefix(w, "--"); ok {
				fmt.Printf("complete -c spillway -n %q -l %s\n", condition, name)
			} else {
				fmt.Printf("complete -c spillway -f -n %q -a %s\n", condition, w)
			}
		}
	}
}
