package main_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// spanView is a span as GET /api/v1/traces/{id} shows it; the store and the SDK are brought into the same form.
type spanView struct {
	SpanID        string      `json:"span_id"`
	ParentSpanID  string      `json:"parent_span_id"`
	TSNS          string      `json:"ts_ns"`
	DurationNS    float64     `json:"duration_ns"`
	Service       string      `json:"service"`
	Name          string      `json:"name"`
	Kind          string      `json:"kind"`
	Status        string      `json:"status"`
	StatusMessage string      `json:"status_message"`
	Scope         string      `json:"scope"`
	Attributes    []attr      `json:"attributes"`
	Events        []eventView `json:"events"`
	Links         []linkView  `json:"links"`
}

type eventView struct {
	TSNS       string         `json:"ts_ns"`
	Name       string         `json:"name"`
	Attributes map[string]any `json:"attributes"`
}

type linkView struct {
	TraceID    string         `json:"trace_id"`
	SpanID     string         `json:"span_id"`
	Attributes map[string]any `json:"attributes"`
}

func goTraces(t *testing.T, p *product, exporter sdktrace.SpanExporter, res *resource.Resource) {
	stored := &throughSpans{exporter, through{t, p, fmt.Sprintf(countSpans, serviceOf(res))}}
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithBatcher(stored), sdktrace.WithSpanProcessor(recorder))
	id := emitTrace(t, provider.Tracer("github.com/shop/cart", trace.WithInstrumentationVersion("0.7.1")))
	flush(t, provider.ForceFlush)

	want := fromSDK(recorder.Ended())
	if diff := gocmp.Diff(want, fromStore(t, p, id)); diff != "" {
		t.Errorf("stored spans (-sent +stored):\n%s", diff)
	}
	var answer struct {
		Spans     []spanView
		Services  []string
		Truncated bool
		Resources map[string]map[string]string
	}
	// Resources, like rollups, are committed a moment after the spans that refer to them.
	within(t, 10*time.Second, "GET /traces/{id} has the resource", func() bool {
		p.get(t, "/api/v1/traces/"+id, &answer)
		return len(answer.Resources) > 0
	})
	if diff := gocmp.Diff(want, sorted(answer.Spans)); diff != "" {
		t.Errorf("GET /traces/{id} (-sent +answered):\n%s", diff)
	}
	for _, r := range answer.Resources {
		if diff := gocmp.Diff(labels(*res.Set()), r); diff != "" {
			t.Errorf("resource (-sent +answered):\n%s", diff)
		}
	}
	if len(answer.Resources) != 1 || answer.Truncated || !slices.Equal(answer.Services, []string{serviceOf(res)}) {
		t.Errorf("%d resources, truncated %v, services %q", len(answer.Resources), answer.Truncated, answer.Services)
	}
	if got := p.sql(t, fmt.Sprintf("SELECT trace_state FROM spans WHERE trace_id = unhex('%s') AND name = 'with remote parent'", id)); got != "vendor=abc" {
		t.Errorf("trace state %q, want that of the remote parent", got)
	}
	serviceShows(t, p, serviceOf(res))
}

// serviceShows looks for a service in the list that the first page shows.
func serviceShows(t *testing.T, p *product, service string) {
	t.Helper()
	type row struct {
		Service       string
		Calls, Errors float64
		Language      string
		Versions      []string
	}
	var shown row
	within(t, 10*time.Second, "GET /services shows "+service, func() bool {
		var list struct{ Services []row }
		p.get(t, "/api/v1/services?from=now-15m&to=now", &list)
		i := slices.IndexFunc(list.Services, func(r row) bool { return r.Service == service })
		if i >= 0 {
			shown = list.Services[i]
		}
		return i >= 0 && shown.Language != ""
	})
	if shown.Calls == 0 || shown.Errors == 0 || shown.Language != "go" || !slices.Equal(shown.Versions, []string{"1.4.2"}) {
		t.Errorf("GET /services shows %+v", shown)
	}
}

// emitTrace makes a trace with every kind of everything and returns its id.
func emitTrace(t *testing.T, tracer trace.Tracer) string {
	t.Helper()
	at := time.Now().Add(-2 * time.Second)
	ctx, root := tracer.Start(t.Context(), "POST /cart", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(at), trace.WithAttributes(
		attribute.String("http.route", "/cart"), attribute.String("empty", ""), attribute.String("text", "naïve\n\"quoted\" \\ 漢字 \t'x'"),
		attribute.Int("http.response.status_code", 500), attribute.Int64("big", -1<<62), attribute.Float64("ratio", 0.1),
		attribute.Float64("whole", 3), attribute.Bool("cached", true), attribute.StringSlice("tags", []string{"a", "<b>", ""}),
		attribute.Int64Slice("sizes", []int64{1, -2}), attribute.Float64Slice("weights", []float64{0.5, 2}), attribute.BoolSlice("flags", []bool{true, false})))
	root.AddEvent("cache miss", trace.WithTimestamp(at.Add(time.Millisecond)), trace.WithAttributes(attribute.String("key", "cart:7"), attribute.Int("size", 12)))
	root.RecordError(errors.New("no such cart"), trace.WithTimestamp(at.Add(2*time.Millisecond)))
	root.SetStatus(codes.Error, "no such cart")

	for i, kind := range []trace.SpanKind{trace.SpanKindInternal, trace.SpanKindClient, trace.SpanKindProducer, trace.SpanKindConsumer} {
		_, child := tracer.Start(ctx, fmt.Sprintf("child %d", i), trace.WithSpanKind(kind), trace.WithTimestamp(at.Add(time.Duration(i)*time.Millisecond)),
			trace.WithLinks(trace.Link{SpanContext: root.SpanContext(), Attributes: []attribute.KeyValue{attribute.String("why", "batch")}}))
		if kind == trace.SpanKindClient {
			child.SetStatus(codes.Ok, "")
		}
		child.End(trace.WithTimestamp(at.Add(time.Duration(i)*time.Millisecond + 1234567)))
	}
	state, err := trace.ParseTraceState("vendor=abc")
	if err != nil {
		t.Fatal(err)
	}
	remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: root.SpanContext().TraceID(), SpanID: trace.SpanID{1, 2, 3, 4, 5, 6, 7, 8},
		TraceFlags: trace.FlagsSampled, TraceState: state, Remote: true})
	_, orphan := tracer.Start(trace.ContextWithRemoteSpanContext(t.Context(), remote), "with remote parent", trace.WithTimestamp(at))
	orphan.End(trace.WithTimestamp(at)) // takes no time at all
	root.End(trace.WithTimestamp(at.Add(1500 * time.Millisecond)))
	return root.SpanContext().TraceID().String()
}

