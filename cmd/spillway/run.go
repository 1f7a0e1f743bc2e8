package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spillway/spillway/admin"
	"github.com/spillway/spillway/internal/ownlog"
	"github.com/spillway/spillway/pipeline"
)

type runCmd struct {
	configFlag
	Once     bool   `help:"Read what is there, deliver it, and exit."`
	LogLevel string `help:"Least level of the own log." enum:"debug,info,warn,error" default:"info"`
}

func (c *runCmd) Run() error {
	doc, err := c.build()
	if err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return usage(err)
	}
	return c.run(doc, ownlog.New(os.Stderr, level))
}

func (c *runCmd) run(doc *pipeline.Document, log *slog.Logger) error {
	dir, err := pipeline.LockDataDir(string(doc.DataDir))
	if err != nil {
		return err
	}
	defer dir.Unlock()
	daemon, err := pipeline.NewDaemon(doc, bootID(), c.Once, log)
	if err != nil {
		return usage(err)
	}
	p := &process{Daemon: daemon, config: c.configFlag}
	server, err := admin.Start(doc.Admin.Listen, string(doc.DataDir), p, log)
	if err != nil {
		return err
	}
	defer server.Close()

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	ended := make(chan error, 1)
	log.Info("spillway is running", "version", buildVersion(), "pid", os.Getpid(), "config", c.Config, "data_dir", doc.DataDir)
	go func() { ended <- daemon.Run(ctx) }()
	for {
		select {
		case err := <-ended:
			log.Info("spillway has ended")
			return err
		case s := <-signals:
			switch {
			case s == syscall.SIGHUP:
				go p.hangup(ctx, log)
			case ctx.Err() != nil:
				log.Warn("second signal: leaving at once; what is undelivered stays in the spool", "signal", s.String())
				return &exitError{code: exitForced}
			default:
				log.Info("stopping: inputs end, outputs drain; a second signal leaves at once", "signal", s.String())
				stop()
			}
		}
	}
}

// process is what the admin pages and signals act on.
type process struct {
	*pipeline.Daemon
	config configFlag
}

// Reload reads the configuration again.
func (p *process) Reload(context.Context) (any, error) {
	doc, err := p.config.build()
	if err != nil {
		return nil, err
	}
	return p.Daemon.Reload(doc)
}

func (p *process) hangup(ctx context.Context, log *slog.Logger) {
	changes, err := p.Reload(ctx)
	if err != nil {
		log.Error("the new configuration is refused; the old one goes on", "error", err)
		return
	}
	log.Info("reloaded", "changes", fmt.Sprintf("%+v", changes))
}

// bootID tells this boot of the machine from others, where the system says.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
