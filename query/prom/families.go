package prom

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/prometheus/model/labels"
)

// ensure makes what is known under stored names, which are sorted, at most ttl old: what was never read is read whole,
// of the others only what came. However many names there are, it takes at most three statements.
func (x *index) ensure(ctx context.Context, names []string) (map[string]*family, error) {
	all := make(map[string]*family, len(names))
	x.mu.Lock()
	for _, name := range names {
		if x.families[name] == nil {
			x.families[name] = &family{known: map[uint64]*entry{}, entries: map[metricKey][]*entry{}}
		}
		all[name] = x.families[name]
	}
	x.mu.Unlock()
	unread, old := map[string]*family{}, map[string]*family{}
	for _, name := range names { // in their order: two questions never wait for each other
		f := all[name]
		f.mu.Lock()
		switch {
		case f.loaded.IsZero():
			unread[name] = f
			defer f.mu.Unlock()
		case time.Since(f.loaded) >= x.ttl:
			old[name] = f
			defer f.mu.Unlock()
		default:
			f.mu.Unlock()
		}
	}
	if len(unread)+len(old) == 0 {
		return all, nil
	}
	senders, err := x.resources(ctx)
	if err != nil {
		return nil, err
	}
	if err := x.readSeries(ctx, unread, nil, senders); err != nil {
		return nil, err
	}
	missing, err := x.seen(ctx, old)
	if err == nil && len(missing) > 0 {
		err = x.readSeries(ctx, old, missing, senders)
	}
	if err != nil {
		return nil, err
	}
	maps.Copy(unread, old)
	for _, f := range unread {
		f.loaded = time.Now()
	}
	x.account(unread, all)
	return all, nil
}

// account keeps the number of kept series under its bound by forgetting the families read longest ago, but none in use.
// Called with the changed families' mu held.
func (x *index) account(changed, used map[string]*family) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for name, f := range changed {
		if x.families[name] == f {
			x.kept += len(f.known) - f.size
			f.size, f.read = len(f.known), f.loaded
		}
	}
	for x.kept > x.max {
		oldest := ""
		for name, f := range x.families {
			if used[name] == nil && f.size > 0 && (oldest == "" || f.read.Before(x.families[oldest].read)) {
				oldest = name
			}
		}
		if oldest == "" {
			return
		}
		x.kept -= x.families[oldest].size
		delete(x.families, oldest)
	}
}

// seen reads again when the series of families were seen, and tells those not known yet. Called with their mu held.
func (x *index) seen(ctx context.Context, families map[string]*family) (missing []uint64, err error) {
	if len(families) == 0 {
		return nil, nil
	}
	var name proto.ColStr
	var fingerprint proto.ColUInt64
	var first, last proto.ColUInt32
	changed := map[string]bool{}
	err = x.columns.run(ctx, statement{
		sql:    `SELECT CAST(name, 'String') AS n, fingerprint, toUnixTimestamp(first_seen) AS first, toUnixTimestamp(last_seen) AS last FROM {{metric_series}} WHERE name IN {names:Array(String)}`,
		params: map[string]any{"names": slices.Collect(maps.Keys(families))},
		result: proto.Results{{Name: "n", Data: &name}, {Name: "fingerprint", Data: &fingerprint}, {Name: "first", Data: &first}, {Name: "last", Data: &last}},
		block: func() error {
			for i, fp := range fingerprint {
				n := name.Row(i)
				f := families[n]
				if e := f.known[fp]; e == nil {
					missing = append(missing, fp)
				} else if l, b := int64(last[i])*1000, int64(first[i])*1000; l > e.last || b < e.first {
					f.known[fp] = &entry{fp, e.labels, min(b, e.first), max(l, e.last)} // others may hold the old one
					changed[n] = true
				}
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	for name := range changed {
		f := families[name]
		for k, all := range f.entries {
			fresh := make([]*entry, len(all)) // others may read the old one
			for i, e := range all {
				fresh[i] = f.known[e.fingerprint]
			}
			f.entries[k] = fresh
		}
	}
	return missing, nil
}

// readSeries adds the series of families, or those of them that are missing. Called with their mu held.
func (x *index) readSeries(ctx context.Context, families map[string]*family, missing []uint64, senders map[uint64]*resource) error {
	if len(families) == 0 {
		return nil
	}
	var fingerprint, sender proto.ColUInt64
	var name, typ, temporality, unit proto.ColStr
	var monotonic, exact proto.ColUInt8
	var first, last proto.ColUInt32
	keys, values := new(proto.ColStr).Array(), new(proto.ColStr).Array()
	st := statement{
		sql: `SELECT CAST(name, 'String') AS n, fingerprint, CAST(type, 'String') AS t, CAST(temporality, 'String') AS p, CAST(unit, 'String') AS u, toUInt8(monotonic) AS m,
startsWith(CAST(scope, 'String'), {scope:String}) AS exact, toUInt64(resource) AS r, mapKeys(attributes) AS keys, mapValues(attributes) AS values, toUnixTimestamp(first_seen) AS first, toUnixTimestamp(last_seen) AS last
FROM {{metric_series}} WHERE name IN {names:Array(String)}`,
		params: map[string]any{"names": slices.Collect(maps.Keys(families)), "scope": ExactScope},
		result: proto.Results{{Name: "n", Data: &name}, {Name: "fingerprint", Data: &fingerprint}, {Name: "t", Data: &typ}, {Name: "p", Data: &temporality}, {Name: "u", Data: &unit}, {Name: "m", Data: &monotonic},
			{Name: "exact", Data: &exact}, {Name: "r", Data: &sender}, {Name: "keys", Data: keys}, {Name: "values", Data: values}, {Name: "first", Data: &first}, {Name: "last", Data: &last}},
	}
	if missing != nil {
		st.chosen, st.sql = missing, st.sql+" AND fingerprint IN (SELECT fingerprint FROM chosen)"
	}
	added, count := map[metricKey][]*entry{}, 0
	b := labels.NewScratchBuilder(16)
	st.block = func() error {
		for i, fp := range fingerprint {
			stored := name.Row(i)
			f := families[stored]
			if e := f.known[fp]; e != nil { // another row of a series just read, which nobody else has yet
				e.first, e.last = min(e.first, int64(first[i])*1000), max(e.last, int64(last[i])*1000)
				continue
			}
			if count++; count > x.max {
				return ErrTooManySeries{x.max}
			}
			e := &entry{fingerprint: fp, first: int64(first[i]) * 1000, last: int64(last[i]) * 1000}
			if exact[i] == 1 {
				b.Reset()
				ks, vs := keys.Row(i), values.Row(i)
				for j, k := range ks {
					b.Add(k, vs[j])
				}
				b.Sort()
				e.labels = b.Labels()
			} else {
				e.labels = x.tr.labelsOf(&b, keys.Row(i), values.Row(i), senders[sender[i]], true)
			}
			f.known[fp] = e
			k := metricKey{stored, typ.Row(i), temporality.Row(i), unit.Row(i), monotonic[i] == 1, exact[i] == 1}
			added[k] = append(added[k], e)
		}
		return nil
	}
	if err := x.columns.run(ctx, st); err != nil {
		for k, es := range added { // what was half read is read again
			for _, e := range es {
				delete(families[k.stored].known, e.fingerprint)
			}
		}
		return err
	}
	for k, es := range added {
		f := families[k.stored]
		all := append(slices.Clone(f.entries[k]), es...)
		slices.SortFunc(all, func(a, b *entry) int { return labels.Compare(a.labels, b.labels) })
		f.entries[k] = all
	}
	return nil
}
