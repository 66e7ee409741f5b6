package pprof

import (
	"container/list"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/google/pprof/profile"

	"github.com/tidemarkhq/tidemark/ingest"
)

// deltas knows the last cumulative profile of each process, to tell what the next one grew by.
type deltas struct {
	max int

	mu    sync.Mutex
	of    map[uint64]*list.Element // *process, guarded by mu
	order *list.List               // the one heard of last first
}

type process struct {
	key uint64

	mu    sync.Mutex
	start int64
	last  map[uint64][]int64 // by stack and labels
}

func newDeltas(max int) *deltas {
	return &deltas{max: max, of: map[uint64]*list.Element{}, order: list.New()}
}

// of finds the state of a process and kind of profile; fresh tells that there was none.
func (d *deltas) process(p *ingest.Profile, types []string) *process {
	h := xxhash.New()
	for _, k := range slices.Sorted(maps.Keys(p.Resource)) {
		h.WriteString(k + "\x00" + p.Resource[k] + "\x00")
	}
	h.WriteString(p.Type + "\x00" + strings.Join(types, "\x00"))
	key := h.Sum64()
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.of[key]; e != nil {
		d.order.MoveToFront(e)
		return e.Value.(*process)
	}
	s := &process{key: key}
	d.of[key] = d.order.PushFront(s)
	if d.order.Len() > d.max {
		delete(d.of, d.order.Remove(d.order.Back()).(*process).key)
	}
	return s
}

// grown encodes a cumulative profile with every value twice: as reported, and what it grew by since the profile of the
// same process before. Nothing grew in a first profile: how long its values took is not known. After values fell, the
// process has begun anew, and all of them are growth. What is a state at a moment rather than a count, such as
// inuse_space, has its value twice.
func (d *deltas) grown(p *ingest.Profile) ([]byte, error) {
	prof, err := parse(p.Pprof)
	if err != nil {
		return nil, err
	}
	n := len(prof.SampleType)
	types, counts := make([]string, n), make([]bool, n)
	for i, t := range prof.SampleType {
		types[i], counts[i] = t.Type+"/"+t.Unit, !momentary(t.Type)
	}
	now := map[uint64][]int64{}
	keys := sampleKeys(prof)
	for i, s := range prof.Sample {
		sum := now[keys[i]]
		if sum == nil {
			sum = make([]int64, n)
			now[keys[i]] = sum
		}
		for j, v := range s.Value {
			sum[j] += v
		}
	}
	s := d.process(p, types)
	s.mu.Lock()
	last, first := s.last, s.last == nil
	late := !first && p.Start < s.start // came behind a younger one: tells nothing new
	if !late {
		s.last, s.start = now, p.Start
	}
	s.mu.Unlock()
	began := !first && fell(last, now, counts)
	for _, t := range prof.SampleType[:n] {
		prof.SampleType = append(prof.SampleType, &profile.ValueType{Type: t.Type, Unit: t.Unit})
	}
	for i, smp := range prof.Sample {
		for j := range n {
			v := smp.Value[j]
			switch was := last[keys[i]]; {
			case !counts[j]:
			case first || late:
				v = 0
			case !began && was != nil: // several samples of one key share what it was
				take := min(v, was[j])
				was[j] -= take
				v -= take
			}
			smp.Value = append(smp.Value, v)
		}
	}
	return encode(prof)
}

// momentary says whether a sample type tells what is rather than what happened.
func momentary(name string) bool { return strings.HasPrefix(name, "inuse_") }

// fell says whether a count went down.
func fell(last, now map[uint64][]int64, counts []bool) bool {
	for k, was := range last {
		is := now[k]
		for j, v := range was {
			if counts[j] && v > 0 && (is == nil || is[j] < v) {
				return true
			}
		}
	}
	return false
}

// sampleKeys identify samples by their stacks and labels across profiles of one process.
func sampleKeys(p *profile.Profile) []uint64 {
	locations := make(map[*profile.Location]uint64, len(p.Location))
	var buf []byte
	for _, l := range p.Location {
		buf = binary.LittleEndian.AppendUint64(buf[:0], l.Address)
		for _, ln := range l.Line {
			if ln.Function != nil {
				buf = append(append(buf, ln.Function.Name...), 0)
			}
			buf = binary.AppendVarint(binary.AppendVarint(buf, ln.Line), ln.Column)
		}
		locations[l] = xxhash.Sum64(buf)
	}
	keys := make([]uint64, len(p.Sample))
	for i, s := range p.Sample {
		buf = buf[:0]
		for _, l := range s.Location {
			buf = binary.LittleEndian.AppendUint64(buf, locations[l])
		}
		for _, k := range slices.Sorted(maps.Keys(s.Label)) {
			buf = append(append(append(buf, k...), 0), strings.Join(s.Label[k], "\x00")...)
		}
		for _, k := range slices.Sorted(maps.Keys(s.NumLabel)) {
			buf = append(append(buf, k...), 0)
			for _, v := range s.NumLabel[k] {
				buf = binary.AppendVarint(buf, v)
			}
		}
		keys[i] = xxhash.Sum64(buf)
	}
	return keys
}
