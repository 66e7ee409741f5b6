package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"

	"github.com/tidemarkhq/tidemark/ingest/otlp"
)

// selfService is the service under which Tidemark's own telemetry appears.
const selfService = "tidemark"

// selfTelemetry sends Tidemark's own traces, metrics and logs to its own OTLP port. Receiving telemetry is not
// traced, so that sending does not cause more to send.
type selfTelemetry struct {
	conn    io.Closer
	traces  *trace.TracerProvider
	metrics *metric.MeterProvider
	logs    *sdklog.LoggerProvider
}

// startSelfTelemetry connects to the process's own receiver; nothing is sent before the first batch is due.
// own is what /metrics shows: it is stored like the metrics of others.
func startSelfTelemetry(ctx context.Context, receiver *otlp.Server, role string, own prometheus.Gatherer) (*selfTelemetry, error) {
	host, _ := os.Hostname()
	res := resource.NewWithAttributes(semconv.SchemaURL,
		semconv.ServiceName(selfService),
		semconv.ServiceVersion(version),
		semconv.ServiceInstanceID(fmt.Sprintf("%s-%d", host, os.Getpid())),
		semconv.HostName(host),
		semconv.ProcessPID(os.Getpid()),
		semconv.TelemetrySDKLanguageGo,
		attribute.String("tidemark.role", role))
	conn, err := receiver.Dial()
	if err != nil {
		return nil, fmt.Errorf("own telemetry: %w", err)
	}
	te, err := otlptracegrpc.New(ctx, otlptracegrpc.WithGRPCConn(conn))
	if err != nil {
		return nil, fmt.Errorf("own traces: %w", err)
	}
	me, err := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithGRPCConn(conn))
	if err != nil {
		return nil, fmt.Errorf("own metrics: %w", err)
	}
	le, err := otlploggrpc.New(ctx, otlploggrpc.WithGRPCConn(conn))
	if err != nil {
		return nil, fmt.Errorf("own logs: %w", err)
	}
	s := &selfTelemetry{
		conn:   conn,
		traces: trace.NewTracerProvider(trace.WithResource(res), trace.WithBatcher(te, trace.WithBatchTimeout(2*time.Second))),
		metrics: metric.NewMeterProvider(metric.WithResource(res),
			metric.WithReader(metric.NewPeriodicReader(me, metric.WithInterval(10*time.Second), metric.WithProducer(bridge.NewMetricProducer(bridge.WithGatherer(own)))))),
		logs: sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(sdklog.NewBatchProcessor(le))),
	}
	if err := runtime.Start(runtime.WithMeterProvider(s.metrics)); err != nil {
		return nil, fmt.Errorf("runtime metrics: %w", err)
	}
	return s, nil
}

// handler is a log handler that sends what it is given.
func (s *selfTelemetry) handler() slog.Handler {
	return otelslog.NewHandler("tidemark", otelslog.WithLoggerProvider(s.logs))
}

// Stop sends what is waiting.
func (s *selfTelemetry) Stop(ctx context.Context) error {
	return errors.Join(s.traces.Shutdown(ctx), s.metrics.Shutdown(ctx), s.logs.Shutdown(ctx), s.conn.Close())
}
