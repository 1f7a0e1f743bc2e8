package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spillway/spillway/internal/demo"
)

type demoCmd struct {
	Dir string  `help:"Folder to work in." default:"./demo-run" type:"path"`
	For float64 `name:"seconds" help:"Stop after so many seconds; 0 runs until Ctrl-C." env:"DEMO_SECONDS" default:"0"`
}

func (c *demoCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.For*float64(time.Second)))
		defer cancel()
	}
	fmt.Printf("Writing logs into %s/logs, shipping them to %s/out. Stop with Ctrl-C.\n\n", c.Dir, c.Dir)
	return demo.Run(ctx, c.Dir, os.Stdout)
}
