// Package spool keeps requests on disk from the moment they are acknowledged until ClickHouse has them. A file holds
// the requests of one batch, in order, and is named by the batch, whose name is also its deduplication token: playing
// a file again after any crash inserts nothing twice. Its main type is Dir; its one invariant is that a record is on
// the disk when Sync has returned for it. A damaged file is quarantined up to its last sound record and never blocks
// the others.
//
// The bytes of a file:
//
//	"TMSPOOL1"  then records:
//	+0  uint32  length of the body
//	+4  uint8   signal
//	+5  [3]byte zero
//	+8  int64   time of receipt, Unix nanoseconds
//	+16 uint64  xxhash64 of the body
//	+24 uint64  xxhash64 of the 24 bytes before
//	+32         the body, an OTLP Export…ServiceRequest
package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cespare/xxhash/v2"
)

const (
	magic      = "TMSPOOL1"
	headerSize = 32
	suffix     = ".spool"
	// maxBody bounds what a damaged length can make us allocate.
	maxBody = 1 << 30
)

// ErrFull refuses a record because the spool holds as many bytes as it may, or the disk as many as it can.
var ErrFull = errors.New("spool is full")

// ErrDamaged is a file that could not be read to its end.
var ErrDamaged = errors.New("spool file is damaged")

// Options bound a Dir.
type Options struct {
	// MaxBytes is how much the spool may hold before it refuses. Default 8 GiB.
	MaxBytes int64
	// Reserve is how much of the disk stays free for others, the engine on the same disk among them. 0 takes all.
	Reserve int64
	// SyncDelay is how long a record waits for others to share its fsync. Default 3 ms.
	SyncDelay time.Duration
	// Fault, set by tests only, may fail a step (create, append, fsync, fsync directory, delete) before it happens, or
	// report failure although it happened.
	Fault func(step string) (before, after error)
}

// Record is one request.
type Record struct {
	Signal   uint8
	Received int64 // Unix nanoseconds
	Hash     uint64
	Body     []byte
}

// Dir is a directory of spool files, locked against other processes.
type Dir struct {
	path string
	opts Options
	lock *os.File

	bytes atomic.Int64 // in all files
	files atomic.Int64

	room struct { // what the disk had left when it was last asked
		sync.Mutex
		asked time.Time
		left  int64 // bytes beyond the reserve
		held  int64 // by the spool itself, then
	}
}

