package prom

import (
	"context"
	"slices"
	"strings"
)

// MetricInfo is what is known of a name in PromQL.
type MetricInfo struct {
	Name   string `json:"name"`
	Type   string `json:"type"` // counter, gauge, histogram, summary or unknown
	Unit   string `json:"unit"` // as sent: By, s, {request}
	Help   string `json:"help"`
	Series uint64 `json:"series"` // of a histogram without telling its buckets apart
	OTel   string `json:"otel"`   // the name it was sent under, where that is another
}

// Names lists the metrics whose names or help contain all words of q, and how many of them there are.
func (e *Engine) Names(ctx context.Context, q string, limit int) ([]MetricInfo, int, error) {
	byName, names, err := e.index.catalog(ctx)
	if err != nil {
		return nil, 0, err
	}
	words := strings.Fields(strings.ToLower(q))
	list, total := []MetricInfo{}, 0
	for _, name := range names {
		info := MetricInfo{Name: name}
		for _, s := range byName[name] {
			info.Series += s.series
			if info.Type = s.shownType(); info.Help == "" {
				info.Help = s.description
			}
			if !s.exact && s.stored != "" && s.stored != name {
				info.OTel = s.stored
			}
			if info.Unit == "" && s.kind != kindCount && s.kind != kindBucket {
				info.Unit = s.unit
			}
		}
		text := strings.ToLower(name + " " + info.OTel + " " + info.Help)
		if slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			continue
		}
		if total++; len(list) < limit {
			list = append(list, info)
		}
	}
	return list, total, nil
}

// shownType is a type as Prometheus names it.
func (s *source) shownType() string {
	switch {
	case s.kind == kindSum || s.kind == kindCount || s.kind == kindBucket:
		return "counter"
	case s.kind == kindNative || s.kind == kindCustom:
		return "histogram"
	case s.kind == kindQuantile:
		return "summary"
	case s.typ == "sum" && s.monotonic:
		return "counter"
	case s.typ == "gauge" || s.typ == "sum":
		return "gauge"
	case strings.HasSuffix(s.name, "_total") || strings.HasSuffix(s.name, "_count") || strings.HasSuffix(s.name, "_bucket"):
		return "counter"
	}
	return "unknown"
}
