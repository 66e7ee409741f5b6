package pprof

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/pprof/profile"
)

// trySeconds is how long the CPU profile is that a target is tried with.
const trySeconds = 1

// Tried is what came of asking a target for one profile. Nothing of it is kept.
type Tried struct {
	Type        string
	SampleTypes []string // "cpu/nanoseconds"
	Samples     int
	Bytes       int // as they came
	Took        time.Duration
	Err         error
}

// Try asks a target for one profile of each of its types, a CPU profile of a second among them, with all that is set
// for it, as a round does; a target that has been found here already lends its secrets, as with Change. A target of the
// configuration is tried as it is there.
func (t *Targets) Try(ctx context.Context, id string, x Target) ([]Tried, error) {
	if id != "" {
		if err := t.lend(id, &x); err != nil {
			return nil, err
		}
	}
	if err := x.Check(); err != nil {
		return nil, err
	}
	return t.scraper.try(ctx, x), nil
}

// lend gives what is to be tried the secrets of the target that it changes.
func (t *Targets) lend(id string, x *Target) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.IndexFunc(t.fixed, func(f Target) bool { return f.ID == id }); i >= 0 {
		*x = t.fixed[i]
		return nil
	}
	old, err := t.find(id)
	if err != nil {
		return err
	}
	x.ID = id
	return keepSecrets(old, x)
}

func (s *Scraper) try(ctx context.Context, t Target) []Tried {
	fetch := s.remote(t)
	out := make([]Tried, len(t.Types))
	var all sync.WaitGroup
	for i, kind := range t.Types {
		all.Go(func() { out[i] = s.tryOne(ctx, t, kind, fetch) })
	}
	all.Wait()
	return out
}

func (s *Scraper) tryOne(ctx context.Context, t Target, kind string, fetch func(context.Context, string, int) ([]byte, error)) Tried {
	wait := time.Duration(t.Timeout)
	if kind == "cpu" {
		wait += trySeconds * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	out, began := Tried{Type: kind}, time.Now()
	body, err := fetch(ctx, kind, trySeconds)
	out.Took, out.Bytes = time.Since(began), len(body)
	if err == nil {
		err = out.look(body, s.receiver.opts.MaxBody)
	}
	out.Err = err
	return out
}

// look reads what is in a profile.
func (t *Tried) look(body []byte, limit int) error {
	raw, err := gunzip(body, limit)
	if err != nil {
		return err
	}
	if len(raw) >= 2 && raw[0] == 0x1f && raw[1] == 0x8b { // the library would unpack it without bounds
		return errors.New("the profile is compressed more than once")
	}
	p, err := profile.ParseData(raw)
	if err != nil {
		return bad("this is no profile: %w", err)
	}
	t.Samples = len(p.Sample)
	for _, v := range p.SampleType {
		t.SampleTypes = append(t.SampleTypes, v.Type+"/"+v.Unit)
	}
	return nil
}
