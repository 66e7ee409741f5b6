package engine

import "syscall"

// childAttributes puts the child into a process group of its own, so that Ctrl-C does not reach it, and has the
// kernel kill it with the parent in case its input stays open.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
