package spool

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// diskPatience is how long an answer about the disk's free space holds.
const diskPatience = 250 * time.Millisecond

// diskFull tells whether the disk has no more than the reserve left. Between two questions to the disk, what the spool
// itself has taken since counts.
func (d *Dir) diskFull() bool {
	if d.opts.Reserve <= 0 {
		return false
	}
	d.room.Lock()
	defer d.room.Unlock()
	if now := time.Now(); now.Sub(d.room.asked) > diskPatience {
		d.room.asked, d.room.held, d.room.left = now, d.bytes.Load(), math.MaxInt64
		var st syscall.Statfs_t
		if syscall.Statfs(d.path, &st) == nil {
			d.room.left = int64(st.Bavail)*int64(st.Bsize) - d.opts.Reserve
		}
	}
	return d.bytes.Load()-d.room.held >= d.room.left
}

// Probe writes a little to the disk as a batch would, to see whether it takes anything.
func (d *Dir) Probe() error {
	path := filepath.Join(d.path, "probe")
	defer os.Remove(path)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("probing the spool: %w", err)
	}
	defer f.Close()
	if err := d.step("append", func() error { _, err := f.Write(make([]byte, 64<<10)); return err }); err != nil {
		return fmt.Errorf("probing the spool: %w", err)
	}
	if err := d.step("fsync", f.Sync); err != nil {
		return fmt.Errorf("probing the spool: %w", err)
	}
	return nil
}

func (d *Dir) splitFile(name string) string { return filepath.Join(d.path, name+".split") }

// Splits are the notes made of a batch with Split, in any process.
func (d *Dir) Splits(name string) map[string]bool {
	notes := map[string]bool{}
	b, err := os.ReadFile(d.splitFile(name))
	if err != nil {
		return notes
	}
	lines := bufio.NewScanner(strings.NewReader(string(b)))
	for lines.Scan() {
		notes[lines.Text()] = true
	}
	return notes
}

// Split notes durably, until the batch is removed, that a part of it is stored in smaller parts from now on. A note is
// one line; one torn by a crash is not among them and names no part.
func (d *Dir) Split(name, note string) error {
	f, err := os.OpenFile(d.splitFile(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("noting a split batch: %w", err)
	}
	defer f.Close()
	if _, err := f.WriteString("\n" + note + "\n"); err != nil {
		return fmt.Errorf("noting a split batch: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("noting a split batch: %w", err)
	}
	return syncDir(d.path)
}

// SetAside keeps bytes that a person should look at beside the quarantined files.
func (d *Dir) SetAside(name string, content []byte) error {
	if err := os.WriteFile(filepath.Join(d.path, "quarantine", name), content, 0o600); err != nil {
		return fmt.Errorf("setting rows aside: %w", err)
	}
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// dropNotes removes the notes of batches that are gone.
func (d *Dir) dropNotes(entries []os.DirEntry) {
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".split"); ok {
			if _, err := os.Stat(d.file(name)); os.IsNotExist(err) {
				os.Remove(d.splitFile(name))
			}
		}
	}
}
