package prom

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

func (e *Engine) httpLabels(r *http.Request) (result, error) {
	return e.listed(r, func(q storage.Querier, hints *storage.LabelHints, ms []*labels.Matcher) ([]string, error) {
		names, _, err := q.LabelNames(r.Context(), hints, ms...)
		return names, err
	})
}

func (e *Engine) httpLabelValues(r *http.Request) (result, error) {
	name := r.PathValue("name")
	if strings.HasPrefix(name, "U__") {
		name = model.UnescapeName(name, model.ValueEncodingEscaping)
	}
	if !model.UTF8Validation.IsValidLabelName(name) {
		return result{}, badData(fmt.Errorf("invalid label name: %q", name))
	}
	return e.listed(r, func(q storage.Querier, hints *storage.LabelHints, ms []*labels.Matcher) ([]string, error) {
		values, _, err := q.LabelValues(r.Context(), name, hints, ms...)
		return values, err
	})
}

// listed answers names or values of the series that any of match[] chooses, or of all.
func (e *Engine) listed(r *http.Request, list func(storage.Querier, *storage.LabelHints, []*labels.Matcher) ([]string, error)) (res result, err error) {
	limit, err := limitParam(r)
	if err != nil {
		return res, err
	}
	start, end, err := span(r)
	if err != nil {
		return res, err
	}
	sets, err := e.matcherSets(r)
	if err != nil {
		return res, badData(err)
	}
	q, err := e.Querier(timestamp.FromTime(start), timestamp.FromTime(end))
	if err != nil {
		return res, err
	}
	defer q.Close()
	if len(sets) == 0 {
		sets = [][]*labels.Matcher{nil}
	}
	found := map[string]struct{}{}
	for _, ms := range sets {
		some, err := list(q, &storage.LabelHints{Limit: more(limit)}, ms)
		if err != nil {
			return res, err
		}
		for _, s := range some {
			found[s] = struct{}{}
		}
	}
	all := slices.Sorted(maps.Keys(found))
	if all == nil {
		all = []string{}
	}
	if limit > 0 && len(all) > limit {
		all, res.warnings = all[:limit], annotations.New().Add(errTruncated)
	}
	res.data = all
	return res, nil
}

func (e *Engine) httpSeries(r *http.Request) (res result, err error) {
	if len(r.Form["match[]"]) == 0 {
		return res, badData(errors.New("no match[] parameter provided"))
	}
	limit, err := limitParam(r)
	if err != nil {
		return res, err
	}
	start, end, err := span(r)
	if err != nil {
		return res, err
	}
	sets, err := e.matcherSets(r)
	if err != nil {
		return res, badParam(err, "match[]")
	}
	q, err := e.Querier(timestamp.FromTime(start), timestamp.FromTime(end))
	if err != nil {
		return res, err
	}
	defer q.Close()
	hints := &storage.SelectHints{Start: timestamp.FromTime(start), End: timestamp.FromTime(end), Func: "series", Limit: more(limit)}
	var all []labels.Labels
	for _, ms := range sets {
		set := q.Select(r.Context(), true, hints, ms...)
		for set.Next() {
			all = append(all, set.At().Labels())
		}
		if set.Err() != nil {
			return res, set.Err()
		}
	}
	slices.SortFunc(all, labels.Compare)
	all = slices.CompactFunc(all, labels.Equal)
	if limit > 0 && len(all) > limit {
		all, res.warnings = all[:limit], annotations.New().Add(errTruncated)
	}
	if all == nil {
		all = []labels.Labels{}
	}
	res.data = all
	return res, nil
}

// metadata is what is told of a metric family.
type metadata struct {
	Type model.MetricType `json:"type"`
	Help string           `json:"help"`
	Unit string           `json:"unit"`
}

func numberParam(r *http.Request, name string) (int, error) {
	s := r.FormValue(name)
	if s == "" {
		return -1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, badData(errors.New(name + " must be a number"))
	}
	return n, nil
}

func (e *Engine) httpMetadata(r *http.Request) (result, error) {
	limit, err := numberParam(r, "limit")
	if err != nil {
		return result{}, err
	}
	perMetric, err := numberParam(r, "limit_per_metric")
	if err != nil {
		return result{}, err
	}
	families, err := e.families(r)
	if err != nil {
		return result{}, err
	}
	out := map[string][]metadata{}
	only := r.FormValue("metric")
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if limit >= 0 && len(out) >= limit {
			break
		}
		if only != "" && only != name {
			continue
		}
		all := families[name]
		if perMetric > 0 && len(all) > perMetric {
			all = all[:perMetric]
		}
		out[name] = all
	}
	return result{data: out}, nil
}

// families is the metadata of every metric family.
func (e *Engine) families(r *http.Request) (map[string][]metadata, error) {
	byName, names, err := e.index.catalog(r.Context())
	if err != nil {
		return nil, err
	}
	out := map[string][]metadata{}
	for _, name := range names {
		for _, s := range byName[name] {
			family, typ := s.family(byName)
			m := metadata{typ, s.description, s.unit}
			if !slices.Contains(out[family], m) {
				out[family] = append(out[family], m)
			}
		}
	}
	for _, all := range out {
		slices.SortFunc(all, func(a, b metadata) int {
			return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Help, b.Help), cmp.Compare(a.Unit, b.Unit))
		})
	}
	return out, nil
}

// family is the name and type under which metadata of a source is kept.
func (s *source) family(byName map[string][]source) (string, model.MetricType) {
	name := s.name
	switch s.kind {
	case kindBucket:
		return strings.TrimSuffix(name, "_bucket"), model.MetricTypeHistogram
	case kindSum, kindCount, kindQuantile:
		name = strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count")
		if s.typ == "summary" {
			return name, model.MetricTypeSummary
		}
		return name, model.MetricTypeHistogram
	case kindNative, kindCustom:
		return name, model.MetricTypeHistogram
	case kindVirtual:
		if s.typ == "histogram" {
			return strings.TrimSuffix(name, partOf(name)), model.MetricTypeHistogram
		}
	case kindExact:
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, ok := strings.CutSuffix(name, suffix); ok && byName[base+"_bucket"] != nil {
				return base, model.MetricTypeHistogram
			}
		}
	}
	switch {
	case s.typ == "histogram" || s.typ == "exponential_histogram":
		return name, model.MetricTypeHistogram
	case s.typ == "sum" && s.monotonic:
		return name, model.MetricTypeCounter
	case s.typ == "sum" || s.typ == "gauge":
		return name, model.MetricTypeGauge
	case s.typ == "info":
		return name, model.MetricTypeInfo
	}
	return name, model.MetricTypeUnknown
}
