package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spillway/spillway/pipeline"
)

// configFlag is the configuration that most verbs work on.
type configFlag struct {
	Config string `short:"c" help:"Configuration file, or folder of them." default:"/etc/spillway/spillway.yaml" type:"path" placeholder:"FILE|DIR"`
}

// load reads the configuration and builds it once, to find what only building
// finds, such as a regular expression that does not compile.
func (c configFlag) load() (*pipeline.Document, error) {
	doc, err := pipeline.Load(c.Config)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usage(fmt.Errorf("there is no configuration at %s: name one with -c FILE", c.Config))
	}
	if err != nil {
		return nil, usage(err)
	}
	return doc, usage(pipeline.Validate(doc, slog.New(slog.NewTextHandler(io.Discard, nil))))
}

type validateCmd struct{ configFlag }

func (c *validateCmd) Run() error {
	doc, err := c.load()
	if err != nil {
		return err
	}
	fmt.Printf("%s is fine: %d pipelines, %d tests\n", c.Config, len(doc.Pipelines), len(doc.Tests))
	return nil
}
