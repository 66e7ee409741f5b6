package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHoldRefuses(t *testing.T) {
	newer := t.TempDir()
	if err := os.WriteFile(filepath.Join(newer, "format"), []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	strange := t.TempDir()
	if err := os.WriteFile(filepath.Join(strange, "format"), []byte("apple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := t.TempDir()
	d, err := Hold(taken)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ dir, want string }{
		"newer":        {newer, "written by a newer Tidemark (format 99, this one knows 1): install"},
		"strange":      {strange, `holds "apple" where a number is expected`},
		"taken":        {taken, "in use by another Tidemark: stop that one"},
		"below a file": {filepath.Join(file, "data"), "cannot be created (not a directory): choose another with --data-dir"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Hold(test.dir)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Hold: %v, want … %s …", err, test.want)
			}
		})
	}
}

func TestRunningIsFoundWhileHeld(t *testing.T) {
	dir := t.TempDir()
	if _, err := FindRunning(dir); err == nil {
		t.Error("found a product where none runs")
	}
	d, err := Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := Running{PID: os.Getpid(), DSN: "tcp://x", HTTP: "http://y"}
	if err := d.Announce(want); err != nil {
		t.Fatal(err)
	}
	if got, err := FindRunning(dir); err != nil || got != want {
		t.Errorf("FindRunning = %+v, %v", got, err)
	}
	file := filepath.Join(dir, "running.json")
	left, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("running.json, which holds a password: mode %v, %v", info.Mode(), err)
	}
	d.Release()
	if _, err := FindRunning(dir); err == nil {
		t.Error("found a product that has ended")
	}
	if err := os.WriteFile(file, left, 0o600); err != nil { // as a killed product leaves it
		t.Fatal(err)
	}
	if _, err := FindRunning(dir); err == nil || !strings.Contains(err.Error(), "no Tidemark is running on "+dir) {
		t.Errorf("after a kill: %v", err)
	}
	if d, err = Hold(dir); err != nil {
		t.Errorf("a killed product's directory: %v", err)
	} else {
		d.Release()
	}
}
