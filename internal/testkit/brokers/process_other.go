//go:build !linux

package brokers

import "syscall"

// attributes give a child a group of its own. It outlives a test that is killed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func (p *process) waitStopped() error { return nil }
