package prom

import (
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/common/model"
	"github.com/prometheus/otlptranslator"
	"github.com/prometheus/prometheus/model/labels"
)

// kind is what of a stored metric a series in PromQL is made from.
type kind uint8

const (
	kindExact    kind = iota // labels as sent by remote write; floats and native histograms
	kindFloat                // gauges and sums
	kindBucket               // the buckets of an explicit histogram, with le
	kindSum                  // sums of histograms and summaries
	kindCount                // their counts
	kindNative               // exponential histograms
	kindCustom               // explicit histograms as native ones with custom buckets
	kindQuantile             // quantiles of a summary
	kindVirtual              // made from other tables: see virtual
)

// part is a name in PromQL and what stands behind it.
type part struct {
	name string
	kind kind
}

// translator turns OTLP names into Prometheus ones by the published rules.
type translator struct {
	strategy otlptranslator.TranslationStrategyOption
	metrics  otlptranslator.MetricNamer
	labels   otlptranslator.LabelNamer
	promote  []string // resource attributes that become labels
	all      bool     // every resource attribute does
	custom   bool     // explicit histograms as native ones too

	mu    sync.RWMutex
	names map[string]string // attribute -> label
}

func newTranslator(strategy otlptranslator.TranslationStrategyOption, promote []string, custom bool) *translator {
	return &translator{
		strategy: strategy, metrics: otlptranslator.NewMetricNamer("", strategy),
		labels: otlptranslator.LabelNamer{UTF8Allowed: !strategy.ShouldEscape()}, promote: promote, all: slices.Contains(promote, "*"),
		custom: custom, names: map[string]string{},
	}
}

// maxLabelNames bounds the memory for translated names.
const maxLabelNames = 100_000

// label translates the name of an attribute; "" for one that cannot be a label.
func (t *translator) label(attribute string) string {
	t.mu.RLock()
	name, ok := t.names[attribute]
	t.mu.RUnlock()
	if ok {
		return name
	}
	name, err := t.labels.Build(attribute)
	if err != nil {
		name = ""
	}
	t.mu.Lock()
	if len(t.names) >= maxLabelNames {
		clear(t.names)
	}
	t.names[strings.Clone(attribute)] = name
	t.mu.Unlock()
	return name
}

func (m *metric) translated() otlptranslator.MetricType {
	switch m.typ {
	case "sum":
		if m.monotonic {
			return otlptranslator.MetricTypeMonotonicCounter
		}
		return otlptranslator.MetricTypeNonMonotonicCounter
	case "gauge":
		return otlptranslator.MetricTypeGauge
	case "histogram":
		return otlptranslator.MetricTypeHistogram
	case "exponential_histogram":
		return otlptranslator.MetricTypeExponentialHistogram
	case "summary":
		return otlptranslator.MetricTypeSummary
	}
	return otlptranslator.MetricTypeUnknown
}

// parts are the names under which a stored metric is found.
func (t *translator) parts(m *metric) []part {
	if m.exact {
		return []part{{m.stored, kindExact}}
	}
	name, err := t.metrics.Build(otlptranslator.Metric{Name: m.stored, Unit: m.unit, Type: m.translated()})
	if err != nil || name == "" {
		return nil
	}
	switch m.typ {
	case "histogram":
		parts := []part{{name + "_bucket", kindBucket}, {name + "_sum", kindSum}, {name + "_count", kindCount}}
		if t.custom {
			parts = append(parts, part{name, kindCustom})
		}
		return parts
	case "exponential_histogram":
		return []part{{name, kindNative}}
	case "summary":
		return []part{{name, kindQuantile}, {name + "_sum", kindSum}, {name + "_count", kindCount}}
	}
	return []part{{name, kindFloat}}
}

// family is the name that metadata is kept under: without the suffixes of parts.
func (t *translator) family(m *metric) string {
	parts := t.parts(m)
	if len(parts) == 0 {
		return ""
	}
	name := parts[0].name
	if parts[0].kind == kindBucket {
		name = strings.TrimSuffix(name, "_bucket")
	}
	return name
}

// labelsOf are the labels of a series but its name: those of its points, then promoted attributes of the resource,
// then job and instance. Attributes whose names become the same are joined as Prometheus does, by a semicolon.
func (t *translator) labelsOf(b *labels.ScratchBuilder, keys, values []string, r *resource, promote bool) labels.Labels {
	set := make(map[string]string, len(keys)+4)
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return strings.Compare(keys[i], keys[j]) })
	for _, i := range order {
		name := t.label(keys[i])
		if name == "" || values[i] == "" || name == model.MetricNameLabel {
			continue
		}
		if before, ok := set[name]; ok {
			set[name] = before + ";" + values[i]
		} else {
			set[name] = values[i]
		}
	}
	if r != nil {
		if promote {
			t.promoted(set, r)
		}
		if job := r.job(); job != "" {
			set[model.JobLabel] = job
		}
		if r.instance != "" {
			set[model.InstanceLabel] = r.instance
		}
	}
	b.Reset()
	for name, value := range set {
		b.Add(name, value)
	}
	b.Sort()
	return b.Labels()
}

func (t *translator) promoted(set map[string]string, r *resource) {
	add := func(key, value string) {
		name := t.label(key)
		if _, taken := set[name]; !taken && name != "" && value != "" {
			set[name] = value
		}
	}
	if t.all {
		for i, key := range r.keys {
			add(key, r.values[i])
		}
		return
	}
	for _, key := range t.promote {
		add(key, r.attribute(key))
	}
}
