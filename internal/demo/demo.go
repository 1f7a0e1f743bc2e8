// Package demo shows Spillway at work: it writes live logs, ships them through
// real pipelines, and draws what happens.
package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spillway/spillway/internal/ownlog"
	"github.com/spillway/spillway/pipeline"
)

const configuration = `# What the demo runs. It is an ordinary configuration: try changing it.
data_dir: ./data
admin: {listen: ""}

pipelines:
  web:
    inputs:
      - file: {paths: [./logs/access.log*]}
    processors:
      - combined: {}
      - timestamp: {field: time, layout: '02/Jan/2006:15:04:05 -0700'}
      - drop: {when: 'path startsWith "/healthz"'}
      - remove: {fields: [message, time]}
      - set: {fields: {service.name: shop}}
    spool: {max_bytes: 256MiB, segment_bytes: 8MiB}
    outputs:
      - file: {path: ./out/web.jsonl, rotate: {max_bytes: 32MiB, keep: 3}}
  app:
    inputs:
      - file: {paths: [./logs/app.log*]}
    processors:
      - json: {}
      - timestamp: {field: time, layout: rfc3339}
      - drop: {when: 'level == "debug"'}
      - remove: {fields: [message, time]}
    spool: {max_bytes: 256MiB, segment_bytes: 8MiB}
    outputs:
      - file: {path: ./out/app.jsonl, rotate: {max_bytes: 32MiB, keep: 3}}
`

// Run runs the demo in dir until ctx is done and everything written has been
// delivered. program is how the person at the terminal calls this program.
func Run(ctx context.Context, program, dir string, out *os.File) error {
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o700); err != nil {
		return err
	}
	file := filepath.Join(dir, "spillway.yaml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		return err
	}
	doc, err := pipeline.Load(file)
	if err != nil {
		return err
	}
	lock, err := pipeline.LockDataDir(string(doc.DataDir))
	if err != nil {
		return err
	}
	defer lock.Unlock()
	logFile, err := os.Create(filepath.Join(dir, "spillway.log"))
	if err != nil {
		return err
	}
	defer logFile.Close()
	daemon, err := pipeline.NewDaemon(doc, "", false, ownlog.NewJSON(logFile, slog.LevelInfo))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Writing %[1]s/logs, shipping to %[1]s/out. Ctrl-C stops.\n\n", dir)
	if err := ship(ctx, daemon, dir, out); err != nil {
		return fmt.Errorf("%w; the log is %s", err, logFile.Name())
	}
	farewell(out, program, dir)
	return nil
}

// ship runs the pipelines while the writers write, and a little longer.
func ship(ctx context.Context, daemon *pipeline.Daemon, dir string, out *os.File) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- daemon.Run(running) }()

	writers := []*writer{
		{path: filepath.Join(dir, "logs", "access.log"), perSecond: 4000, rotateLines: 20_000, keep: 5, line: accessLine},
		{path: filepath.Join(dir, "logs", "app.log"), perSecond: 2000, rotateLines: 10_000, keep: 5, line: appLine},
	}
	var writing sync.WaitGroup
	failed := make(chan error, len(writers))
	for _, w := range writers {
		writing.Go(func() {
			if err := w.run(ctx); err != nil {
				failed <- err
			}
		})
	}
	v := newView(out, daemon)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			v.draw(now)
			continue
		case <-ctx.Done():
		case err := <-failed:
			return err
		case err := <-ended:
			return err
		}
		break
	}
	writing.Wait()
	settle(daemon)
	stop()
	err := <-ended
	v.draw(time.Now())
	return err
}

// settle gives the inputs time to see the last lines, which nobody announces.
func settle(daemon *pipeline.Daemon) {
	last := int64(-1)
	for range 20 {
		var read int64
		for _, p := range daemon.Pipelines() {
			read += p.Status().Account.Read
		}
		if read == last {
			return
		}
		last = read
		time.Sleep(100 * time.Millisecond)
	}
}

func farewell(out io.Writer, program, dir string) {
	fmt.Fprintf(out, `
Everything is in %[2]s, and its log in %[2]s/spillway.log. Try next:

  tail -2 %[2]s/out/web.jsonl
      what was delivered
  %[1]s audit -c %[2]s/spillway.yaml
      what became of every line, by file and by output
  %[1]s spool ls %[2]s/data/web
      what the spool still holds
  %[1]s demo --dir %[2]s
      on from here; kill -9 it, start it again, and audit

%[2]s/spillway.yaml is an ordinary configuration for "run";
more of them, ready for use, are in configs/ of the source.
`, program, dir)
}
