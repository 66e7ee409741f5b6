package ingest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// pdata, the Collector's own decoder, is the oracle: for the same bytes it must lead to the same rows. A row is dumped
// as text, once from our columns and once from pdata's objects.

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).UnixNano()

func testDecoder() *decoder {
	limits := DefaultLimits()
	return newDecoder(&limits, newResources(1000), newSeriesCache(100_000))
}

func dumpAttributes(c *attributes, row uint32) string {
	var out []string
	from, to := c.span(row)
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("%s=%q/%d", c.keys.bytes(c.key[i]), c.values.bytes(c.value[i]), c.typ[i]))
	}
	return strings.Join(out, " ")
}

func native(b []byte) string {
	var out []string
	for len(b) > 0 {
		r := reader{b: b}
		out = append(out, string(r.bytes()))
		b = b[r.i:]
	}
	return strings.Join(out, "|")
}

func dumpSpans(c *spanColumns) []string {
	rows := []string{}
	for i := range c.rows() {
		r := uint32(i)
		var events, links []string
		from, lfrom := uint32(0), uint32(0)
		if i > 0 {
			from, lfrom = c.events.end[i-1], c.links.end[i-1]
		}
		for e := from; e < c.events.end[i]; e++ {
			events = append(events, fmt.Sprintf("%d %s %s", c.events.ts[e], c.eventNames.bytes(c.events.name[e]), native(c.events.attrs.row(e))))
		}
		for l := lfrom; l < c.links.end[i]; l++ {
			links = append(links, fmt.Sprintf("%x %x %s", c.links.traceID[16*l:16*l+16], c.links.spanID[8*l:8*l+8], native(c.links.attrs.row(l))))
		}
		rows = append(rows, fmt.Sprintf("%x %x %x %q %d %q %s %d %d %d %d %q %q [%s] %v %v %d %d %d",
			c.traceID[16*i:16*i+16], c.spanID[8*i:8*i+8], c.parentID[8*i:8*i+8], native(c.state.row(r)), c.flags[i],
			c.names.bytes(c.name[i]), c.resources.list[c.resource[i]].service, c.kind[i], c.start[i], c.duration[i], c.status[i],
			native(c.message.row(r)), c.scopes.bytes(c.scope[i]), dumpAttributes(&c.attrs, r), events, links, c.droppedA[i], c.droppedE[i], c.droppedL[i]))
	}
	return rows
}

// oracleText renders a value independently of value.go.
func oracleText(v pcommon.Value) (string, int) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return v.Str(), typeString
	case pcommon.ValueTypeBool:
		return strconv.FormatBool(v.Bool()), typeBool
	case pcommon.ValueTypeInt:
		return strconv.FormatInt(v.Int(), 10), typeInt
	case pcommon.ValueTypeDouble:
		return strconv.FormatFloat(v.Double(), 'g', -1, 64), typeDouble
	case pcommon.ValueTypeBytes:
		return base64.StdEncoding.EncodeToString(v.Bytes().AsRaw()), typeBytes
	case pcommon.ValueTypeSlice, pcommon.ValueTypeMap:
		return oracleJSON(v), typeJSON
	}
	return "", typeString
}

