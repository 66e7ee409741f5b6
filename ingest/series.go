package ingest

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// seriesInfo is one metric series, decoded once and shared by all batches.
type seriesInfo struct {
	fingerprint                         uint64
	name, description, unit, scope      string
	typ, temporality                    string
	monotonic                           bool
	resource                            *resource
	attributes                          []keyValue   // sorted by key
	firstStored, lastStored, lastQueued atomic.Int64 // Unix seconds of data

	// Of a series that came by remote write, in place of attributes, description and so on: its labels, packed, and
	// what it measures; and of its newest point the time in milliseconds and the bits of its value.
	labels     string
	meta       atomic.Pointer[metricMeta]
	metaSeen   atomic.Int64 // families.changes when meta was made
	newest     atomic.Int64
	newestBits atomic.Uint64
}

// seriesRefresh is how stale the stored last_seen of a series or resource may be, in seconds.
const seriesRefresh = 600

// due tells, once, that the row of a series must be (re)written because of a point at a time in Unix seconds.
func (s *seriesInfo) due(sec int64) bool {
	first, queued := s.firstStored.Load(), s.lastQueued.Load()
	if queued != 0 && sec < queued+seriesRefresh && (first == 0 || sec >= first-seriesRefresh) {
		return false
	}
	if queued != 0 && first != 0 && sec < first {
		return s.firstStored.CompareAndSwap(first, sec)
	}
	return s.lastQueued.CompareAndSwap(queued, sec)
}

// seriesCache remembers series by a hash of their encoding and counts the series of each metric. It holds two
// generations, like resources.
type seriesCache struct {
	max int

	mu         sync.RWMutex
	young, old map[uint64]*seriesInfo // guarded by mu
	canonical  map[uint64]*seriesInfo // by fingerprint
	perMetric  map[string]int         // series in canonical
	rejected   map[string]*overflow   // series beyond the cap, by metric; at most maxOverflows, then under "(other)"
	swept      time.Time              // when idle series were looked for
}

const (
	seriesIdle       = 2 * 3600    // seconds of data without a point after which a series gives its place free
	seriesSweepEvery = time.Minute // when a metric is at its cap
)

func newSeriesCache(max int) *seriesCache {
	return &seriesCache{max: max, young: map[uint64]*seriesInfo{}, canonical: map[uint64]*seriesInfo{},
		perMetric: map[string]int{}, rejected: map[string]*overflow{}}
}

func (c *seriesCache) get(key uint64) *seriesInfo {
	c.mu.RLock()
	s, young := c.young[key]
	if !young {
		s = c.old[key]
	}
	c.mu.RUnlock()
	if s != nil && !young {
		c.mu.Lock()
		c.keep(key, s)
		c.mu.Unlock()
	}
	return s
}

// put adds a series met at a time, Unix seconds, unless its metric has limit of them already; then it counts and
// returns nil.
func (c *seriesCache) put(key uint64, s *seriesInfo, limit int, sec int64) *seriesInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.canonical[s.fingerprint]; known != nil {
		s = known
	} else {
		if c.perMetric[s.name] >= limit {
			c.sweep(sec)
		}
		if c.perMetric[s.name] >= limit {
			c.reject(s)
			return nil
		}
		c.canonical[s.fingerprint] = s
		c.perMetric[s.name]++
	}
	c.keep(key, s)
	return s
}

// sweep forgets the series that had no point for long before sec. Called with mu held.
func (c *seriesCache) sweep(sec int64) {
	if time.Since(c.swept) < seriesSweepEvery {
		return
	}
	c.swept = time.Now()
	idle := func(_ uint64, s *seriesInfo) bool {
		last := s.lastQueued.Load()
		return last != 0 && last+seriesIdle < sec
	}
	maps.DeleteFunc(c.young, idle)
	maps.DeleteFunc(c.old, idle)
	maps.DeleteFunc(c.canonical, idle)
	clear(c.perMetric)
	for _, s := range c.canonical {
		c.perMetric[s.name]++
	}
}

func (c *seriesCache) reject(s *seriesInfo) {
	o, name := c.rejected[s.name], s.name
	if o == nil {
		if len(c.rejected) >= maxOverflows {
			name = foldedOperation
		}
		if o = c.rejected[name]; o == nil {
			o = &overflow{}
			c.rejected[name] = o
		}
	}
	o.add(s.fingerprint, 1, s.String)
}

// String writes a series as Prometheus does, after its service.
func (s *seriesInfo) String() string {
	b := []byte(s.resource.service + " {")
	for i, kv := range s.attrs() {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, kv.key...)
		b = append(b, '=')
		b = strconv.AppendQuote(b, string(cut([]byte(kv.value), 100)))
	}
	return string(cut(append(b, '}'), 500))
}

// keep makes a series young. Series that no point named for a whole generation are forgotten and free their place
// under the cap. Called with mu held.
func (c *seriesCache) keep(key uint64, s *seriesInfo) {
	if len(c.young) >= c.max/2 {
		c.old, c.young = c.young, make(map[uint64]*seriesInfo, len(c.young))
		c.recount(s)
	}
	c.young[key] = s
}

func (c *seriesCache) recount(also *seriesInfo) {
	c.canonical = make(map[uint64]*seriesInfo, len(c.old))
	c.perMetric = map[string]int{}
	add := func(s *seriesInfo) {
		if c.canonical[s.fingerprint] == nil {
			c.canonical[s.fingerprint] = s
			c.perMetric[s.name]++
		}
	}
	add(also)
	for _, s := range c.old {
		add(s)
	}
}

// counts tells the points rejected for each metric because of the cap.
func (c *seriesCache) counts() map[string]int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make(map[string]int64, len(c.rejected))
	for name, o := range c.rejected {
		out[name] = o.times
	}
	return out
}

func (c *seriesCache) cardinality(limits *caps) []Cardinality {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]Cardinality, 0, len(c.perMetric)+1)
	add := func(name string, kept int) {
		x := Cardinality{Name: name, Signal: Metrics.String(), Kept: int64(kept), Cap: limits.series(name)}
		x.describe(c.rejected[name])
		out = append(out, x)
	}
	for name, n := range c.perMetric {
		add(name, n)
	}
	for name := range c.rejected {
		if _, ok := c.perMetric[name]; !ok {
			add(name, 0)
		}
	}
	return out
}
