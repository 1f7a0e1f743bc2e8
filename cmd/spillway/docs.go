package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/spillway/spillway/internal/reference"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

type listCmd struct{}

func (listCmd) Run() error {
	for _, kind := range reference.Kinds() {
		fmt.Printf("%ss\n", kind.Name)
		for _, e := range kind.Entries {
			fmt.Printf("  %-12s %s\n", e.Name, e.Summary)
		}
	}
	return nil
}

type docsCmd struct {
	Component string `arg:"" optional:"" help:"A component, such as file or json; several kinds may share a name."`
	Write     string `help:"Write all pages and the schema into this folder." type:"path" placeholder:"DIR"`
	Source    string `help:"The source tree, whose components' doc.md go into the pages." type:"path" placeholder:"DIR"`
}

func (c *docsCmd) Run() error {
	var root fs.FS
	if c.Source != "" {
		root = os.DirFS(c.Source)
	}
	pages, err := reference.Pages(root)
	if err != nil {
		return err
	}
	if c.Write != "" {
		return reference.Write(c.Write, pages)
	}
	found := false
	for _, p := range pages {
		if c.Component == "" || p.Component == c.Component {
			os.Stdout.Write(p.Text)
			found = true
		}
	}
	if !found {
		return usage(fmt.Errorf("there is no component %q: see spillway list", c.Component))
	}
	return nil
}

type schemaCmd struct{}

func (schemaCmd) Run() error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(reference.Schema())
}
