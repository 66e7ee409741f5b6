//go:build !linux

package ingest

import "errors"

func mountTmpfs(string, string) error { return errors.New("no tmpfs") }
func unmount(string) error            { return nil }
