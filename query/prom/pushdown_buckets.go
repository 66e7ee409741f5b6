package prom

import (
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

// usualBuckets is how many buckets explicit histograms usually have: OpenTelemetry's SDKs have 15 or 16.
const usualBuckets = 15

// readBuckets asks for the explicit histograms of the chunk's entries and lays their buckets out as cumulative counts,
// those of a histogram beside each other.
func (c *chunk) readBuckets(ctx context.Context, v *evaluation, p picked, at map[uint32]int, w window) error {
	st, r, err := c.ask(v, p, w, "metric_distributions", ", flags AS f, count AS n, bounds, counts", "")
	if err != nil {
		return err
	}
	var flags proto.ColUInt8
	var count proto.ColUInt64
	bounds, counts := floatArray{}, countArray{}
	st.result = append(st.result, proto.Results{{Name: "f", Data: &flags}, {Name: "n", Data: &count}, {Name: "bounds", Data: bounds.init()}, {Name: "counts", Data: counts.init()}}...)
	var keys []float64 // of the row before: nearly all have the same
	st.block = func() error {
		base := c.times(r, w)
		for from := 0; from < len(r.ts); {
			own := bounds.row(from)
			if len(keys) != len(own)+1 || !slices.Equal(keys[:len(own)], own) {
				keys = append(slices.Clone(own), math.Inf(1))
			}
			x := piece{from: base + from, values: len(c.v), keys: keys}
			c.v = cumulative(c.v, counts.row(from), len(own), count[from], flags[from]&FlagStale != 0)
			to := from + 1
			for to < len(r.ts) && r.series[to] == r.series[from] && r.ts[to] > r.ts[to-1] && slices.Equal(bounds.row(to), own) {
				c.v = cumulative(c.v, counts.row(to), len(own), count[to], flags[to]&FlagStale != 0)
				to++
			}
			if i, ok := at[r.series[from]]; ok {
				x.to = base + to
				c.runs[i] = append(c.runs[i], x)
			}
			from = to
		}
		if c.full(v.plan.e) {
			return errSplit
		}
		return nil
	}
	return v.plan.e.columns.run(ctx, st)
}

// cumulative appends the buckets of one histogram with so many bounds.
func cumulative(to []float64, counts []uint64, bounds int, count uint64, stale bool) []float64 {
	if stale {
		for range bounds + 1 {
			to = append(to, math.Float64frombits(value.StaleNaN))
		}
		return to
	}
	sum := uint64(0)
	for i := range bounds {
		if i < len(counts) {
			sum += counts[i]
			to = append(to, float64(sum))
		} else {
			to = append(to, float64(count))
		}
	}
	return append(to, float64(count))
}

// buckets evaluates the buckets of one unit: n entries of the chunk from first on.
func (w *worker) buckets(p picked, e *entry, c *chunk, first, n int, between window) error {
	var keys []float64
	for i := first; i < first+n; i++ {
		for _, x := range c.runs[i] {
			if len(keys) == 0 {
				keys = slices.Clone(x.keys)
			} else if !slices.Equal(keys, x.keys) {
				keys = append(keys, x.keys...)
			}
		}
	}
	slices.Sort(keys)
	b := labels.NewBuilder(labels.EmptyLabels())
	for _, key := range slices.Compact(keys) {
		le := w.bound(key)
		if !matchesBound(le, w.part.vector.LabelMatchers) {
			continue
		}
		b.Reset(e.labels)
		b.Set(model.MetricNameLabel, p.name)
		b.Set(model.BucketLabel, le)
		if err := w.take(b.Labels(), c.unit(first, n, &key, p.temporality == "delta", between)); err != nil {
			return err
		}
	}
	return nil
}

// bound writes an upper bound as the label le has it.
func (w *worker) bound(key float64) string {
	text, ok := w.bounds[key]
	if !ok {
		text = strconv.FormatFloat(key, 'f', -1, 64)
		w.bounds[key] = text
	}
	return text
}

func matchesBound(le string, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if m.Name == model.BucketLabel && !m.Matches(le) {
			return false
		}
	}
	return true
}