func oracleJSON(v pcommon.Value) string {
	quote := func(s string) string {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.Encode(s)
		return strings.TrimSuffix(b.String(), "\n")
	}
	var parts []string
	switch v.Type() {
	case pcommon.ValueTypeSlice:
		for i := range v.Slice().Len() {
			parts = append(parts, oracleJSON(v.Slice().At(i)))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case pcommon.ValueTypeMap:
		for k, e := range v.Map().All() {
			parts = append(parts, quote(k)+":"+oracleJSON(e))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case pcommon.ValueTypeInt, pcommon.ValueTypeBool:
		s, _ := oracleText(v)
		return s
	case pcommon.ValueTypeDouble:
		s, _ := oracleText(v)
		if math.IsNaN(v.Double()) || math.IsInf(v.Double(), 0) {
			return quote(s)
		}
		return s
	}
	s, _ := oracleText(v)
	return quote(s)
}

func oracleMap(m pcommon.Map) string {
	v := pcommon.NewValueMap()
	m.CopyTo(v.Map())
	return oracleJSON(v)
}

func oracleAttributes(m pcommon.Map) string {
	var out []string
	for k, v := range m.All() {
		s, typ := oracleText(v)
		out = append(out, fmt.Sprintf("%s=%q/%d", k, s, typ))
	}
	return strings.Join(out, " ")
}

func oracleService(r pcommon.Resource) string {
	if v, ok := r.Attributes().Get("service.name"); ok {
		if s, _ := oracleText(v); s != "" {
			return s
		}
	}
	return unknownService
}

func oracleScope(s pcommon.InstrumentationScope) string {
	if s.Version() != "" {
		return s.Name() + "@" + s.Version()
	}
	return s.Name()
}

func oracleSpans(td ptrace.Traces) []string {
	rows := []string{}
	zero := pcommon.SpanID{}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				trace, span, parent := s.TraceID(), s.SpanID(), s.ParentSpanID()
				start, end := uint64(s.StartTimestamp()), uint64(s.EndTimestamp())
				if trace.IsEmpty() || span == zero || start == 0 || int64(start) > now+int64(10*time.Minute) || int64(start) < now-int64(15*24*time.Hour) {
					continue
				}
				end = max(start, end)
				var events, links []string
				for _, e := range s.Events().All() {
					events = append(events, fmt.Sprintf("%d %s %s", int64(e.Timestamp()), e.Name(), oracleMap(e.Attributes())))
				}
				for _, l := range s.Links().All() {
					lt, ls := l.TraceID(), l.SpanID()
					if lt.IsEmpty() || ls.IsEmpty() {
						continue
					}
					links = append(links, fmt.Sprintf("%x %x %s", lt[:], ls[:], oracleMap(l.Attributes())))
				}
				kind, status := int(s.Kind()), int(s.Status().Code())
				if kind < 0 || kind > 5 {
					kind = 0
				}
				if status < 0 || status > 2 {
					status = 0
				}
				rows = append(rows, fmt.Sprintf("%x %x %x %q %d %q %s %d %d %d %d %q %q [%s] %v %v %d %d %d",
					trace[:], span[:], parent[:], s.TraceState().AsRaw(), s.Flags(), s.Name(), oracleService(rs.Resource()), kind,
					start, end-start, status, s.Status().Message(), oracleScope(ss.Scope()), oracleAttributes(s.Attributes()), events, links,
					s.DroppedAttributesCount(), s.DroppedEventsCount(), s.DroppedLinksCount()))
			}
		}
	}
	return rows
}

func dumpLogs(c *logColumns) []string {
	rows := []string{}
	for i := range c.rows() {
		rows = append(rows, fmt.Sprintf("%d %d %d %q %q %q %x %x %d %s %q [%s] %d", c.ts[i], c.observed[i], c.severity[i],
			c.texts.bytes(c.severityText[i]), native(c.body.row(uint32(i))), c.eventNames.bytes(c.eventName[i]), c.traceID[16*i:16*i+16],
			c.spanID[8*i:8*i+8], c.flags[i], c.resources.list[c.resource[i]].service, c.scopes.bytes(c.scope[i]), dumpAttributes(&c.attrs, uint32(i)), c.dropped[i]))
	}
	return rows
}

func oracleLogs(ld plog.Logs) []string {
	rows := []string{}
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, l := range sl.LogRecords().All() {
				ts, observed := int64(l.Timestamp()), int64(l.ObservedTimestamp())
				if observed == 0 {
					observed = now
				}
				if ts == 0 {
					ts = observed
				}
				if ts < 0 || ts > now+int64(10*time.Minute) || ts < now-int64(15*24*time.Hour) {
					continue
				}
				severity := int(l.SeverityNumber())
				if severity < 0 || severity > 24 {
					severity = 0
				}
				trace, span := l.TraceID(), l.SpanID()
				body, _ := oracleText(l.Body())
				rows = append(rows, fmt.Sprintf("%d %d %d %q %q %q %x %x %d %s %q [%s] %d", ts, observed, severity, l.SeverityText(), body,
					l.EventName(), trace[:], span[:], uint32(l.Flags()), oracleService(rl.Resource()), oracleScope(sl.Scope()), oracleAttributes(l.Attributes()), l.DroppedAttributesCount()))
			}
		}
	}
	return rows
}

