//go:build !linux

package main_test

import "syscall"

func endsWithParent() *syscall.SysProcAttr { return nil }
