package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
)

func open(t *testing.T, path string, opts Options) (*Dir, []string) {
	t.Helper()
	if opts.MaxBytes == 0 {
		opts.MaxBytes = 1 << 20
	}
	d, names, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, names
}

func record(i int) Record {
	body := []byte(fmt.Sprintf("request %d", i))
	return Record{Signal: uint8(i % 3), Received: int64(i), Hash: xxhash.Sum64(body), Body: body}
}

func read(d *Dir, name string) (bodies []string, err error) {
	err = d.Read(name, func(r Record) error {
		bodies = append(bodies, string(r.Body))
		return nil
	})
	return bodies, err
}

func fill(t *testing.T, d *Dir, name string, n int) {
	t.Helper()
	f, err := d.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		at, err := f.Append(record(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	d, names := open(t, dir, Options{})
	if len(names) != 0 {
		t.Fatal(names)
	}
	fill(t, d, "b", 3)
	fill(t, d, "a", 2)
	if _, _, err := Open(dir, Options{}); err == nil {
		t.Fatal("a second process may open the spool")
	}
	d.Close()
	d, names = open(t, dir, Options{})
	if fmt.Sprint(names) != "[a b]" || d.Files() != 2 {
		t.Fatal(names, d.Files())
	}
	bodies, err := read(d, "b")
	if err != nil || fmt.Sprint(bodies) != "[request 0 request 1 request 2]" {
		t.Fatal(bodies, err)
	}
	if err := d.Remove("b"); err != nil {
		t.Fatal(err)
	}
	if err := d.Quarantine("a"); err != nil {
		t.Fatal(err)
	}
	if d.Files() != 0 || d.Bytes() != 0 {
		t.Fatalf("%d files, %d bytes remain", d.Files(), d.Bytes())
	}
}

// A file cut at any byte, or with any byte changed, yields its sound records up to the damage and says so.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	d, _ := open(t, dir, Options{})
	fill(t, d, "x", 3)
	whole, err := os.ReadFile(filepath.Join(dir, "x.spool"))
	if err != nil {
		t.Fatal(err)
	}
	ends := map[int]int{len(magic): 0} // where n records end
	for i, off := 0, len(magic); i < 3; i++ {
		off += headerSize + len(record(i).Body)
		ends[off] = i + 1
	}
	try := func(what string, content []byte, at int) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "x.spool"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		sound := 0
		for end, n := range ends {
			if end <= at {
				sound = max(sound, n)
			}
		}
		bodies, err := read(d, "x")
		if len(bodies) != sound {
			t.Fatalf("%s: %d records read, want %d", what, len(bodies), sound)
		}
		if _, clean := ends[len(content)]; (err == nil) != (clean && at == len(content)) || err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("%s: error %v", what, err)
		}
		heads := 0
		d.Heads("x", -1, func(Record, int) { heads++ })
		if heads != sound {
			t.Fatalf("%s: %d heads, want the %d of sound records", what, heads, sound)
		}
	}
	for at := range len(whole) {
		try(fmt.Sprintf("cut at %d", at), whole[:at], at)
		flipped := append([]byte(nil), whole...)
		flipped[at] ^= 0x10
		try(fmt.Sprintf("flipped at %d", at), flipped, at)
	}
}

// Each write step fails, or happens and is reported as failed: what Sync confirmed is there afterwards, and errors are
// told.
func TestFaults(t *testing.T) {
	boom := errors.New("disk on fire")
	for _, step := range []string{"create", "append", "fsync", "fsync directory", "delete"} {
		for _, happened := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/happened=%v", step, happened), func(t *testing.T) {
				dir := t.TempDir()
				d, _ := open(t, dir, Options{})
				n := 0
				d.opts.Fault = func(at string) (before, after error) {
					if n++; at != step || n < 2 && step != "create" {
						return nil, nil
					}
					if happened {
						return nil, boom
					}
					return boom, nil
				}
				var confirmed []string
				failed := false
				f, err := d.Create("x")
				if err != nil {
					failed = true
				} else {
					for i := range 3 {
						at, err := f.Append(record(i))
						if err == nil {
							err = f.Sync(at)
						}
						if err != nil {
							failed = true
							continue
						}
						confirmed = append(confirmed, string(record(i).Body))
					}
					f.Close()
				}
				if step == "delete" {
					err := d.Remove("x")
					if (err != nil) == happened {
						t.Fatalf("removing: %v", err)
					}
					return
				}
				if !failed {
					t.Error("no error was told")
				}
				bodies, _ := read(d, "x")
				if len(bodies) < len(confirmed) {
					t.Errorf("confirmed %v, found %v", confirmed, bodies)
				}
			})
		}
	}
}