func dumpMetrics(c *metricColumns, s *seriesCache) []string {
	rows := []string{}
	shape := 0
	for i := range c.rows() {
		info := s.canonical[c.series[i]]
		attrs := []string{}
		for _, kv := range info.attributes {
			attrs = append(attrs, fmt.Sprintf("%s=%q/%d", kv.key, kv.value, kv.typ))
		}
		line := fmt.Sprintf("%s %s %s %v %q %s %q %d %d %x %d %v", c.names.bytes(c.name[i]), info.typ, info.temporality, info.monotonic, info.unit,
			info.resource.service, info.scope, c.ts[i], c.start[i], math.Float64bits(c.value[i]), c.flags[i], attrs)
		if info.typ != "gauge" && info.typ != "sum" {
			line += dumpShape(&c.distributions, shape)
			shape++
		}
		rows = append(rows, line)
	}
	return rows
}

func dumpShape(d *distributionColumns, i int) string {
	from := func(end []uint32) uint32 {
		if i == 0 {
			return 0
		}
		return end[i-1]
	}
	return fmt.Sprintf(" %d %v %v %v %v %v %v %d %d %v %d %d %v", d.count[i], d.sum[i], d.min[i], d.max[i],
		d.bounds[from(d.boundsEnd):d.boundsEnd[i]], d.values[from(d.valuesEnd):d.valuesEnd[i]], d.counts[from(d.countsEnd):d.countsEnd[i]],
		int8(d.scale[i]), d.zeroCount[i], d.zeroThreshold[i], int32(d.positiveOff[i]), int32(d.negativeOff[i]), d.negative[from(d.negativeEnd):d.negativeEnd[i]])
}

type oracleMetric struct {
	rows    []string
	head    string
	service string
	scope   string
}

func (o *oracleMetric) point(ts, start pcommon.Timestamp, value float64, flags pmetric.DataPointFlags, attrs pcommon.Map, shape string) {
	t := int64(ts)
	if t <= 0 || t > now+int64(10*time.Minute) || t < now-int64(15*24*time.Hour) {
		return
	}
	bits := math.Float64bits(value)
	f := 0
	if flags.NoRecordedValue() {
		bits, f = staleNaN, 1
	}
	sorted := []keyValue{}
	for k, v := range attrs.All() {
		s, typ := oracleText(v)
		sorted = append(sorted, keyValue{k, s, uint8(typ)})
	}
	sortBy(sorted, func(a, b keyValue) bool { return a.key < b.key })
	text := []string{}
	for _, kv := range sorted {
		text = append(text, fmt.Sprintf("%s=%q/%d", kv.key, kv.value, kv.typ))
	}
	o.rows = append(o.rows, fmt.Sprintf("%s %s %q %d %d %x %d %v%s", o.head, o.service, o.scope, t/1e6, int64(start)/1e6, bits, f, text, shape))
}

