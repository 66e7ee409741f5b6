package main_test

import "syscall"

// endsWithParent lets a child end with the tests, even when they are killed.
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
