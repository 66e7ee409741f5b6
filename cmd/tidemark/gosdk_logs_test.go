package main_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// logView is a log record as GET /api/v1/logs shows it.
type logView struct {
	TSNS         string            `json:"ts_ns"`
	ObservedNS   string            `json:"observed_ts_ns"`
	Service      string            `json:"service"`
	Severity     int               `json:"severity"`
	SeverityText string            `json:"severity_text"`
	Body         string            `json:"body"`
	TraceID      string            `json:"trace_id"`
	SpanID       string            `json:"span_id"`
	Scope        string            `json:"scope"`
	Attributes   []attr            `json:"attributes"`
	Resource     map[string]string `json:"resource"`
}

// logCapture remembers each record that was emitted.
type logCapture struct{ records []sdklog.Record }

func (*logCapture) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (c *logCapture) OnEmit(_ context.Context, r *sdklog.Record) error {
	c.records = append(c.records, r.Clone())
	return nil
}
func (*logCapture) Shutdown(context.Context) error   { return nil }
func (*logCapture) ForceFlush(context.Context) error { return nil }

// goLogs writes through slog's bridge, in and outside of a span that is stored as well.
func goLogs(t *testing.T, p *product, exporter sdklog.Exporter, res *resource.Resource) {
	stored := &throughLogs{exporter, through{t, p, fmt.Sprintf(countLogs, serviceOf(res))}}
	sent := &logCapture{}
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(sent), sdklog.WithProcessor(sdklog.NewBatchProcessor(stored)))
	logger := slog.New(otelslog.NewHandler("github.com/shop/cart", otelslog.WithVersion("0.7.1"), otelslog.WithLoggerProvider(provider)))
	ctx, span := sdktrace.NewTracerProvider().Tracer("logs").Start(t.Context(), "logged")
	defer span.End()

	logger.InfoContext(ctx, "cart stored", "items", 3, "total", 12.5, "express", true, "note", "naïve \"quoted\"\n漢字")
	logger.ErrorContext(ctx, "payment refused", slog.Group("card", slog.String("brand", "visa"), slog.Int("tries", 2)), "took", 1500*time.Millisecond)
	logger.Debug("no span here", "list", []string{"a", "b"})
	logger.Warn("")
	flush(t, provider.ForceFlush)

	var want []logView
	for _, r := range sent.records {
		want = append(want, fromRecord(r))
	}
	service := serviceOf(res)
	if diff := gocmp.Diff(sortedLogs(want), storedLogs(t, p, service)); diff != "" {
		t.Errorf("stored logs (-sent +stored):\n%s", diff)
	}
	var answer struct{ Logs []logView }
	p.get(t, "/api/v1/logs?from=now-15m&to=now&q=service:"+service, &answer)
	if diff := gocmp.Diff(want, sortedLogs(answer.Logs)); diff != "" {
		t.Errorf("GET /logs (-sent +answered):\n%s", diff)
	}
	answer.Logs = nil
	p.get(t, "/api/v1/logs?from=now-15m&to=now&q=trace:"+span.SpanContext().TraceID().String()+"%20refused", &answer)
	if len(answer.Logs) != 1 || answer.Logs[0].Body != "payment refused" {
		t.Errorf("GET /logs of the trace with a word of the body: %+v", answer.Logs)
	}
}

func fromRecord(r sdklog.Record) logView {
	at := r.Timestamp()
	if at.IsZero() {
		at = r.ObservedTimestamp()
	}
	v := logView{TSNS: strconv.FormatInt(at.UnixNano(), 10), ObservedNS: strconv.FormatInt(r.ObservedTimestamp().UnixNano(), 10),
		Service: serviceOf(r.Resource()), Severity: int(r.Severity()), SeverityText: r.SeverityText(), Body: r.Body().AsString(),
		Scope: r.InstrumentationScope().Name + "@" + r.InstrumentationScope().Version, Attributes: []attr{}, Resource: labels(*r.Resource().Set())}
	if r.TraceID().IsValid() {
		v.TraceID, v.SpanID = r.TraceID().String(), r.SpanID().String()
	}
	r.WalkAttributes(func(kv attribute.KeyValue) bool {
		v.Attributes = append(v.Attributes, render(kv))
		return true
	})
	return v
}

func storedLogs(t *testing.T, p *product, service string) []logView {
	t.Helper()
	return sortedLogs(rows[logView](t, p, fmt.Sprintf(`SELECT toString(toUnixTimestamp64Nano(ts)) AS ts_ns,
		toString(toUnixTimestamp64Nano(observed_ts)) AS observed_ts_ns, service, severity, severity_text, body,
		if(l.trace_id = toFixedString('', 16), '', lower(hex(l.trace_id))) AS trace_id, if(l.span_id = toFixedString('', 8), '', lower(hex(l.span_id))) AS span_id, scope,
		arrayMap((k, v, y) -> map('key', toString(k), 'value', toString(v), 'type', ['string', 'bool', 'int', 'double', 'json', 'bytes'][y + 1]),
			attr.key, attr.value, attr.type) AS attributes,
		(SELECT anyLast(r.attributes) FROM resources AS r WHERE r.service = '%[1]s') AS resource
		FROM logs AS l WHERE service = '%[1]s'`, service)))
}

func sortedLogs(logs []logView) []logView {
	slices.SortFunc(logs, func(a, b logView) int { return cmp.Compare(a.TSNS+a.Body, b.TSNS+b.Body) })
	for _, l := range logs {
		slices.SortFunc(l.Attributes, func(a, b attr) int { return cmp.Compare(a.Key, b.Key) })
		canonical(l.Attributes)
	}
	return logs
}
