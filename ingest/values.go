package ingest

import (
	"cmp"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// valueSeen remembers which attribute values are stored for autocomplete already: each is written at most once an
// hour, each key has at most max values, and values longer than maxValueLength are not offered at all.
type valueSeen struct {
	max int

	mu   sync.Mutex
	keys map[valueKey]*valueSet // guarded by mu
	row  uint32                 // where the next sample of a batch begins
}

type valueKey struct{ signal, key string }

type valueSet struct {
	hour   int64
	hashes map[uint64]struct{}
	capped bool
	folded int64 // values met beyond the cap
}

const (
	maxValueLength = 256
	valueSample    = 4    // of a large batch one row in so many is looked at
	valueAll       = 4000 // rows of a batch that is looked at in full
	maxValueKeys   = 20_000
)

// valueRow is one row of attribute_values.
type valueRow struct {
	signal, key, value string
}

// collect lists the values of a batch that are due.
func (v *valueSeen) collect(signal string, perm []uint32, a *attributes, now int64, rows []valueRow) []valueRow {
	v.mu.Lock()
	defer v.mu.Unlock()
	step, from := 1, 0
	if len(perm) > valueAll {
		v.row++
		step, from = valueSample, int(v.row%valueSample)
	}
	sets := make([]*valueSet, a.keys.len())
	seen := make([]uint32, a.values.len()) // key + 1 with which a value of the batch was met last
	for i := from; i < len(perm); i += step {
		first, last := a.span(perm[i])
		for j := first; j < last; j++ {
			key, value := a.key[j], a.value[j]
			if seen[value] == key+1 {
				continue
			}
			seen[value] = key + 1
			set := sets[key]
			if set == nil {
				set = v.set(signal, a.keys.string(key), now)
				sets[key] = set
			}
			if !set.capped {
				rows = v.see(set, signal, a.keys.string(key), a.values.bytes(value), rows)
			}
		}
	}
	return rows
}

// list is collect for attributes held as text.
func (v *valueSeen) list(signal string, attrs []keyValue, now int64, rows []valueRow) []valueRow {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, kv := range attrs {
		rows = v.see(v.set(signal, kv.key, now), signal, kv.key, []byte(kv.value), rows)
	}
	return rows
}

func (v *valueSeen) set(signal, key string, now int64) *valueSet {
	k := valueKey{signal, key}
	s := v.keys[k]
	if s == nil {
		if len(v.keys) >= maxValueKeys {
			return &valueSet{capped: true}
		}
		s = &valueSet{hashes: map[uint64]struct{}{}, hour: now / 3600}
		v.keys[k] = s
	}
	if s.hour != now/3600 {
		s.hour, s.capped = now/3600, false
		clear(s.hashes)
	}
	return s
}

func (v *valueSeen) see(s *valueSet, signal, key string, value []byte, rows []valueRow) []valueRow {
	if s.capped || len(value) > maxValueLength || len(value) == 0 {
		return rows
	}
	h := xxhash.Sum64(value)
	if _, ok := s.hashes[h]; ok {
		return rows
	}
	if len(s.hashes) >= v.max {
		s.capped = true
		s.folded++
		return append(rows, valueRow{signal, key, ""})
	}
	s.hashes[h] = struct{}{}
	return append(rows, valueRow{signal, key, string(value)})
}

// capped names the keys that had more values than the cap in the current hour.
func (v *valueSeen) capped() []valueKey {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []valueKey
	for k, s := range v.keys {
		if s.capped {
			out = append(out, k)
		}
	}
	return out
}

func (b *block) valueBlock(rows []valueRow, now int64) {
	slices.SortFunc(rows, func(x, y valueRow) int {
		return cmp.Or(cmp.Compare(x.signal, y.signal), cmp.Compare(x.key, y.key), cmp.Compare(x.value, y.value))
	})
	n := len(rows)
	b.reset("attribute_values", n)
	b.lowCardinality("signal", n, func(i int) string { return rows[i].signal })
	b.lowCardinality("key", n, func(i int) string { return rows[i].key })
	b.strings("value", n, func(i int) string { return rows[i].value })
	b.uint32s("last_seen", "DateTime", n, func(int) uint32 { return uint32(now) })
}
