package prom

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/promql/parser"
)

// maxExemplars is how many exemplars one selection answers, the newest.
const maxExemplars = 10_000

func (e *Engine) httpExemplars(r *http.Request) (result, error) {
	start, end, err := span(r)
	if err != nil {
		return result{}, err
	}
	if end.Before(start) {
		return result{}, badData(errors.New("end timestamp must not be before start timestamp"))
	}
	expr, err := e.parser.ParseExpr(r.FormValue("query"))
	if err != nil {
		return result{}, badData(err)
	}
	all, err := e.Exemplars(r.Context(), timestamp.FromTime(start), timestamp.FromTime(end), parser.ExtractSelectors(expr)...)
	if err != nil {
		return result{}, err
	}
	return result{data: all}, nil
}

// Exemplars answers the exemplars of the series that any of the selections chooses, between two times in milliseconds.
func (e *Engine) Exemplars(ctx context.Context, start, end int64, selections ...[]*labels.Matcher) ([]exemplar.QueryResult, error) {
	w := window{max(start, earliest), min(end, latest)}
	opened, err := e.Querier(w.from, w.to)
	if err != nil {
		return nil, err
	}
	q := opened.(*querier)
	defer q.Close()
	found := map[uint64]*exemplar.QueryResult{}
	add := func(ls labels.Labels, x exemplar.Exemplar) {
		key := ls.Hash()
		if found[key] == nil {
			found[key] = &exemplar.QueryResult{SeriesLabels: ls}
		}
		found[key].Exemplars = append(found[key].Exemplars, x)
	}
	for _, matchers := range selections {
		chosen, err := e.index.choose(ctx, w.from, w.to, matchers)
		if err != nil {
			return nil, err
		}
		for _, p := range chosen {
			switch {
			case p.virtual != nil && strings.HasPrefix(p.name, "traces_span_metrics_"):
				err = q.spanExemplars(ctx, p.name, w, matchers, add)
			case p.virtual == nil && p.kind != kindSum && p.kind != kindQuantile:
				err = q.storedExemplars(ctx, p, w, matchers, add)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	out := make([]exemplar.QueryResult, 0, len(found))
	for _, r := range found {
		slices.SortFunc(r.Exemplars, func(a, b exemplar.Exemplar) int { return int(a.Ts - b.Ts) })
		r.Exemplars = slices.CompactFunc(r.Exemplars, func(a, b exemplar.Exemplar) bool { return a.Equals(b) })
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b exemplar.QueryResult) int { return labels.Compare(a.SeriesLabels, b.SeriesLabels) })
	return out, nil
}

// storedExemplars reads what senders attached to their points. Those of a classic histogram are of the bucket that
// their value lies in.
func (q *querier) storedExemplars(ctx context.Context, p picked, w window, matchers []*labels.Matcher, add func(labels.Labels, exemplar.Exemplar)) error {
	var bounds [][]float64
	if p.kind == kindBucket {
		bounds = make([][]float64, len(p.entries))
		if err := q.bounded(ctx, p, w, func(s *shape) error {
			bounds[s.entry] = append(bounds[s.entry], s.bounds...)
			return nil
		}); err != nil {
			return err
		}
		for _, b := range bounds {
			slices.Sort(b)
		}
		matchers = onLabel(matchers, model.BucketLabel)
	}
	var series proto.ColUInt64
	var ts proto.ColInt64
	var value proto.ColFloat64
	var trace, spanID proto.ColStr
	keys, values := new(proto.ColStr).Array(), new(proto.ColStr).Array()
	cond, params, chosen := q.bounds(p, w)
	at := places(p.entries)
	b := labels.NewScratchBuilder(8)
	return q.e.columns.run(ctx, statement{
		sql: `SELECT series, toUnixTimestamp64Milli(ts) AS t, value, if(trace_id = toFixedString('', 16), '', lower(hex(trace_id))) AS trace, if(span_id = toFixedString('', 8), '', lower(hex(span_id))) AS span,
CAST(mapKeys(attributes), 'Array(String)') AS keys, mapValues(attributes) AS vals FROM {{metric_exemplars}} WHERE ` + cond + fmt.Sprintf(" ORDER BY t DESC LIMIT %d", maxExemplars),
		params: params, chosen: chosen,
		result: proto.Results{{Name: "series", Data: &series}, {Name: "t", Data: &ts}, {Name: "value", Data: &value}, {Name: "trace", Data: &trace}, {Name: "span", Data: &spanID},
			{Name: "keys", Data: keys}, {Name: "vals", Data: values}},
		block: func() error {
			for i, fp := range series {
				e, ok := at[fp]
				if !ok {
					continue
				}
				ls := p.named(p.entries[e])
				if p.kind == kindBucket {
					ls = inBucket(ls, bounds[e], value[i])
					if !matches(ls, matchers) {
						continue
					}
				}
				b.Reset()
				ks, vs := keys.Row(i), values.Row(i)
				for j, k := range ks {
					b.Add(k, vs[j])
				}
				if id := trace.Row(i); id != "" {
					b.Add("trace_id", id)
				}
				if id := spanID.Row(i); id != "" {
					b.Add("span_id", id)
				}
				b.Sort()
				add(ls, exemplar.Exemplar{Labels: b.Labels(), Value: value[i], Ts: ts[i], HasTs: true})
			}
			return q.take(int64(len(series)), int64(len(series))*200)
		},
	})
}

// inBucket names the series of the bucket that a value was counted in first; none is named where no bounds are known.
func inBucket(ls labels.Labels, bounds []float64, v float64) labels.Labels {
	if len(bounds) == 0 {
		return ls
	}
	le := math.Inf(1)
	if i, _ := slices.BinarySearch(bounds, v); i < len(bounds) {
		le = bounds[i]
	}
	return labels.NewBuilder(ls).Set(model.BucketLabel, strconv.FormatFloat(le, 'f', -1, 64)).Labels()
}

// The slowest span of each operation in each of so many parts of a window is its exemplar; so many spans are looked at.
const (
	exemplarParts    = 40
	exemplarSpans    = 500
	exemplarMaxSpans = 30_000_000
)

// spanExemplars makes exemplars of spans for the metrics that are made of spans.
func (q *querier) spanExemplars(ctx context.Context, name string, w window, matchers []*labels.Matcher, add func(labels.Labels, exemplar.Exemplar)) error {
	now := q.e.db.Now().UnixMilli()
	w = window{max(w.from, min(w.to, now)-bareWindow), min(w.to, now)}
	if w.to <= w.from {
		return nil
	}
	part := max(1, (w.to-w.from)/exemplarParts)
	columns := map[string]string{serviceLabel: "service", "span_name": "name", "span_kind": "concat('SPAN_KIND_', upper(toString(kind)))", "status_code": "if(status = 'error', 'STATUS_CODE_ERROR', 'STATUS_CODE_UNSET')"}
	cond, params := "", map[string]any{}
	for _, m := range matchers {
		if column := columns[m.Name]; column != "" && m.Type == labels.MatchEqual && m.Value != "" {
			key := fmt.Sprintf("p%d", len(params))
			cond += fmt.Sprintf(" AND CAST(%s, 'String') = {%s:String}", column, key)
			params[key] = m.Value
		}
	}
	var service, operation, kind, status, trace, spanID proto.ColStr
	var ts, took proto.ColInt64
	return q.e.columns.run(ctx, statement{
		sql: fmt.Sprintf(`SELECT CAST(service, 'String') AS l0, CAST(name, 'String') AS l1, CAST(%s, 'String') AS l2, CAST(%s, 'String') AS l3,
lower(hex(argMax(trace_id, duration_ns))) AS trace, lower(hex(argMax(span_id, duration_ns))) AS span, argMax(toUnixTimestamp64Milli(ts), duration_ns) AS t, toInt64(max(duration_ns)) AS d
FROM {{spans}} WHERE ts >= fromUnixTimestamp64Milli(toInt64(%d)) AND ts <= fromUnixTimestamp64Milli(toInt64(%d))%s
GROUP BY l0, l1, l2, l3, intDiv(toUnixTimestamp64Milli(ts), %d) ORDER BY d DESC LIMIT %d SETTINGS max_rows_to_read = %d, read_overflow_mode = 'break'`,
			columns["span_kind"], columns["status_code"], w.from, w.to, cond, part, exemplarSpans, exemplarMaxSpans),
		params: params,
		result: proto.Results{{Name: "l0", Data: &service}, {Name: "l1", Data: &operation}, {Name: "l2", Data: &kind}, {Name: "l3", Data: &status}, {Name: "trace", Data: &trace}, {Name: "span", Data: &spanID},
			{Name: "t", Data: &ts}, {Name: "d", Data: &took}},
		block: func() error {
			names := []string{serviceLabel, "span_name", "span_kind", "status_code"}
			for i := range ts {
				ls := namedLabels(name, names, []string{service.Row(i), operation.Row(i), kind.Row(i), status.Row(i)})
				known := slices.DeleteFunc(slices.Clone(matchers), func(m *labels.Matcher) bool { return m.Name == model.BucketLabel || columns[m.Name] == "" })
				if id, err := hex.DecodeString(trace.Row(i)); err == nil && len(id) == 16 && matches(ls, known) {
					add(ls, exemplar.Exemplar{Labels: labels.FromStrings("span_id", spanID.Row(i), "trace_id", trace.Row(i)), Value: float64(took[i]) / 1e9, Ts: ts[i], HasTs: true})
				}
			}
			return nil
		},
	})
}
