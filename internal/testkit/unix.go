package testkit

import (
	"syscall"
	"time"
)

// RunAs makes the program run as another user and group, which only root may ask
// for.
func (p *Program) RunAs(id uint32) {
	p.attributes = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
}

// dump makes a process that hangs print its stacks and end.
func (p *Process) dump() {
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
	}
}
