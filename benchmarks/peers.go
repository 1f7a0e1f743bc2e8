package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
)

// A peer is another shipper that takes part where it is installed. Its configuration lies in the scenario's folder; a
// peer without one there does not know that duty.
type peer struct {
	name       string
	program    string
	config     string
	versionArg string
	args       func(config, dir string) []string
	// modules are the patterns of files without which it takes no part in a scenario.
	modules map[string]string
}

var peers = []peer{
	{"rsyslog", "rsyslogd", "rsyslog.conf", "-v", func(config, dir string) []string {
		return []string{"-n", "-f", config, "-i", dir + "/pid"}
	}, map[string]string{"s5": "/usr/lib*/*/rsyslog/omkafka.so"}},
	{"syslog-ng", "syslog-ng", "syslog-ng.conf", "--version", func(config, dir string) []string {
		return []string{"-F", "--no-caps", "-f", config, "-R", dir + "/persist", "-p", dir + "/pid", "-c", dir + "/ctl"}
	}, nil},
	{"fluent-bit", "fluent-bit", "fluent-bit.yaml", "--version", func(config, _ string) []string {
		return []string{"-c", config}
	}, nil},
	{"vector", "vector", "vector.yaml", "--version", func(config, _ string) []string {
		return []string{"-c", config, "-q"}
	}, nil},
}

// find looks on the PATH, and where Debian keeps daemons, which is not on everybody's.
func (p peer) find() (string, error) {
	path, err := exec.LookPath(p.program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + p.program)
	}
	return path, err
}

// takes says whether p has a part in a scenario.
func (p peer) takes(scenario string) bool {
	if pattern := p.modules[scenario]; pattern != "" {
		if found, err := filepath.Glob(pattern); err != nil || len(found) == 0 {
			return false
		}
	}
	return hasCase(p.config)(scenario)
}

func (p peer) tool(path, version string) tool {
	return tool{
		name: p.name, version: version, takes: p.takes,
		command: func(ctx context.Context, d duty) (*exec.Cmd, func(), error) {
			config, err := render(d, p.config)
			cmd := exec.CommandContext(ctx, path, p.args(config, d.Dir)...)
			cmd.Env = os.Environ()
			cmd.Dir = d.Dir
			return cmd, nil, err
		},
	}
}
