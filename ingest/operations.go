package ingest

import (
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

// operations caps the distinct span names a service has in the rollups. A name that no span had for operationIdle gives
// its place free.
type operations struct {
	caps *caps

	mu       sync.Mutex
	services map[string]*operationSet // guarded by mu
	rest     operationSet             // services beyond maxOperationServices; all their names fold
	over     int                      // sets that describe what came beyond
}

type operationSet struct {
	names  map[string]int64 // name -> hour of its last span
	swept  int64            // hour in which idle names were looked for
	folded int64            // spans counted under "(other)"
	over   *overflow        // nil while nothing was folded
}

type opKey struct {
	service string
	name    uint32
}

const (
	operationIdle        = 24 // hours
	maxOperationServices = 20_000
)

func newOperations(c *caps) *operations {
	return &operations{caps: c, services: map[string]*operationSet{}}
}

// fold names the operations of a batch that exceed the cap, nil if none.
func (o *operations) fold(c *spanColumns, perm []uint32) map[opKey]bool {
	type pair struct{ res, name uint32 }
	seen := make(map[pair]int)
	if names := c.names.len(); names*len(c.resources.list) <= 1<<20 {
		counts := make([]uint32, names*len(c.resources.list))
		for _, i := range perm {
			counts[int(c.resource[i])*names+int(c.name[i])]++
		}
		for at, n := range counts {
			if n > 0 {
				seen[pair{uint32(at / names), uint32(at % names)}] = int(n)
			}
		}
	} else {
		for _, i := range perm {
			seen[pair{c.resource[i], c.name[i]}]++
		}
	}
	var folded map[opKey]bool
	hour := time.Now().Unix() / 3600
	o.mu.Lock()
	defer o.mu.Unlock()
	for p, n := range seen {
		service, name := c.resources.list[p.res].service, c.names.bytes(p.name)
		set := o.set(service)
		if last, ok := set.names[string(name)]; ok {
			if last != hour {
				set.names[string(name)] = hour
			}
			continue
		}
		if o.admit(set, service, name, hour) {
			continue
		}
		o.beyond(set, name, n)
		if folded == nil {
			folded = map[opKey]bool{}
		}
		folded[opKey{service, p.name}] = true
	}
	return folded
}

func (o *operations) set(service string) *operationSet {
	set := o.services[service]
	if set == nil {
		if len(o.services) >= maxOperationServices {
			return &o.rest
		}
		set = &operationSet{names: map[string]int64{}}
		o.services[service] = set
	}
	return set
}

// admit gives a new name a place if there is one.
func (o *operations) admit(set *operationSet, service string, name []byte, hour int64) bool {
	if set == &o.rest {
		return false
	}
	limit := o.caps.operations(service)
	if len(set.names) >= limit && set.swept != hour {
		set.swept = hour
		for known, last := range set.names {
			if last+operationIdle < hour {
				delete(set.names, known)
			}
		}
	}
	if len(set.names) >= limit {
		return false
	}
	set.names[string(name)] = hour
	return true
}

func (o *operations) beyond(set *operationSet, name []byte, spans int) {
	set.folded += int64(spans)
	if set.over == nil {
		if o.over >= maxOverflows {
			return
		}
		o.over++
		set.over = &overflow{}
	}
	set.over.add(xxhash.Sum64(name), int64(spans), func() string { return string(name) })
}

// counts tells how many spans of each service were folded since the start.
func (o *operations) counts() map[string]int64 {
	out := map[string]int64{}
	o.mu.Lock()
	defer o.mu.Unlock()
	for service, set := range o.services {
		if set.folded > 0 {
			out[service] = set.folded
		}
	}
	if o.rest.folded > 0 {
		out[foldedOperation] = o.rest.folded
	}
	return out
}

func (o *operations) cardinality() []Cardinality {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]Cardinality, 0, len(o.services)+1)
	add := func(service string, set *operationSet, limit int) {
		c := Cardinality{Name: service, Signal: Traces.String(), Kept: int64(len(set.names)), Cap: limit}
		c.describe(set.over)
		c.Times = set.folded
		out = append(out, c)
	}
	for service, set := range o.services {
		add(service, set, o.caps.operations(service))
	}
	if o.rest.folded > 0 {
		add(foldedOperation, &o.rest, 0)
	}
	return out
}
