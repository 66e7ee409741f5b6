package ingest

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tidemarkhq/tidemark/store"
)

// caps are the cardinality guards in force: what is configured, or what somebody has set since.
type caps struct {
	configured store.Caps
	now        atomic.Pointer[store.Caps]
}

func newCaps(l Limits) *caps {
	c := &caps{configured: store.Caps{Operations: l.Operations, Series: l.Series, Values: l.Values}}
	c.set(store.Caps{})
	return c
}

func (c *caps) set(to store.Caps) {
	to.Operations = cmp.Or(to.Operations, c.configured.Operations)
	to.Series = cmp.Or(to.Series, c.configured.Series)
	to.Values = cmp.Or(to.Values, c.configured.Values)
	c.now.Store(&to)
}

func (c *caps) operations(service string) int {
	now := c.now.Load()
	return capOf(now.OperationsOf, service, now.Operations)
}

func (c *caps) series(metric string) int {
	now := c.now.Load()
	return capOf(now.SeriesOf, metric, now.Series)
}

func (c *caps) values(key string) int {
	now := c.now.Load()
	return capOf(now.ValuesOf, key, now.Values)
}

func capOf(exceptions map[string]int, name string, otherwise int) int {
	if n, ok := exceptions[name]; ok {
		return n
	}
	return otherwise
}

// SetCaps changes the cardinality guards; zeroes stand for what Options.Limits say. It takes effect at once for what
// comes from then on.
func (in *Ingest) SetCaps(c store.Caps) { in.caps.set(c) }

// overflow is what came beyond a cap.
type overflow struct {
	names  hyperLogLog
	times  int64 // how often something was folded, rejected or not offered
	sample []string
	last   time.Time
}

// overflowSample is how many of the names beyond a cap are shown.
const overflowSample = 8

// maxOverflows is how many services, metrics or keys beyond their caps are described one by one.
const maxOverflows = 1000

// add counts a name, n times. text is called when the name is to be shown.
func (o *overflow) add(hash uint64, n int64, text func() string) {
	o.names.add(hash)
	o.times += n
	o.last = time.Now()
	if len(o.sample) < overflowSample {
		if s := text(); !slices.Contains(o.sample, s) {
			o.sample = append(o.sample, s)
		}
	}
}

// Cardinality is how many names of a kind there are of one service, metric or key.
type Cardinality struct {
	Name   string `json:"name"`   // of the service, metric or key
	Signal string `json:"signal"` // of a key: traces, logs, metrics or resource
	Kept   int64  `json:"kept"`   // names told apart
	Cap    int    `json:"cap"`
	// Beyond is about how many distinct names came beyond the cap, and Times how often they came: spans counted under
	// "(other)", points rejected, values not offered.
	Beyond int64     `json:"beyond"`
	Times  int64     `json:"times"`
	Sample []string  `json:"sample"` // some of the names beyond the cap
	Last   time.Time `json:"last"`   // when one came; zero if none did
}

// CardinalityStats is the state of the cardinality guards: of each kind those beyond their cap first, then the ones
// nearest to it, at most cardinalityShown.
type CardinalityStats struct {
	Caps       store.Caps    `json:"caps"` // in force
	Operations []Cardinality `json:"operations"`
	Series     []Cardinality `json:"series"`
	Values     []Cardinality `json:"values"`
}

const cardinalityShown = 50

// Cardinality takes a snapshot of the cardinality guards.
func (in *Ingest) Cardinality() CardinalityStats {
	return CardinalityStats{Caps: *in.caps.now.Load(), Operations: fullest(in.ops.cardinality()),
		Series: fullest(in.series.cardinality(in.caps)), Values: fullest(in.values.cardinality())}
}

func (c *Cardinality) describe(o *overflow) {
	c.Sample = []string{}
	if o != nil {
		c.Beyond, c.Times, c.Last, c.Sample = max(o.names.count(), 1), o.times, o.last, slices.Clone(o.sample)
	}
}

func fullest(list []Cardinality) []Cardinality {
	full := func(c Cardinality) float64 { return float64(c.Kept+c.Beyond) / float64(max(c.Cap, 1)) }
	slices.SortFunc(list, func(a, b Cardinality) int {
		beyond := func(c Cardinality) int { return min(int(c.Times), 1) }
		return cmp.Or(cmp.Compare(beyond(b), beyond(a)), cmp.Compare(full(b), full(a)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Signal, b.Signal))
	})
	return slices.Clip(list[:min(len(list), cardinalityShown)])
}

// beyondCaps tells what came beyond caps as reasons, one a signal, with the newest as example.
func beyondCaps(reason string, list []Cardinality, l *Limits) []ReasonStats {
	var out []ReasonStats
	for _, c := range list {
		if c.Times == 0 {
			continue
		}
		i := slices.IndexFunc(out, func(r ReasonStats) bool { return r.Signal == c.Signal })
		if i < 0 {
			i = len(out)
			out = append(out, ReasonStats{Signal: c.Signal, Reason: reason, Message: meaning(reason, l), Fix: remedy(reason)})
		}
		r := &out[i]
		r.Count += c.Times
		if c.Last.Before(r.At) {
			continue
		}
		r.At, r.Example = c.Last, c.Name
		if reason == foldedOperations {
			r.Service, r.Example = c.Name, strings.Join(c.Sample[:min(len(c.Sample), 1)], "")
		}
	}
	return out
}
