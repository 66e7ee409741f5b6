package prom

import (
	"context"
	"maps"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// LabelValues implements storage.Querier.
func (q *querier) LabelValues(ctx context.Context, name string, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	found := map[string]struct{}{}
	if name == model.MetricNameLabel && !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return m.Name != model.MetricNameLabel }) {
		sources, err := q.e.index.sources(ctx, q.w.from, q.w.to, matchers)
		for _, s := range sources {
			found[s.name] = struct{}{}
		}
		return limited(found, hints), nil, err
	}
	err := q.each(ctx, matchers, func(ls labels.Labels) {
		if v := ls.Get(name); v != "" {
			found[v] = struct{}{}
		}
	})
	return limited(found, hints), nil, err
}

// LabelNames implements storage.Querier.
func (q *querier) LabelNames(ctx context.Context, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	found := map[string]struct{}{}
	err := q.each(ctx, matchers, func(ls labels.Labels) {
		ls.Range(func(l labels.Label) { found[l.Name] = struct{}{} })
	})
	return limited(found, hints), nil, err
}

func limited(found map[string]struct{}, hints *storage.LabelHints) []string {
	out := slices.Sorted(maps.Keys(found))
	if hints != nil && hints.Limit > 0 && len(out) > hints.Limit {
		out = out[:hints.Limit]
	}
	return out
}

// each calls f with the labels of all series that the matchers choose.
func (q *querier) each(ctx context.Context, matchers []*labels.Matcher, f func(labels.Labels)) error {
	w := window{max(q.w.from, earliest), min(q.w.to, latest)}
	chosen, err := q.e.index.choose(ctx, w.from, w.to, matchers)
	if err != nil {
		return err
	}
	hints := &storage.SelectHints{Start: w.from, End: w.to, Func: "series"}
	for _, p := range chosen {
		all, err := q.readPicked(ctx, p, w, hints, matchers)
		if err != nil {
			return err
		}
		for _, s := range all {
			f(s.labels)
		}
	}
	return nil
}
