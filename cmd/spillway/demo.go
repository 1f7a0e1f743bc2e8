package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spillway/spillway/internal/demo"
)

type demoCmd struct {
	Dir string  `help:"Folder to work in." default:"demo-run"`
	For float64 `name:"seconds" help:"Stop after so many seconds; 0 runs until Ctrl-C." env:"DEMO_SECONDS" default:"0"`
}

// Validate is called when the command line has been read.
func (c *demoCmd) Validate() error {
	if c.For < 0 {
		return errors.New("--seconds must not be below 0")
	}
	return nil
}

func (c *demoCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends at once
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.For*float64(time.Second)))
		defer cancel()
	}
	return demo.Run(ctx, os.Args[0], filepath.Clean(c.Dir), os.Stdout)
}
