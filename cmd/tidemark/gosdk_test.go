package main_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// goExporters are the Go SDK's exporters of one way to send.
type goExporters struct {
	traces  sdktrace.SpanExporter
	metrics sdkmetric.Exporter
	logs    sdklog.Exporter
}

// The Go SDK, each of its ways to send, each signal: what was sent is what is stored and what the API answers.
func TestGoSDK(t *testing.T) {
	for _, way := range []struct {
		name  string
		delta bool // temporality of the metrics
		make  func(ctx context.Context, p *product, temporality sdkmetric.TemporalitySelector) (goExporters, error)
	}{
		{"grpc", false, overGRPC()},
		{"grpc gzip", true, overGRPC("gzip")},
		{"http", true, overHTTP(otlptracehttp.NoCompression)},
		{"http gzip", false, overHTTP(otlptracehttp.GzipCompression)},
	} {
		t.Run(way.name, func(t *testing.T) {
			p := share(t)
			temporality := sdkmetric.DefaultTemporalitySelector
			if way.delta {
				temporality = func(sdkmetric.InstrumentKind) metricdata.Temporality { return metricdata.DeltaTemporality }
			}
			exporters, err := way.make(t.Context(), p, temporality)
			if err != nil {
				t.Fatal(err)
			}
			res := goResource(unique("go-" + strings.ReplaceAll(way.name, " ", "-")))
			t.Run("traces", func(t *testing.T) { goTraces(t, p, exporters.traces, res) })
			t.Run("metrics", func(t *testing.T) { goMetrics(t, p, exporters.metrics, res) })
			t.Run("logs", func(t *testing.T) { goLogs(t, p, exporters.logs, res) })
		})
	}
}

func overGRPC(compressor ...string) func(context.Context, *product, sdkmetric.TemporalitySelector) (goExporters, error) {
	return func(ctx context.Context, p *product, temporality sdkmetric.TemporalitySelector) (e goExporters, err error) {
		traces := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(p.grpc), otlptracegrpc.WithInsecure()}
		metrics := []otlpmetricgrpc.Option{otlpmetricgrpc.WithEndpoint(p.grpc), otlpmetricgrpc.WithInsecure(), otlpmetricgrpc.WithTemporalitySelector(temporality)}
		logs := []otlploggrpc.Option{otlploggrpc.WithEndpoint(p.grpc), otlploggrpc.WithInsecure()}
		for _, c := range compressor {
			traces, metrics, logs = append(traces, otlptracegrpc.WithCompressor(c)), append(metrics, otlpmetricgrpc.WithCompressor(c)), append(logs, otlploggrpc.WithCompressor(c))
		}
		if e.traces, err = otlptracegrpc.New(ctx, traces...); err != nil {
			return e, err
		}
		if e.metrics, err = otlpmetricgrpc.New(ctx, metrics...); err != nil {
			return e, err
		}
		e.logs, err = otlploggrpc.New(ctx, logs...)
		return e, err
	}
}

func overHTTP(compression otlptracehttp.Compression) func(context.Context, *product, sdkmetric.TemporalitySelector) (goExporters, error) {
	return func(ctx context.Context, p *product, temporality sdkmetric.TemporalitySelector) (e goExporters, err error) {
		if e.traces, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(p.otlpHTTP), otlptracehttp.WithInsecure(),
			otlptracehttp.WithCompression(compression)); err != nil {
			return e, err
		}
		if e.metrics, err = otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpoint(p.otlpHTTP), otlpmetrichttp.WithInsecure(),
			otlpmetrichttp.WithCompression(otlpmetrichttp.Compression(compression)), otlpmetrichttp.WithTemporalitySelector(temporality)); err != nil {
			return e, err
		}
		e.logs, err = otlploghttp.New(ctx, otlploghttp.WithEndpoint(p.otlpHTTP), otlploghttp.WithInsecure(),
			otlploghttp.WithCompression(otlploghttp.Compression(compression)))
		return e, err
	}
}

func goResource(service string) *resource.Resource {
	return resource.NewSchemaless(
		attribute.String("service.name", service),
		attribute.String("service.version", "1.4.2"),
		attribute.String("service.instance.id", service+"-0"),
		attribute.String("deployment.environment.name", "test"),
		attribute.String("telemetry.sdk.language", "go"),
		attribute.Int("process.pid", 4711),
		attribute.Bool("cloud.spot", true),
		attribute.StringSlice("host.ip", []string{"10.0.0.1", "fe80::1"}),
	)
}

