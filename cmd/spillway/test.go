package main

import (
	"fmt"
	"os"
)

type testCmd struct{ configFlag }

func (c *testCmd) Run() error {
	doc, err := c.load()
	if err != nil {
		return err
	}
	if len(doc.Tests) == 0 {
		return fmt.Errorf("%s has no tests: write some under tests", c.Config)
	}
	failed := 0
	for i := range doc.Tests {
		t := &doc.Tests[i]
		diffs, err := t.Run(doc)
		if err != nil {
			diffs = append(diffs, err.Error())
		}
		if len(diffs) == 0 {
			continue
		}
		failed++
		fmt.Fprintf(os.Stderr, "%s: pipeline %s: %s\n", t.Place(), t.Pipeline, t.Input)
		for _, d := range diffs {
			fmt.Fprintf(os.Stderr, "    %s\n", d)
		}
	}
	fmt.Printf("%d passed, %d failed\n", len(doc.Tests)-failed, failed)
	if failed > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}
