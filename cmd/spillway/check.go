package main

import (
	"context"
	"fmt"
	"log/slog"
	"os/signal"
	"syscall"
	"time"

	"github.com/spillway/spillway/pipeline"
)

type checkCmd struct {
	configFlag
	Timeout time.Duration `help:"How long each component may take." default:"10s"`
}

func (c *checkCmd) Run() error {
	doc, err := c.load()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	reached, err := pipeline.Check(ctx, doc, c.Timeout, slog.New(slog.DiscardHandler))
	if err != nil {
		return usage(err)
	}
	failed := 0
	for _, r := range reached {
		what := "fine"
		switch {
		case r.Peerless:
			what = "has no peer to reach"
		case r.Err != nil:
			failed++
			what = "FAILED: " + r.Err.Error()
		}
		fmt.Printf("%s: %s %s: %s\n", r.Pipeline, r.Kind, r.ID, what)
	}
	if failed > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}