// Open locks the directory and returns the names of the files that an earlier process left, oldest first.
func Open(path string, opts Options) (*Dir, []string, error) {
	if err := os.MkdirAll(filepath.Join(path, "quarantine"), 0o700); err != nil {
		return nil, nil, fmt.Errorf("making the spool directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the spool's lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, nil, fmt.Errorf("spool %s is in use by another process: %w", path, err)
	}
	d := &Dir{path: path, opts: opts, lock: lock}
	entries, err := os.ReadDir(path)
	if err != nil {
		lock.Close()
		return nil, nil, fmt.Errorf("listing the spool: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok {
			if info, err := e.Info(); err == nil {
				d.bytes.Add(info.Size())
				d.files.Add(1)
				names = append(names, name)
			}
		}
	}
	d.dropNotes(entries)
	sort.Strings(names)
	return d, names, nil
}

// Close releases the lock.
func (d *Dir) Close() error { return d.lock.Close() }

// Bytes is the size of all files.
func (d *Dir) Bytes() int64 { return d.bytes.Load() }

// Files is the number of files.
func (d *Dir) Files() int64 { return d.files.Load() }

// Full tells whether no further record is taken.
func (d *Dir) Full() bool { return d.bytes.Load() >= d.opts.MaxBytes || d.diskFull() }

func (d *Dir) file(name string) string { return filepath.Join(d.path, name+suffix) }

// step runs one write step, with whatever a test injects around it.
func (d *Dir) step(name string, do func() error) error {
	if d.opts.Fault == nil {
		return do()
	}
	before, after := d.opts.Fault(name)
	if before != nil {
		return before
	}
	if err := do(); err != nil {
		return err
	}
	return after
}

// Create starts the file of a batch. Names must sort by age.
func (d *Dir) Create(name string) (*File, error) {
	f := &File{dir: d, name: name}
	f.cond.L = &f.mu
	err := d.step("create", func() (err error) {
		f.f, err = os.OpenFile(d.file(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		return err
	})
	if err != nil {
		if f.f != nil {
			f.f.Close()
			os.Remove(d.file(name))
		}
		return nil, fmt.Errorf("creating a spool file: %w", err)
	}
	d.files.Add(1)
	if err := f.write([]byte(magic)); err != nil {
		f.Close()
		d.Remove(name)
		return nil, fmt.Errorf("starting a spool file: %w", err)
	}
	return f, nil
}

// Remove deletes a file whose batch is stored.
func (d *Dir) Remove(name string) error {
	info, err := os.Stat(d.file(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing a spool file: %w", err)
	}
	if err := d.step("delete", func() error { return os.Remove(d.file(name)) }); err != nil {
		if _, gone := os.Stat(d.file(name)); gone == nil {
			return fmt.Errorf("removing a spool file: %w", err)
		}
	}
	d.bytes.Add(-info.Size())
	d.files.Add(-1)
	os.Remove(d.splitFile(name)) // after the file, whose notes it holds
	return nil
}

// Quarantine moves a file out of the way, where a person can look at it.
func (d *Dir) Quarantine(name string) error {
	info, err := os.Stat(d.file(name))
	if err != nil {
		return fmt.Errorf("quarantining a spool file: %w", err)
	}
	if err := os.Rename(d.file(name), filepath.Join(d.path, "quarantine", name+suffix)); err != nil {
		return fmt.Errorf("quarantining a spool file: %w", err)
	}
	d.bytes.Add(-info.Size())
	d.files.Add(-1)
	os.Remove(d.splitFile(name))
	return nil
}

// Read calls each for every sound record of a file, in order, until it returns an error. The body is valid during the
// call only. ErrDamaged comes after the sound records.
func (d *Dir) Read(name string, each func(Record) error) error {
	f, err := os.Open(d.file(name))
	if err != nil {
		return fmt.Errorf("reading a spool file: %w", err)
	}
	defer f.Close()
	var head [headerSize]byte
	if _, err := io.ReadFull(f, head[:len(magic)]); err != nil || string(head[:len(magic)]) != magic {
		return fmt.Errorf("%w: no header", ErrDamaged)
	}
	var body []byte
	for off := int64(len(magic)); ; {
		_, err := io.ReadFull(f, head[:])
		if err == io.EOF {
			return nil
		}
		if err != nil || xxhash.Sum64(head[:24]) != binary.LittleEndian.Uint64(head[24:]) {
			return fmt.Errorf("%w at byte %d", ErrDamaged, off)
		}
		n := binary.LittleEndian.Uint32(head[:])
		if n > maxBody {
			return fmt.Errorf("%w at byte %d: length %d", ErrDamaged, off, n)
		}
		if cap(body) < int(n) {
			body = make([]byte, n)
		}
		body = body[:n]
		rec := Record{Signal: head[4], Received: int64(binary.LittleEndian.Uint64(head[8:])), Hash: binary.LittleEndian.Uint64(head[16:]), Body: body}
		if _, err := io.ReadFull(f, body); err != nil || xxhash.Sum64(body) != rec.Hash {
			return fmt.Errorf("%w at byte %d", ErrDamaged, off)
		}
		if err := each(rec); err != nil {
			return err
		}
		off += headerSize + int64(n)
	}
}

// Heads calls each for the records of a file received after since (Unix nanoseconds), without their bodies, as far as
// the file is sound. A record whose body a crash tore off was never acknowledged: it must not be taken for stored when
// its client sends it again, so bodies are checked too.
func (d *Dir) Heads(name string, since int64, each func(Record, int)) {
	f, err := os.Open(d.file(name))
	if err != nil {
		return
	}
	defer f.Close()
	var head [headerSize]byte
	var body []byte
	if _, err := f.ReadAt(head[:len(magic)], 0); err != nil || string(head[:len(magic)]) != magic {
		return
	}
	for off := int64(len(magic)); ; {
		if _, err := f.ReadAt(head[:], off); err != nil || xxhash.Sum64(head[:24]) != binary.LittleEndian.Uint64(head[24:]) {
			return
		}
		n := binary.LittleEndian.Uint32(head[:])
		rec := Record{Signal: head[4], Received: int64(binary.LittleEndian.Uint64(head[8:])), Hash: binary.LittleEndian.Uint64(head[16:])}
		if rec.Received > since {
			if n > maxBody {
				return
			}
			body = slices.Grow(body[:0], int(n))[:n]
			if _, err := f.ReadAt(body, off+headerSize); err != nil || xxhash.Sum64(body) != rec.Hash {
				return
			}
			each(rec, int(n))
		}
		off += headerSize + int64(n)
	}
}

// File is the open file of one batch.
type File struct {
	dir  *Dir
	name string
	f    *os.File
	head [headerSize]byte // scratch of Append

	mu      sync.Mutex
	cond    sync.Cond
	written int64 // guarded by mu, like all below
	synced  int64
	syncing bool
	named   bool  // the directory entry is on disk
	err     error // of an append: the file takes no more
	syncErr error // of an fsync: what it was to keep may be gone, and a later success would prove nothing
}

func (f *File) write(b []byte) error {
	err := f.dir.step("append", func() error {
		n, err := f.f.Write(b)
		f.dir.bytes.Add(int64(n))
		return err
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && f.err == nil {
		f.err = err
	}
	f.written += int64(len(b))
	return err
}

// undo takes back what a failed append may have left, so that the file ends with a sound record: one that its client
// was told to send again must not be stored from here too.
func (f *File) undo(to int64) {
	f.mu.Lock()
	f.written = to
	f.mu.Unlock()
	info, err := f.f.Stat()
	if err != nil || info.Size() <= to {
		return
	}
	if f.f.Truncate(to) == nil {
		f.dir.bytes.Add(to - info.Size())
	}
}

// Append writes a record and returns the position to hand to Sync. Appends of one file must not overlap. After a
// failed append the file takes no more.
func (f *File) Append(rec Record) (int64, error) {
	if f.dir.Full() {
		return 0, ErrFull
	}
	f.mu.Lock()
	err, start := errors.Join(f.err, f.syncErr), f.written
	f.mu.Unlock()
	if err != nil {
		return 0, err
	}
	head := &f.head
	binary.LittleEndian.PutUint32(head[0:], uint32(len(rec.Body)))
	head[4], head[5], head[6], head[7] = rec.Signal, 0, 0, 0
	binary.LittleEndian.PutUint64(head[8:], uint64(rec.Received))
	binary.LittleEndian.PutUint64(head[16:], rec.Hash)
	binary.LittleEndian.PutUint64(head[24:], xxhash.Sum64(head[:24]))
	if err = f.write(head[:]); err == nil {
		err = f.write(rec.Body)
	}
	if err != nil {
		f.undo(start)
		return 0, fmt.Errorf("appending to the spool: %w", err)
	}
	return f.written, nil
}

// Sync returns when everything up to a position is on the disk. Callers share one fsync: the first waits a moment for
// others and syncs for all of them.
func (f *File) Sync(upTo int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.synced < upTo && f.syncErr == nil {
		if f.syncing {
			f.cond.Wait()
			continue
		}
		f.syncing = true
		f.mu.Unlock()
		if f.dir.opts.SyncDelay > 0 {
			time.Sleep(f.dir.opts.SyncDelay)
		}
		f.mu.Lock()
		target, named := f.written, f.named
		f.mu.Unlock()
		err := f.syncNow(named)
		f.mu.Lock()
		f.syncing = false
		if err != nil && f.syncErr == nil {
			f.syncErr = fmt.Errorf("syncing the spool: %w", err)
		}
		if err == nil {
			f.synced, f.named = target, true
		}
		f.cond.Broadcast()
	}
	if f.synced >= upTo {
		return nil
	}
	return f.syncErr
}

// syncNow flushes the file and, the first time, the directory that names it.
func (f *File) syncNow(named bool) error {
	if err := f.dir.step("fsync", f.f.Sync); err != nil {
		return err
	}
	if named {
		return nil
	}
	return f.dir.step("fsync directory", func() error { return syncDir(f.dir.path) })
}

// SyncAll returns when everything appended is on the disk. Appends must be over.
func (f *File) SyncAll() error {
	f.mu.Lock()
	upTo := f.written
	f.mu.Unlock()
	return f.Sync(upTo)
}

// Close closes the file; it stays in the directory. Those still waiting in Sync must be done.
func (f *File) Close() error { return f.f.Close() }
