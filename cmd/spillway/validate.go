package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/spillway/spillway/admin"
	"github.com/spillway/spillway/pipeline"
)

// configFlag is the configuration that most verbs work on.
type configFlag struct {
	Config string `short:"c" help:"Configuration file, or folder of them." default:"/etc/spillway/spillway.yaml" type:"path" placeholder:"FILE|DIR"`
}

// load reads the configuration. Outputs are not looked at: whoever tests or audits
// it need not be the user that runs it.
func (c configFlag) load() (*pipeline.Document, error) {
	if _, err := os.Stat(c.Config); errors.Is(err, fs.ErrNotExist) {
		return nil, usage(fmt.Errorf("there is no configuration at %s: name one with -c FILE", c.Config))
	}
	doc, err := pipeline.Load(c.Config)
	return doc, usage(err)
}

// build reads the configuration and builds it once, to find what only building
// finds, such as a folder that cannot be written to.
func (c configFlag) build() (*pipeline.Document, error) {
	doc, err := c.load()
	if err != nil {
		return nil, err
	}
	if err := admin.CheckListen(doc.Admin.Listen); err != nil {
		return nil, usage(doc.At("admin", "listen", err))
	}
	return doc, usage(pipeline.Validate(doc, slog.New(slog.DiscardHandler)))
}

type validateCmd struct{ configFlag }

func (c *validateCmd) Run() error {
	doc, err := c.build()
	if err != nil {
		return err
	}
	fmt.Printf("%s is fine: %s, %s\n", c.Config, count(len(doc.Pipelines), "pipeline"), count(len(doc.Tests), "test"))
	return nil
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
