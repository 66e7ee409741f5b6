// Package telemetry gives each service of the demo shop an OpenTelemetry SDK
// of its own: a Resource, a tracer, a meter and a logger provider that export
// by OTLP/gRPC, as if each service were a program of its own. Its main type is
// Providers. Nothing is registered globally but the propagators are fixed (W3C
// trace context and baggage), so that any number of services live in one
// process without seeing each other's telemetry.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Scope is the instrumentation scope of what the shop records by hand.
const Scope = "github.com/tidemarkhq/tidemark/cmd/demo"

// Propagators carry the trace from service to service.
var Propagators = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// ExponentialHistograms lists the instruments that are aggregated as
// base-2 exponential histograms; all other histograms have explicit buckets.
var ExponentialHistograms = []string{"shop.recommendation.rank.duration"}

// Identity says which program the telemetry is about.
type Identity struct {
	Service string
	Version string
}

// Environment is the deployment environment of every instance.
const Environment = "demo"

// Options are the export rhythms.
type Options struct {
	BatchTimeout   time.Duration // longest wait of a span or log record before export
	MetricInterval time.Duration
}

// Providers is the SDK of one running instance of one service.
type Providers struct {
	InstanceID string
	Tracer     trace.Tracer
	Meter      metric.Meter
	Log        *slog.Logger

	Traces  *sdktrace.TracerProvider
	Metrics *sdkmetric.MeterProvider
	Logs    *sdklog.LoggerProvider
}

// Start creates the providers of a new instance and starts its Go runtime metrics.
func (l *Link) Start(ctx context.Context, id Identity, opt Options) (*Providers, error) {
	instance := uuid.NewString()
	res, err := describe(ctx, id, instance)
	if err != nil {
		return nil, fmt.Errorf("describe service %s: %w", id.Service, err)
	}
	p := &Providers{InstanceID: instance}
	if err := p.start(ctx, l, res, opt); err != nil {
		return nil, fmt.Errorf("start telemetry of %s: %w", id.Service, errors.Join(err, p.Shutdown(ctx)))
	}
	p.Tracer = p.Traces.Tracer(Scope, trace.WithInstrumentationVersion(id.Version))
	p.Meter = p.Metrics.Meter(Scope, metric.WithInstrumentationVersion(id.Version))
	p.Log = slog.New(otelslog.NewHandler(Scope, otelslog.WithLoggerProvider(p.Logs), otelslog.WithVersion(id.Version)))
	return p, nil
}

func describe(ctx context.Context, id Identity, instance string) (*resource.Resource, error) {
	return resource.New(ctx,
		resource.WithFromEnv(), // OTEL_RESOURCE_ATTRIBUTES; what follows wins
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithOSType(),
		resource.WithProcessPID(),
		resource.WithProcessExecutableName(),
		resource.WithProcessRuntimeName(),
		resource.WithProcessRuntimeVersion(),
		resource.WithSchemaURL(semconv.SchemaURL),
		resource.WithAttributes(
			semconv.ServiceName(id.Service),
			semconv.ServiceNamespace("shop"),
			semconv.ServiceVersion(id.Version),
			semconv.ServiceInstanceID(instance),
			semconv.DeploymentEnvironmentNameKey.String(Environment),
		))
}

func (p *Providers) start(ctx context.Context, l *Link, res *resource.Resource, opt Options) error {
	spans, err := otlptracegrpc.New(ctx, otlptracegrpc.WithGRPCConn(l.conn))
	if err != nil {
		return fmt.Errorf("create span exporter: %w", err)
	}
	p.Traces = sdktrace.NewTracerProvider(
		sdktrace.WithResource(res),
		sdktrace.WithBatcher(spans, sdktrace.WithBatchTimeout(opt.BatchTimeout)))

	records, err := otlploggrpc.New(ctx, otlploggrpc.WithGRPCConn(l.conn))
	if err != nil {
		return fmt.Errorf("create log exporter: %w", err)
	}
	p.Logs = sdklog.NewLoggerProvider(
		sdklog.WithResource(res),
		sdklog.WithProcessor(sdklog.NewBatchProcessor(records, sdklog.WithExportInterval(opt.BatchTimeout))))

	points, err := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithGRPCConn(l.conn))
	if err != nil {
		return fmt.Errorf("create metric exporter: %w", err)
	}
	p.Metrics = sdkmetric.NewMeterProvider(
		sdkmetric.WithResource(res),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points, sdkmetric.WithInterval(opt.MetricInterval))),
		sdkmetric.WithView(exponentialViews()...))

	if err := runtime.Start(runtime.WithMeterProvider(p.Metrics)); err != nil {
		return fmt.Errorf("start runtime metrics: %w", err)
	}
	return nil
}

func exponentialViews() []sdkmetric.View {
	var views []sdkmetric.View
	for _, name := range ExponentialHistograms {
		views = append(views, sdkmetric.NewView(
			sdkmetric.Instrument{Name: name},
			sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}}))
	}
	return views
}

// Shutdown exports what is pending and stops, within ctx. It is safe on
// providers that were started only in part.
func (p *Providers) Shutdown(ctx context.Context) error {
	var err error
	if p.Traces != nil {
		err = errors.Join(err, p.Traces.Shutdown(ctx))
	}
	if p.Metrics != nil {
		err = errors.Join(err, p.Metrics.Shutdown(ctx))
	}
	if p.Logs != nil {
		err = errors.Join(err, p.Logs.Shutdown(ctx))
	}
	return err
}
