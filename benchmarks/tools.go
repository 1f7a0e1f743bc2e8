package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/template"
)

//go:embed cases
var cases embed.FS

// A duty is what a tool has to do in one run.
type duty struct {
	Scenario string
	Input    string // file to read
	Follow   bool   // the file grows
	Address  string // of the sink or the broker, host:port
	Topic    string // of the broker; empty where lines go to a socket
	Host     string
	Port     string
	Blocked  string // address of a peer that never reads; isolation only
	Dir      string // folder of the run, for configuration and state
}

func newDuty(scenario, input, address, dir string) (duty, error) {
	host, port, err := net.SplitHostPort(address)
	return duty{Scenario: scenario, Input: input, Address: address, Host: host, Port: port, Dir: dir}, err
}

// A tool ships lines from a file to the sink.
type tool struct {
	name    string
	version string
	// takes says whether the tool has a part in a scenario.
	takes func(scenario string) bool
	// command prepares a run. What it opens for the command is closed by release, which may be nil.
	command func(ctx context.Context, d duty) (cmd *exec.Cmd, release func(), err error)
}

// findTools returns the tools that were asked for, or all that are here. An absent one that was asked for is a usageError.
func findTools(ctx context.Context, o options) ([]tool, error) {
	var found []tool
	wanted := func(name string) bool { return len(o.tools) == 0 || slices.Contains(o.tools, name) }
	if wanted("spillway") || o.isolation {
		t, err := spillwayTool(ctx, o)
		if err != nil {
			return nil, err
		}
		found = append(found, t)
	}
	if wanted("bare") {
		found = append(found, bareTool())
	}
	if wanted("writer") {
		found = append(found, writerTool())
	}
	if path, err := exec.LookPath("cat"); wanted("cat") && err == nil {
		found = append(found, catTool(path, versionOf(ctx, path, "--version")))
	}
	for _, p := range peers {
		if path, err := p.find(); wanted(p.name) && err == nil {
			found = append(found, p.tool(path, versionOf(ctx, path, p.versionArg)))
		}
	}
	for _, name := range o.tools {
		if !slices.ContainsFunc(found, func(t tool) bool { return t.name == name }) {
			return nil, usagef("tool %q is not here", name)
		}
	}
	return found, nil
}

// spillwayTool builds the binary where none is given.
func spillwayTool(ctx context.Context, o options) (tool, error) {
	binary := o.spillway
	if binary == "" {
		binary = filepath.Join(o.dir, "spillway")
		build := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/spillway/spillway/cmd/spillway")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return tool{}, fmt.Errorf("build spillway: %w\n%s", err, out)
		}
	}
	return tool{
		name: "spillway", version: spillwayVersion(ctx, binary), takes: hasCase("spillway.yaml"),
		command: func(ctx context.Context, d duty) (*exec.Cmd, func(), error) {
			config, err := render(d, "spillway.yaml")
			return exec.CommandContext(ctx, binary, "run", "-c", config), nil, err
		},
	}, nil
}

// spillwayVersion returns what stands after the name in "spillway VERSION (…)".
func spillwayVersion(ctx context.Context, binary string) string {
	out, err := exec.CommandContext(ctx, binary, "version").Output()
	if words := strings.Fields(string(out)); err == nil && len(words) > 1 {
		return words[1]
	}
	return "unknown"
}

// bareTool is this program running as the bare loop, or as the one to Kafka.
func bareTool() tool {
	return tool{
		name: "bare", version: runtime.Version(), takes: func(name string) bool { return name != "isolation" && name != "s6" },
		command: func(ctx context.Context, d duty) (*exec.Cmd, func(), error) {
			self, err := os.Executable()
			if d.Topic != "" {
				return exec.CommandContext(ctx, self, "bare-kafka", "-input", d.Input, "-address", d.Address, "-topic", d.Topic,
					"-dir", d.Dir, fmt.Sprintf("-follow=%t", d.Follow)), nil, err
			}
			return exec.CommandContext(ctx, self, "bare", "-scenario", d.Scenario, "-input", d.Input, "-address", d.Address,
				"-dir", d.Dir, fmt.Sprintf("-follow=%t", d.Follow)), nil, err
		},
	}
}

// writerTool is this program running as the shipper around kafka-go's Writer.
func writerTool() tool {
	return tool{
		name: "writer", version: runtime.Version(), takes: func(name string) bool { return name == "s5" },
		command: func(ctx context.Context, d duty) (*exec.Cmd, func(), error) {
			self, err := os.Executable()
			return exec.CommandContext(ctx, self, "writer", "-input", d.Input, "-address", d.Address, "-topic", d.Topic,
				fmt.Sprintf("-follow=%t", d.Follow)), nil, err
		},
	}
}

// catTool is the floor under the bare loop: cat with the sink's socket as its output, and tail where the file grows.
func catTool(path, version string) tool {
	return tool{
		name: "cat", version: version, takes: func(name string) bool { return name == "s1" },
		command: func(ctx context.Context, d duty) (*exec.Cmd, func(), error) {
			conn, err := net.Dial("tcp", d.Address)
			if err != nil {
				return nil, nil, err
			}
			socket, err := conn.(*net.TCPConn).File()
			if err := errors.Join(err, conn.Close()); err != nil {
				return nil, nil, err
			}
			// Blocking, or cat would be told to try again. Fd makes it so.
			_ = socket.Fd()
			cmd := exec.CommandContext(ctx, path, d.Input)
			if d.Follow {
				cmd = exec.CommandContext(ctx, "tail", "-c", "+1", "-f", d.Input)
			}
			cmd.Stdout = socket
			return cmd, func() { socket.Close() }, nil
		},
	}
}

func hasCase(file string) func(scenario string) bool {
	return func(scenario string) bool {
		_, err := fs.Stat(cases, path.Join("cases", scenario, file))
		return err == nil
	}
}

// render fills a scenario's configuration file and writes it to the run's folder.
func render(d duty, file string) (string, error) {
	t, err := template.New(file).Option("missingkey=error").ParseFS(cases, path.Join("cases", d.Scenario, file))
	if err != nil {
		return "", err
	}
	var text strings.Builder
	if err := t.Execute(&text, d); err != nil {
		return "", err
	}
	config := filepath.Join(d.Dir, file)
	return config, os.WriteFile(config, []byte(text.String()), 0o600)
}

// versionOf returns the first word that looks like a version in the first line that a program prints about itself, or
// "unknown".
func versionOf(ctx context.Context, path, arg string) string {
	out, err := exec.CommandContext(ctx, path, arg).CombinedOutput()
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(out), "\n")
	for _, word := range strings.Fields(first) {
		if word = strings.Trim(word, "(),"); strings.ContainsAny(word, "0123456789") && strings.Contains(word, ".") {
			return word
		}
	}
	return "unknown"
}