func oracleMetrics(md pmetric.Metrics) []string {
	o := oracleMetric{rows: []string{}}
	temporality := func(t pmetric.AggregationTemporality) string { return temporalities[min(uint32(t), 3)%3] }
	nan := math.NaN()
	for _, rm := range md.ResourceMetrics().All() {
		o.service = oracleService(rm.Resource())
		for _, sm := range rm.ScopeMetrics().All() {
			o.scope = oracleScope(sm.Scope())
			for _, m := range sm.Metrics().All() {
				head := func(typ, temporality string, mono bool) {
					o.head = fmt.Sprintf("%s %s %s %v %q", m.Name(), typ, temporality, mono, m.Unit())
				}
				number := func(p pmetric.NumberDataPoint) {
					v := p.DoubleValue()
					if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
						v = float64(p.IntValue())
					}
					o.point(p.Timestamp(), p.StartTimestamp(), v, p.Flags(), p.Attributes(), "")
				}
				if m.Name() == "" {
					continue
				}
				switch m.Type() {
				case pmetric.MetricTypeGauge:
					head("gauge", "", false)
					for _, p := range m.Gauge().DataPoints().All() {
						number(p)
					}
				case pmetric.MetricTypeSum:
					head("sum", temporality(m.Sum().AggregationTemporality()), m.Sum().IsMonotonic())
					for _, p := range m.Sum().DataPoints().All() {
						number(p)
					}
				case pmetric.MetricTypeHistogram:
					head("histogram", temporality(m.Histogram().AggregationTemporality()), false)
					for _, p := range m.Histogram().DataPoints().All() {
						lo, hi := nan, nan
						if p.HasMin() {
							lo = p.Min()
						}
						if p.HasMax() {
							hi = p.Max()
						}
						o.point(p.Timestamp(), p.StartTimestamp(), p.Sum(), p.Flags(), p.Attributes(), fmt.Sprintf(" %d %v %v %v %v [] %v 0 0 0 0 0 []",
							p.Count(), p.Sum(), lo, hi, p.ExplicitBounds().AsRaw(), p.BucketCounts().AsRaw()))
					}
				case pmetric.MetricTypeExponentialHistogram:
					head("exponential_histogram", temporality(m.ExponentialHistogram().AggregationTemporality()), false)
					for _, p := range m.ExponentialHistogram().DataPoints().All() {
						lo, hi := nan, nan
						if p.HasMin() {
							lo = p.Min()
						}
						if p.HasMax() {
							hi = p.Max()
						}
						o.point(p.Timestamp(), p.StartTimestamp(), p.Sum(), p.Flags(), p.Attributes(), fmt.Sprintf(" %d %v %v %v [] [] %v %d %d %v %d %d %v",
							p.Count(), p.Sum(), lo, hi, p.Positive().BucketCounts().AsRaw(), p.Scale(), p.ZeroCount(), p.ZeroThreshold(),
							p.Positive().Offset(), p.Negative().Offset(), p.Negative().BucketCounts().AsRaw()))
					}
				case pmetric.MetricTypeSummary:
					head("summary", "", false)
					for _, p := range m.Summary().DataPoints().All() {
						var q, v []float64
						for _, x := range p.QuantileValues().All() {
							q, v = append(q, x.Quantile()), append(v, x.Value())
						}
						o.point(p.Timestamp(), p.StartTimestamp(), p.Sum(), p.Flags(), p.Attributes(), fmt.Sprintf(" %d %v NaN NaN %v %v [] 0 0 0 0 0 []",
							p.Count(), p.Sum(), q, v))
					}
				}
			}
		}
	}
	return o.rows
}

// check decodes body both ways. It reports whether the oracle understood it at all.
func check(t *testing.T, signal Signal, body []byte) bool {
	t.Helper()
	d := testDecoder()
	d.begin(now)
	b := newBatch()
	var got, want []string
	var oracleErr error
	err := b.decode(d, signal, body)
	switch signal {
	case Traces:
		req := ptraceotlp.NewExportRequest()
		if oracleErr = req.UnmarshalProto(body); oracleErr == nil {
			got, want = dumpSpans(b.spans), oracleSpans(req.Traces())
		}
	case Logs:
		req := plogotlp.NewExportRequest()
		if oracleErr = req.UnmarshalProto(body); oracleErr == nil {
			got, want = dumpLogs(b.logs), oracleLogs(req.Logs())
		}
	case Metrics:
		req := pmetricotlp.NewExportRequest()
		if oracleErr = req.UnmarshalProto(body); oracleErr == nil {
			got, want = dumpMetrics(b.metrics, d.series), oracleMetrics(req.Metrics())
		}
	}
	if oracleErr != nil {
		return false
	}
	if err != nil && official(signal, body) != nil {
		return false // pdata is laxer than protobuf
	}
	if err != nil {
		t.Fatalf("%s: we say %v, pdata understands it: %s", signal, err, hex.EncodeToString(body))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s: rows differ (-pdata +ours):\n%s\n%s", signal, diff, hex.EncodeToString(body))
	}
	return true
}

// official is what the protobuf runtime says of a request.
func official(signal Signal, body []byte) error {
	return proto.Unmarshal(body, []proto.Message{&coltrace.ExportTraceServiceRequest{}, &collogs.ExportLogsServiceRequest{}, &colmetrics.ExportMetricsServiceRequest{}}[signal])
}
