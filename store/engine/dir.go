package engine

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Format is the version of the data directory's layout. A directory of a newer format is refused.
const Format = 1

// Dir is a data directory held by this process: no second process can hold it before Release.
//
//	DIR/format          the layout's version, a decimal number
//	DIR/lock            flock-ed while a process uses the directory
//	DIR/running.json    what other commands need to find the running store (mode 0600)
//	DIR/engine/         the engine's configuration, password, logs and data
//	DIR/spool/          batches waiting for the store
type Dir struct {
	Path string
	lock *os.File
}

// Running is what a running product tells other commands on the same machine.
type Running struct {
	PID  int    `json:"pid"`
	DSN  string `json:"dsn"`
	HTTP string `json:"http"`
	TLS  bool   `json:"tls,omitempty"` // HTTP speaks it
}

// Hold creates the directory where needed, checks that it can be written and is not newer than this program, and
// locks it.
func Hold(path string) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("the data directory %q: %w", path, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory %s cannot be created (%v): choose another with --data-dir", abs, reason(err))
	}
	lock, err := os.OpenFile(filepath.Join(abs, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data directory %s cannot be written (%v): choose another with --data-dir", abs, reason(err))
	}
	if !tryLock(lock, syscall.LOCK_EX, 300*time.Millisecond) {
		lock.Close()
		return nil, fmt.Errorf("the data directory %s is in use by another Tidemark: stop that one, or choose another directory with --data-dir", abs)
	}
	d := &Dir{Path: abs, lock: lock}
	if err := d.checkFormat(); err != nil {
		d.Release()
		return nil, err
	}
	return d, nil
}

func (d *Dir) checkFormat() error {
	file := filepath.Join(d.Path, "format")
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(file, []byte(strconv.Itoa(Format)+"\n"), 0o600); err != nil {
			return fmt.Errorf("the data directory %s cannot be written (%v): choose another with --data-dir", d.Path, reason(err))
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the data directory's format: %w", err)
	}
	have, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return fmt.Errorf("%s holds %q where a number is expected: is this a Tidemark data directory?", file, strings.TrimSpace(string(b)))
	}
	if have > Format {
		return fmt.Errorf("the data directory %s was written by a newer Tidemark (format %d, this one knows %d): install that version, or choose another directory with --data-dir", d.Path, have, Format)
	}
	return nil
}

// Announce writes running.json for other commands; Release removes it.
func (d *Dir) Announce(r Running) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(d.Path, "running.json"), b)
}

// Release lets others use the directory. It is idempotent.
func (d *Dir) Release() {
	if d.lock == nil {
		return
	}
	os.Remove(filepath.Join(d.Path, "running.json"))
	d.lock.Close()
	d.lock = nil
}

// FindRunning reads what the product running on a data directory announced.
func FindRunning(path string) (Running, error) {
	var r Running
	b, err := os.ReadFile(filepath.Join(path, "running.json"))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil || !held(path) {
		return Running{}, fmt.Errorf("no Tidemark is running on %s: start it, or name its data directory with --data-dir or its store with --clickhouse-dsn", path)
	}
	return r, nil
}

// held tells whether a process holds the directory, without keeping another from it.
func held(path string) bool {
	lock, err := os.Open(filepath.Join(path, "lock"))
	if err != nil {
		return false
	}
	defer lock.Close()
	return !tryLock(lock, syscall.LOCK_SH, 0)
}

// tryLock locks a file unless another process holds it for as long as patience. Some patience passes over held's
// short look.
func tryLock(lock *os.File, how int, patience time.Duration) bool {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if syscall.Flock(int(lock.Fd()), how|syscall.LOCK_NB) == nil {
			return true
		}
		if time.Since(began) >= patience {
			return false
		}
	}
}

// secret reads a generated password, or makes one of 160 random bits.
func secret(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err == nil && len(b) >= 40 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the engine's password: %w", err)
	}
	raw := make([]byte, 20)
	rand.Read(raw) // never fails
	s := hex.EncodeToString(raw)
	return s, writeFile(file, []byte(s))
}

// writeFile replaces a file as a whole, readable by its owner alone.
func writeFile(file string, b []byte) error {
	tmp := file + ".tmp"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(file), err)
	}
	if err := os.Rename(tmp, file); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(file), err)
	}
	return nil
}

// reason is the plain cause of a file error: "permission denied", not the whole path again.
func reason(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
