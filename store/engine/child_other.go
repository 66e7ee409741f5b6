//go:build !linux

package engine

import "syscall"

// childAttributes puts the child into a process group of its own, so that Ctrl-C does not reach it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
