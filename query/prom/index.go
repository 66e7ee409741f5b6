package prom

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// ExactScope begins the scope, in metric_series, of the series of remote write and of rules: their attributes are all
// their labels, __name__ among them, and nothing is translated.
const ExactScope = "__prometheus__"

// metric is one kind of series under a stored name.
type metric struct {
	metricKey
	description string
	series      uint64
	first, last int64 // ms
}

// metricKey tells the metrics of one stored name apart.
type metricKey struct {
	stored, typ, temporality, unit string
	monotonic, exact               bool
}

// source is a metric, or a virtual one, under one of its names.
type source struct {
	*metric
	part
	virtual *virtual
}

// entry is one series of a family.
type entry struct {
	fingerprint uint64
	labels      labels.Labels // without the name, unless exact
	first, last int64         // ms; the stored ones lag by up to seenLag
}

// seenLag is how far the stored first_seen and last_seen of a series may be from the truth, in milliseconds.
const seenLag = 601_000

func (e *entry) within(mint, maxt int64) bool {
	return maxt >= e.first-seenLag && mint <= e.last+seenLag
}

// family is the series under one stored name.
type family struct {
	mu      sync.Mutex
	loaded  time.Time
	known   map[uint64]*entry
	entries map[metricKey][]*entry // sorted by labels

	size int       // guarded by the index's mu, as is read
	read time.Time // as loaded
}

// index knows which series there are. It is a copy of metric_series that is read when asked for and kept: what is
// known of a name is read whole once, and afterwards only what came.
type index struct {
	columns *columns
	tr      *translator
	ttl     time.Duration // how old what is known may be
	max     int           // series kept
	virtual []*virtual
	senders resources

	mu       sync.Mutex
	loaded   time.Time
	byName   map[string][]source // by the name in PromQL
	names    []string            // sorted
	families map[string]*family  // by the stored name
	kept     int
}

func newIndex(c *columns, tr *translator, ttl time.Duration, most int) *index {
	return &index{columns: c, tr: tr, ttl: ttl, max: most, families: map[string]*family{}}
}

// forget makes the next question read everything anew.
func (x *index) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.loaded, x.byName, x.names, x.families, x.kept = time.Time{}, nil, nil, map[string]*family{}, 0
	x.senders.mu.Lock()
	x.senders.all = nil
	x.senders.mu.Unlock()
}

// catalog is every name in PromQL with what stands behind it.
func (x *index) catalog(ctx context.Context) (map[string][]source, []string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byName != nil && time.Since(x.loaded) < x.ttl {
		return x.byName, x.names, nil
	}
	stored, err := x.readCatalog(ctx)
	if err != nil {
		return nil, nil, err
	}
	byName := make(map[string][]source, 2*len(stored))
	for _, m := range stored {
		for _, p := range x.tr.parts(m) {
			byName[p.name] = append(byName[p.name], source{metric: m, part: p})
		}
	}
	for _, v := range x.virtual {
		for _, name := range v.names {
			byName[name] = append(byName[name], source{metric: &v.metric, part: part{name, kindVirtual}, virtual: v})
		}
	}
	x.byName, x.names, x.loaded = byName, slices.Sorted(maps.Keys(byName)), time.Now()
	return x.byName, x.names, nil
}

func (x *index) readCatalog(ctx context.Context) ([]*metric, error) {
	var all []*metric
	var name, typ, temporality, unit, description proto.ColStr
	var monotonic, exact proto.ColUInt8
	var count proto.ColUInt64
	var first, last proto.ColUInt32
	err := x.columns.run(ctx, statement{
		sql: `SELECT CAST(name, 'String') AS n, CAST(type, 'String') AS t, CAST(temporality, 'String') AS p, CAST(unit, 'String') AS u, toUInt8(monotonic) AS m, startsWith(CAST(scope, 'String'), {scope:String}) AS exact,
max(CAST(description, 'String')) AS d, uniq(fingerprint) AS c, min(toUnixTimestamp(first_seen)) AS first, max(toUnixTimestamp(last_seen)) AS last
FROM {{metric_series}} GROUP BY n, t, p, u, m, exact`,
		params: map[string]any{"scope": ExactScope},
		result: proto.Results{{Name: "n", Data: &name}, {Name: "t", Data: &typ}, {Name: "p", Data: &temporality}, {Name: "u", Data: &unit}, {Name: "m", Data: &monotonic},
			{Name: "exact", Data: &exact}, {Name: "d", Data: &description}, {Name: "c", Data: &count}, {Name: "first", Data: &first}, {Name: "last", Data: &last}},
		block: func() error {
			for i := range name.Rows() {
				all = append(all, &metric{
					metricKey:   metricKey{name.Row(i), typ.Row(i), temporality.Row(i), unit.Row(i), monotonic[i] == 1, exact[i] == 1},
					description: description.Row(i), series: count[i], first: int64(first[i]) * 1000, last: int64(last[i]) * 1000,
				})
			}
			return nil
		},
	})
	return all, err
}

