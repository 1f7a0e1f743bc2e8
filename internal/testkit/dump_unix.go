//go:build unix

package testkit

import (
	"syscall"
	"time"
)

// dump makes a process that hangs print its stacks and end.
func (p *Process) dump() {
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
	}
}
