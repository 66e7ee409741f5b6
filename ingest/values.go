package ingest

import (
	"cmp"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// valueSeen remembers which attribute values are stored for autocomplete already: each is written at most once an
// hour, each key has at most as many as its cap, and values longer than maxValueLength are not offered at all.
type valueSeen struct {
	caps *caps

	mu    sync.Mutex
	keys  map[valueKey]*valueSet // guarded by mu, like all below
	total int                    // hashes in all sets
	over  int                    // sets that describe what came beyond
	row   uint32                 // where the next sample of a batch begins
	swept int64                  // hour in which idle keys were looked for
	rest  overflow               // keys beyond maxValueKeys
}

type valueKey struct{ signal, key string }

type valueSet struct {
	key    string
	hour   int64
	hashes map[uint64]struct{}
	marked bool      // it is written that there are more than the cap
	times  int64     // values met beyond the cap, over all hours
	over   *overflow // what came beyond it this hour, nil if nothing
	before *overflow // and the hour before
	kept   int       // values of the hour before
}

const (
	maxValueLength = 256
	valueSample    = 4    // of a large batch one row in so many is looked at
	valueAll       = 4000 // rows of a batch that is looked at in full
	maxValueKeys   = 20_000
	maxValueHashes = 2_000_000 // in all sets
)

func newValueSeen(c *caps) *valueSeen { return &valueSeen{caps: c, keys: map[valueKey]*valueSet{}} }

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
			if set.hashes != nil {
				rows = v.see(set, signal, a.values.bytes(value), rows)
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
		if set := v.set(signal, kv.key, now); set.hashes != nil {
			rows = v.see(set, signal, []byte(kv.value), rows)
		}
	}
	return rows
}

// set finds the values of a key. Beyond maxValueKeys keys it is one without hashes: no values are kept. Keys not met in
// this hour or the one before give their places free.
func (v *valueSeen) set(signal, key string, now int64) *valueSet {
	k, hour := valueKey{signal, key}, now/3600
	s := v.keys[k]
	if s == nil {
		if len(v.keys) >= maxValueKeys && v.swept != hour {
			v.swept = hour
			v.dropIdle(hour)
		}
		if len(v.keys) >= maxValueKeys {
			v.rest.add(xxhash.Sum64String(key), 1, func() string { return key })
			return &valueSet{}
		}
		s = &valueSet{key: key, hashes: map[uint64]struct{}{}, hour: hour}
		v.keys[k] = s
	}
	if s.hour != hour {
		if s.before != nil {
			v.over--
		}
		s.kept, s.before, s.over = len(s.hashes), s.over, nil
		v.total -= len(s.hashes)
		s.hour, s.marked, s.hashes = hour, false, map[uint64]struct{}{}
	}
	return s
}

// dropIdle forgets keys not met since the hour before. Called with mu held.
func (v *valueSeen) dropIdle(hour int64) {
	for k, s := range v.keys {
		if s.hour >= hour-1 {
			continue
		}
		for _, o := range []*overflow{s.over, s.before} {
			if o != nil {
				v.over--
			}
		}
		v.total -= len(s.hashes)
		delete(v.keys, k)
	}
}

// keysBeyond describes the keys of which no values are kept.
func (v *valueSeen) keysBeyond() []Cardinality {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := Cardinality{Signal: AnySignal.String(), Kept: int64(len(v.keys)), Cap: maxValueKeys}
	if v.rest.times == 0 {
		return nil
	}
	c.describe(&v.rest)
	c.Name = c.Sample[0]
	return []Cardinality{c}
}

func (v *valueSeen) see(s *valueSet, signal string, value []byte, rows []valueRow) []valueRow {
	if len(value) > maxValueLength || len(value) == 0 {
		return rows
	}
	h := xxhash.Sum64(value)
	if _, ok := s.hashes[h]; ok {
		return rows
	}
	if len(s.hashes) < v.caps.values(s.key) && v.total < maxValueHashes {
		s.hashes[h] = struct{}{}
		v.total++
		return append(rows, valueRow{signal, s.key, string(value)})
	}
	v.beyond(s, h, value)
	if s.marked {
		return rows
	}
	s.marked = true
	return append(rows, valueRow{signal, s.key, ""})
}

func (v *valueSeen) beyond(s *valueSet, hash uint64, value []byte) {
	s.times++
	if s.over == nil {
		if v.over >= 2*maxOverflows {
			return
		}
		v.over++
		s.over = &overflow{}
	}
	s.over.add(hash, 1, func() string { return string(value) })
}

// capped names the keys that had more values than the cap in the current hour.
func (v *valueSeen) capped() []valueKey {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []valueKey
	for k, s := range v.keys {
		if s.marked {
			out = append(out, k)
		}
	}
	return out
}

// cardinality describes each key by the hour that has more to say, this one or the one before.
func (v *valueSeen) cardinality() []Cardinality {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make([]Cardinality, 0, len(v.keys))
	for k, s := range v.keys {
		c := Cardinality{Name: k.key, Signal: k.signal, Kept: int64(max(len(s.hashes), s.kept)), Cap: v.caps.values(k.key)}
		over := s.over
		if over == nil || s.before != nil && s.before.names.count() > over.names.count() {
			over = cmp.Or(s.before, over)
		}
		c.describe(over)
		c.Times = s.times
		out = append(out, c)
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
