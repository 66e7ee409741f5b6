// Package prom answers PromQL: Prometheus' own engine over the series that are stored here, and the Prometheus HTTP
// API around it. Engine is the whole of it: Range and Instant evaluate an expression, Querier makes it a
// storage.Queryable, Handler is the API. OTLP metrics appear under Prometheus' names by the published rules, series of
// remote write exactly as they were sent; calls, edges and log counts, which are no metrics, appear as series too.
// Its invariants: what is known of series is at most Options.Refresh old; no question loads more samples or bytes than
// Options says; an answer's series are sorted and no two have the same labels.
package prom

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/otlptranslator"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/tidemarkhq/tidemark/query"
)

// Options say how questions are answered. Zero fields take the defaults in brackets.
type Options struct {
	DSN string // of the store

	// How OTLP names become Prometheus' (UnderscoreEscapingWithSuffixes).
	Translation      otlptranslator.TranslationStrategyOption
	Promote          []string // resource attributes that become labels of every series; * for all (none)
	CustomHistograms bool     // explicit histograms as native ones with custom buckets too
	StartTimestamps  bool     // rate and increase heed the start of series

	Lookback   time.Duration // how long a sample stands for its series (5 min)
	Timeout    time.Duration // of one question (2 min)
	MaxSamples int           // loaded by one question (50 million)
	MaxBytes   int64         // of samples loaded by one question (1 GiB)
	MaxSeries  int           // that are known at a time (1 million)
	Refresh    time.Duration // how old what is known of series may be (5 s)

	Version    string
	Flags      map[string]string     // as /status/flags shows them
	Logger     *slog.Logger          // (slog.Default())
	Registerer prometheus.Registerer // nil: nothing is counted
}

func (o *Options) defaults() {
	if o.Translation == "" {
		o.Translation = otlptranslator.UnderscoreEscapingWithSuffixes
	}
	if o.Lookback == 0 {
		o.Lookback = 5 * time.Minute
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.MaxSamples == 0 {
		o.MaxSamples = 50_000_000
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.MaxSeries == 0 {
		o.MaxSeries = 1_000_000
	}
	if o.Refresh == 0 {
		o.Refresh = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// Engine answers PromQL over one store.
type Engine struct {
	db      *query.DB
	o       Options
	columns *columns
	index   *index
	promql  *promql.Engine
	parser  parser.Parser
	began   time.Time
	rules   func() []RuleGroup // nil: none
	took    *prometheus.HistogramVec

	pushFrom  int64         // samples from which on parts are pushed down
	pushing   chan struct{} // the chunks of them that are there
	chunkMost int           // samples that a chunk has at most, unless of one series
	density   density
}

// New makes an engine over db's store.
func New(db *query.DB, o Options) (*Engine, error) {
	o.defaults()
	c, err := newColumns(db, o.DSN)
	if err != nil {
		return nil, err
	}
	e := &Engine{db: db, o: o, columns: c, began: time.Now(), pushFrom: pushFrom, pushing: make(chan struct{}, pushSlots), chunkMost: mostSamples}
	e.took = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tidemark_promql_duration_seconds",
		Help: "Time to answer a question of the Prometheus API, by endpoint and status.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}, []string{"endpoint", "status"})
	if o.Registerer != nil {
		if err := o.Registerer.Register(e.took); err != nil {
			return nil, fmt.Errorf("register the metrics of PromQL: %w", err)
		}
	}
	e.index = newIndex(c, newTranslator(o.Translation, o.Promote, o.CustomHistograms), o.Refresh, o.MaxSeries)
	e.index.virtual = e.virtuals()
	e.parser = parser.NewParser(parserOptions)
	e.promql = promql.NewEngine(engineOptions(o, e.parser))
	return e, nil
}

// parserOptions are the language: what Prometheus has behind feature flags is understood.
var parserOptions = parser.Options{EnableExperimentalFunctions: true, ExperimentalDurationExpr: true, EnableExtendedRangeSelectors: true, EnableBinopFillModifiers: true}

func engineOptions(o Options, p parser.Parser) promql.EngineOpts {
	return promql.EngineOpts{
		Logger: o.Logger, MaxSamples: o.MaxSamples, Timeout: o.Timeout, LookbackDelta: o.Lookback,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
		EnableAtModifier:         true, EnableNegativeOffset: true, UseStartTimestamps: o.StartTimestamps, Parser: p,
	}
}

// Parser understands the language as this engine does.
func (e *Engine) Parser() parser.Parser { return e.parser }

// Close gives the connections to the store back.
func (e *Engine) Close() error {
	e.columns.close()
	return e.promql.Close()
}

// Answer is the value of an expression, a promql.Matrix, Vector, Scalar or String, with what is to be said about it.
type Answer struct {
	Value       parser.Value
	Annotations annotations.Annotations
}

// ErrEndBeforeStart is a range whose end lies before its start.
var ErrEndBeforeStart = errors.New("end timestamp must not be before start time")

// Range evaluates an expression at each step from start to end.
func (e *Engine) Range(ctx context.Context, expr string, start, end time.Time, step time.Duration) (*Answer, error) {
	if end.Before(start) {
		return nil, ErrEndBeforeStart
	}
	return e.answer(ctx, expr, start, end, step)
}

// Instant evaluates an expression at one moment.
func (e *Engine) Instant(ctx context.Context, expr string, at time.Time) (*Answer, error) {
	return e.answer(ctx, expr, at, at, 0)
}

// answer evaluates an expression; a step of zero asks for one moment.
func (e *Engine) answer(ctx context.Context, expr string, start, end time.Time, step time.Duration) (*Answer, error) {
	if a, err := e.pushDown(ctx, expr, start, end, step); !errors.Is(err, errNotPushed) {
		return a, err
	}
	q, err := e.prepare(ctx, e, nil, expr, start, end, step)
	if err != nil {
		return nil, &query.InputError{Field: "query", Reason: err.Error()}
	}
	return finish(ctx, q)
}

func (e *Engine) prepare(ctx context.Context, from storage.Queryable, o promql.QueryOpts, expr string, start, end time.Time, step time.Duration) (promql.Query, error) {
	if step == 0 {
		return e.promql.NewInstantQuery(ctx, from, o, expr, end)
	}
	return e.promql.NewRangeQuery(ctx, from, o, expr, start, end, step)
}

// finish evaluates; the value is the caller's own.
func finish(ctx context.Context, q promql.Query) (*Answer, error) {
	defer q.Close()
	r := q.Exec(ctx)
	if r.Err != nil {
		return nil, r.Err
	}
	value := r.Value
	if m, ok := value.(promql.Matrix); ok {
		value = clone(m)
	}
	return &Answer{value, r.Warnings}, nil
}

// clone copies what Close gives back to the engine's pools.
func clone(m promql.Matrix) promql.Matrix {
	out := make(promql.Matrix, len(m))
	for i, s := range m {
		out[i] = promql.Series{Metric: s.Metric, Floats: append([]promql.FPoint(nil), s.Floats...), Histograms: append([]promql.HPoint(nil), s.Histograms...)}
	}
	return out
}
