package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// shape draws profiles like one that was really taken. Stacks are walked from the root: each call is followed by one
// that followed the same three calls in the original, as often as it did there, so that every profile brings stacks
// that none before it had, as real ones do.
type shape struct {
	from      *profile.Profile
	next      map[[order]uint64]*choice
	functions map[uint64]*profile.Location
}

// order is how many calls decide about the next one.
const order = 3

// choice is what may follow: locations, 0 for the end of the stack, with how often they did so far.
type choice struct {
	location []uint64
	until    []int64
}

// compilerProfile is the profile that every Go installation brings along: of its compiler.
func compilerProfile() (*profile.Profile, error) {
	f, err := os.Open(filepath.Join(runtime.GOROOT(), "src", "cmd", "compile", "default.pgo"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return profile.Parse(f)
}

func newShape(p *profile.Profile) *shape {
	s := &shape{from: p, next: map[[order]uint64]*choice{}, functions: map[uint64]*profile.Location{}}
	counts := map[[order]uint64]map[uint64]int64{}
	for _, l := range p.Location {
		s.functions[l.ID] = l
	}
	for _, smp := range p.Sample {
		var at [order]uint64
		step := func(id uint64) {
			if counts[at] == nil {
				counts[at] = map[uint64]int64{}
			}
			counts[at][id] += smp.Value[0]
			copy(at[:], at[1:])
			at[order-1] = id
		}
		for _, l := range slices.Backward(smp.Location) {
			step(l.ID)
		}
		step(0)
	}
	for at, ids := range counts {
		c := &choice{}
		for id := range ids {
			c.location = append(c.location, id)
		}
		slices.Sort(c.location)
		var sum int64
		for _, id := range c.location {
			sum += ids[id]
			c.until = append(c.until, sum)
		}
		s.next[at] = c
	}
	return s
}

func (c *choice) draw(r *rand.Rand) uint64 {
	i, _ := slices.BinarySearch(c.until, 1+r.Int64N(c.until[len(c.until)-1]))
	return c.location[i]
}

// stack is the locations of one sample from the root.
func (s *shape) stack(r *rand.Rand, dst []uint64) []uint64 {
	var at [order]uint64
	for len(dst) < 128 {
		id := s.next[at].draw(r)
		if id == 0 {
			break
		}
		dst = append(dst, id)
		copy(at[:], at[1:])
		at[order-1] = id
	}
	return dst
}

// profile draws until so many different stacks have come up.
func (s *shape) profile(r *rand.Rand, samples int, start time.Time) *profile.Profile {
	p := &profile.Profile{SampleType: s.from.SampleType, PeriodType: s.from.PeriodType, Period: s.from.Period, TimeNanos: start.UnixNano(), DurationNanos: int64(time.Minute), Mapping: s.from.Mapping}
	seen := map[string]*profile.Sample{}
	used := map[uint64]bool{}
	functions := map[uint64]bool{}
	var buf []uint64
	for len(seen) < samples {
		buf = s.stack(r, buf[:0])
		key := fmt.Sprint(buf)
		smp := seen[key]
		if smp == nil {
			smp = &profile.Sample{Value: make([]int64, 2)}
			for _, id := range slices.Backward(buf) {
				l := s.functions[id]
				smp.Location = append(smp.Location, l)
				if !used[id] {
					used[id] = true
					p.Location = append(p.Location, l)
					for _, ln := range l.Line {
						if !functions[ln.Function.ID] {
							functions[ln.Function.ID] = true
							p.Function = append(p.Function, ln.Function)
						}
					}
				}
			}
			seen[key] = smp
			p.Sample = append(p.Sample, smp)
		}
		smp.Value[0]++
		smp.Value[1] += p.Period
	}
	return p
}

// recorded reads the profiles of a directory in the order of their names.
func recorded(dir string) ([]*profile.Profile, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("no profiles in %s: %v", dir, err)
	}
	slices.Sort(names)
	var out []*profile.Profile
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		p, err := profile.ParseData(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// file is a profile as a process writes it: protobuf, gzip at its default level.
func file(p *profile.Profile) ([]byte, error) {
	var raw, packed bytes.Buffer
	if err := p.WriteUncompressed(&raw); err != nil {
		return nil, err
	}
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(raw.Bytes()); err != nil {
		return nil, err
	}
	err := z.Close()
	return packed.Bytes(), err
}

// describe says what profiles are like.
func describe(list []*profile.Profile) string {
	var samples, depth, packed int
	stacks := map[string]bool{}
	for _, p := range list {
		samples += len(p.Sample)
		for _, s := range p.Sample {
			var key strings.Builder
			for _, l := range s.Location {
				depth += max(1, len(l.Line))
				fmt.Fprintf(&key, "%x,", l.Address)
			}
			stacks[key.String()] = true
		}
		b, _ := file(p)
		packed += len(b)
	}
	return fmt.Sprintf("%d profiles: %d samples each, %d frames a sample, %d different stacks in all, %.1f KB each as gzip", len(list), samples/len(list), depth/max(1, samples), len(stacks), float64(packed)/float64(len(list))/1e3)
}
