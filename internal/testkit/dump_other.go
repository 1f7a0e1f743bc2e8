//go:build !unix

package testkit

// dump does nothing where there is no signal that asks for stacks.
func (p *Process) dump() {}