func fromSDK(spans []sdktrace.ReadOnlySpan) []spanView {
	var out []spanView
	for _, s := range spans {
		v := spanView{SpanID: s.SpanContext().SpanID().String(), TSNS: strconv.FormatInt(s.StartTime().UnixNano(), 10),
			DurationNS: float64(s.EndTime().Sub(s.StartTime())), Service: serviceOf(s.Resource()), Name: s.Name(),
			Kind: s.SpanKind().String(), Status: map[codes.Code]string{codes.Unset: "unset", codes.Ok: "ok", codes.Error: "error"}[s.Status().Code],
			StatusMessage: s.Status().Description, Scope: s.InstrumentationScope().Name + "@" + s.InstrumentationScope().Version,
			Attributes: []attr{}, Events: []eventView{}, Links: []linkView{}}
		if s.Parent().HasSpanID() {
			v.ParentSpanID = s.Parent().SpanID().String()
		}
		for _, kv := range s.Attributes() {
			v.Attributes = append(v.Attributes, render(kv))
		}
		for _, e := range s.Events() {
			v.Events = append(v.Events, eventView{strconv.FormatInt(e.Time.UnixNano(), 10), e.Name, object(e.Attributes)})
		}
		for _, l := range s.Links() {
			v.Links = append(v.Links, linkView{l.SpanContext.TraceID().String(), l.SpanContext.SpanID().String(), object(l.Attributes)})
		}
		out = append(out, v)
	}
	return sorted(out)
}

// fromStore reads a trace's spans from the table itself.
func fromStore(t *testing.T, p *product, traceID string) []spanView {
	t.Helper()
	type row struct {
		spanView
		EventTS    []string `json:"event_ts"`
		EventName  []string `json:"event_name"`
		EventAttrs []string `json:"event_attributes"`
		LinkTrace  []string `json:"link_trace_id"`
		LinkSpan   []string `json:"link_span_id"`
		LinkAttrs  []string `json:"link_attributes"`
	}
	var out []spanView
	for _, r := range rows[row](t, p, fmt.Sprintf(`SELECT lower(hex(span_id)) AS span_id,
		if(parent_span_id = toFixedString('', 8), '', lower(hex(parent_span_id))) AS parent_span_id,
		toString(toUnixTimestamp64Nano(ts)) AS ts_ns, toFloat64(duration_ns) AS duration_ns, service, name, toString(kind) AS kind,
		toString(status) AS status, status_message, scope,
		arrayMap((k, v, y) -> map('key', toString(k), 'value', toString(v), 'type', ['string', 'bool', 'int', 'double', 'json', 'bytes'][y + 1]),
			attr.key, attr.value, attr.type) AS attributes,
		arrayMap(x -> toString(toUnixTimestamp64Nano(x)), event.ts) AS event_ts, event.name AS event_name, event.attributes AS event_attributes,
		arrayMap(x -> lower(hex(x)), link.trace_id) AS link_trace_id, arrayMap(x -> lower(hex(x)), link.span_id) AS link_span_id,
		link.attributes AS link_attributes
		FROM spans AS s WHERE s.trace_id = unhex('%s')`, traceID)) {
		v := r.spanView
		v.Events, v.Links = []eventView{}, []linkView{}
		for i := range r.EventTS {
			v.Events = append(v.Events, eventView{r.EventTS[i], r.EventName[i], decodeObject(t, r.EventAttrs[i])})
		}
		for i := range r.LinkTrace {
			v.Links = append(v.Links, linkView{r.LinkTrace[i], r.LinkSpan[i], decodeObject(t, r.LinkAttrs[i])})
		}
		out = append(out, v)
	}
	return sorted(out)
}

func decodeObject(t *testing.T, s string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		t.Fatalf("%q is not a JSON object: %v", s, err)
	}
	return m
}

// sorted brings spans and their attributes into an order of their own.
func sorted(spans []spanView) []spanView {
	slices.SortFunc(spans, func(a, b spanView) int { return cmp.Compare(a.SpanID, b.SpanID) })
	for _, s := range spans {
		slices.SortFunc(s.Attributes, func(a, b attr) int { return cmp.Compare(a.Key, b.Key) })
		canonical(s.Attributes)
	}
	return spans
}