// picked are the chosen series of one source.
type picked struct {
	source
	entries []*entry // sorted by labels, nil for virtual ones
	whole   bool     // all series under the stored name
}

// choose finds the sources with series between two times that the matchers choose. What is asked of le and quantile
// of parts that get them on reading is left to the reader.
func (x *index) choose(ctx context.Context, mint, maxt int64, matchers []*labels.Matcher) ([]picked, error) {
	sources, err := x.sources(ctx, mint, maxt, matchers)
	if err != nil {
		return nil, err
	}
	stored := map[string]bool{}
	for _, s := range sources {
		if s.virtual == nil {
			stored[s.stored] = true
		}
	}
	families, err := x.ensure(ctx, slices.Sorted(maps.Keys(stored)))
	if err != nil {
		return nil, err
	}
	var out []picked
	for _, s := range sources {
		if s.virtual != nil {
			out = append(out, picked{source: s})
			continue
		}
		f := families[s.stored]
		p := picked{source: s}
		f.mu.Lock()
		all := f.entries[s.metricKey]
		p.whole = len(f.entries) == 1
		f.mu.Unlock()
		rest := s.rest(matchers)
		for _, e := range all {
			if e.within(mint, maxt) && matches(e.labels, rest) {
				p.entries = append(p.entries, e)
			}
		}
		p.whole = p.whole && len(p.entries) == len(all)
		if len(p.entries) > 0 {
			out = append(out, p)
		}
	}
	return out, nil
}

// sources are those whose names the matchers choose.
func (x *index) sources(ctx context.Context, mint, maxt int64, matchers []*labels.Matcher) ([]source, error) {
	byName, names, err := x.catalog(ctx)
	if err != nil {
		return nil, err
	}
	var byNameMatchers []*labels.Matcher
	for _, m := range matchers {
		if m.Name == model.MetricNameLabel {
			if m.Type == labels.MatchEqual {
				names = slices.DeleteFunc([]string{m.Value}, func(s string) bool { return byName[s] == nil })
			}
			byNameMatchers = append(byNameMatchers, m)
		}
	}
	var out []source
	for _, name := range names {
		if !slices.ContainsFunc(byNameMatchers, func(m *labels.Matcher) bool { return !m.Matches(name) }) {
			for _, s := range byName[name] {
				if s.virtual != nil || maxt >= s.first-seenLag && mint <= s.last+seenLag {
					out = append(out, s)
				}
			}
		}
	}
	return out, nil
}

// rest are the matchers that remain when the name is chosen and what is made on reading is left to the reader.
func (s *source) rest(matchers []*labels.Matcher) []*labels.Matcher {
	var out []*labels.Matcher
	for _, m := range matchers {
		made := m.Name == model.MetricNameLabel || s.kind == kindBucket && m.Name == model.BucketLabel || s.kind == kindQuantile && m.Name == model.QuantileLabel
		if !made {
			out = append(out, m)
		}
	}
	return out
}

func matches(ls labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

// ErrTooManySeries is the answer when more series are asked for than may be kept.
type ErrTooManySeries struct{ Max int }

func (e ErrTooManySeries) Error() string {
	return fmt.Sprintf("query processing would hold more than %d series in memory: choose fewer by name or label, or raise --prom-max-series", e.Max)
}