func serviceOf(res *resource.Resource) string {
	v, _ := res.Set().Value("service.name")
	return v.AsString()
}

// flush gives exporting a limit, and fails the test when anything was not acknowledged.
func flush(t *testing.T, flush func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := flush(ctx); err != nil {
		t.Fatalf("flush: %v", err)
	}
}

// attr is an attribute as the API shows it; JSON values are decoded, so that their spelling does not matter.
type attr struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Type  string `json:"type"`
}

// render is how an attribute is to be stored.
func render(kv attribute.KeyValue) attr {
	a := attr{Key: string(kv.Key)}
	switch v := kv.Value; v.Type() {
	case attribute.STRING:
		a.Type, a.Value = "string", v.AsString()
	case attribute.BOOL:
		a.Type, a.Value = "bool", strconv.FormatBool(v.AsBool())
	case attribute.INT64:
		a.Type, a.Value = "int", strconv.FormatInt(v.AsInt64(), 10)
	case attribute.FLOAT64:
		a.Type, a.Value = "double", strconv.FormatFloat(v.AsFloat64(), 'g', -1, 64)
	case attribute.BYTESLICE:
		a.Type, a.Value = "bytes", base64.StdEncoding.EncodeToString(v.AsByteSlice())
	default:
		b, err := json.Marshal(plain(v))
		if err != nil {
			panic(fmt.Sprintf("attribute %s: %v", kv.Key, err))
		}
		a.Type, a.Value = "json", string(b)
	}
	return a
}

// plain is a value as encoding/json would decode it from its JSON.
func plain(v attribute.Value) any {
	switch v.Type() {
	case attribute.MAP:
		m := map[string]any{}
		for _, kv := range v.AsMap() {
			m[string(kv.Key)] = plain(kv.Value)
		}
		return m
	case attribute.SLICE:
		var s []any
		for _, e := range v.AsSlice() {
			s = append(s, plain(e))
		}
		return s
	}
	b, err := json.Marshal(v.AsInterface())
	if err != nil {
		panic(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return out
}

// object is attributes as the JSON object they are stored as in events and links.
func object(kvs []attribute.KeyValue) map[string]any {
	m := map[string]any{}
	for _, kv := range kvs {
		m[string(kv.Key)] = plain(kv.Value)
	}
	return m
}

// labels is attributes as metrics and resources have them: every value as text.
func labels(set attribute.Set) map[string]string {
	m := map[string]string{}
	for _, kv := range set.ToSlice() {
		m[string(kv.Key)] = render(kv).Value
	}
	return m
}

// canonical decodes JSON values and encodes them again, so that two spellings of one value compare equal.
func canonical(attrs []attr) []attr {
	for i, a := range attrs {
		if a.Type != "json" {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(a.Value), &v); err != nil {
			continue // stays as it is and fails the comparison
		}
		b, _ := json.Marshal(v)
		attrs[i].Value = string(b)
	}
	return attrs
}

// through waits, after each export, until what was sent can be queried: an acknowledgement promises that it is safe,
// and it is visible a moment later.
type through struct {
	t     *testing.T
	p     *product
	count string // query
}

const (
	countSpans  = "SELECT count() FROM spans WHERE service = '%s'"
	countLogs   = "SELECT count() FROM logs WHERE service = '%s'"
	countPoints = "SELECT count() FROM metric_samples WHERE series IN (SELECT fingerprint FROM metric_series WHERE service = '%s')"
)

func (w through) wait(atLeast int) {
	within(w.t, 20*time.Second, fmt.Sprintf("%d rows by %s", atLeast, w.count), func() bool { return w.p.count(w.t, w.count) >= atLeast })
}

type throughSpans struct {
	sdktrace.SpanExporter
	through
}

func (e *throughSpans) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		return err
	}
	e.wait(len(spans))
	return nil
}

type throughMetrics struct {
	sdkmetric.Exporter
	through
}

func (e *throughMetrics) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	before, sent := e.p.count(e.t, e.count), 0
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			points, _ := pointsOf(m)
			sent += len(points)
		}
	}
	if err := e.Exporter.Export(ctx, rm); err != nil {
		return err
	}
	e.wait(before + sent)
	return nil
}

type throughLogs struct {
	sdklog.Exporter
	through
}

func (e *throughLogs) Export(ctx context.Context, records []sdklog.Record) error {
	if err := e.Exporter.Export(ctx, records); err != nil {
		return err
	}
	e.wait(len(records))
	return nil
}