func TestFullSpoolRefuses(t *testing.T) {
	d, _ := open(t, t.TempDir(), Options{MaxBytes: 100})
	f, err := d.Create("x")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := 0; ; i++ {
		if _, err := f.Append(record(i)); errors.Is(err, ErrFull) {
			break
		}
		if i > 10 {
			t.Fatal("never full")
		}
	}
	if err := d.Remove("x"); err != nil || d.Full() {
		t.Fatal("still full after removal", err)
	}
}

func TestWaitersShareOneFsync(t *testing.T) {
	d, _ := open(t, t.TempDir(), Options{SyncDelay: 20 * time.Millisecond})
	var mu sync.Mutex
	syncs := 0
	d.opts.Fault = func(step string) (error, error) {
		mu.Lock()
		defer mu.Unlock()
		if step == "fsync" {
			syncs++
		}
		return nil, nil
	}
	f, err := d.Create("x")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var wg sync.WaitGroup
	for i := range 50 {
		at, err := f.Append(record(i))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := f.Sync(at); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if syncs > 5 {
		t.Errorf("%d fsyncs for 50 waiters", syncs)
	}
}

// A failed append leaves nothing behind, whether or not its bytes were written: its client sends it again.
func TestFailedAppendLeavesNothing(t *testing.T) {
	for _, happened := range []bool{false, true} {
		d, _ := open(t, t.TempDir(), Options{})
		fill(t, d, "x", 0)
		f, err := d.Create("y")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if _, err := f.Append(record(i)); err != nil {
				t.Fatal(err)
			}
		}
		steps := 0
		d.opts.Fault = func(step string) (before, after error) {
			if steps++; steps < 2 { // the head gets through, the body does not
				return nil, nil
			}
			if happened {
				return nil, errors.New("boom")
			}
			return errors.New("boom"), nil
		}
		if _, err := f.Append(record(2)); err == nil {
			t.Fatal("no error was told")
		}
		d.opts.Fault = nil
		if _, err := f.Append(record(3)); err == nil {
			t.Error("a file that failed takes more")
		}
		if err := f.SyncAll(); err != nil {
			t.Error(err)
		}
		f.Close()
		if bodies, err := read(d, "y"); err != nil || fmt.Sprint(bodies) != "[request 0 request 1]" {
			t.Errorf("happened=%v: read %v, %v", happened, bodies, err)
		}
		if err := errors.Join(d.Remove("x"), d.Remove("y")); err != nil || d.Bytes() != 0 {
			t.Errorf("%d bytes counted after removal: %v", d.Bytes(), err)
		}
	}
}

func TestReserve(t *testing.T) {
	if d, _ := open(t, t.TempDir(), Options{Reserve: 1 << 60}); !d.Full() {
		t.Error("not full although the disk has less left than the reserve")
	}
	if d, _ := open(t, t.TempDir(), Options{Reserve: 1}); d.Full() {
		t.Error("full although the disk has more left than the reserve")
	}
}

func TestNotesOfASplitBatch(t *testing.T) {
	dir := t.TempDir()
	d, _ := open(t, dir, Options{})
	fill(t, d, "x", 1)
	for _, note := range []string{"spans/1/0-4", "spans/1/0-2"} {
		if err := d.Split("x", note); err != nil {
			t.Fatal(err)
		}
	}
	d.Close()
	d, names := open(t, dir, Options{})
	if got := d.Splits("x"); !got["spans/1/0-4"] || !got["spans/1/0-2"] || fmt.Sprint(names) != "[x]" {
		t.Errorf("notes %v of %v", got, names)
	}
	if err := d.Remove("x"); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.split")); len(left) > 0 {
		t.Errorf("%v left", left)
	}
}
