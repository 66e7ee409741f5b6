package ingest

import (
	"sync"
	"sync/atomic"
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
	rejected   map[string]int64       // points beyond the cap, by metric
}

func newSeriesCache(max int) *seriesCache {
	return &seriesCache{max: max, young: map[uint64]*seriesInfo{}, canonical: map[uint64]*seriesInfo{},
		perMetric: map[string]int{}, rejected: map[string]int64{}}
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

// put adds a series unless its metric has limit of them already; then it counts and returns nil.
func (c *seriesCache) put(key uint64, s *seriesInfo, limit int) *seriesInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.canonical[s.fingerprint]; known != nil {
		s = known
	} else {
		if c.perMetric[s.name] >= limit {
			c.rejected[s.name]++
			return nil
		}
		c.canonical[s.fingerprint] = s
		c.perMetric[s.name]++
	}
	c.keep(key, s)
	return s
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
	for name, n := range c.rejected {
		out[name] = n
	}
	return out
}
