// Package watch runs detection: every ten seconds it reads all series of requests in one query, asks the detectors of
// package anomaly what is not normal, has package explain group what belongs together, and keeps the incidents that
// come of it from opening to resolution; calls between services and metrics are judged once a minute. Of several
// processes on one store one does all that, by a lease. Its main type is Watch. Its invariant: what it decides depends
// on what is stored alone, so that Backtest over the same rows decides as it did live, and a restart neither forgets nor
// fires.
package watch

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/anomaly/explain"
	"github.com/tidemarkhq/tidemark/query"
)

// Options say what a Watch stands on. Zero fields take the defaults in brackets.
type Options struct {
	DB           *query.DB
	Conn         driver.Conn // incidents are written through it
	Explain      *explain.Explainer
	Rules        func(ctx context.Context, now time.Time) ([]anomaly.Alarm, error) // alarms of what people wrote, as they are now (none)
	Publish      func(anomaly.Incident, Change)                                    // of every change; it must not block (nobody is told)
	Changed      func()                                                            // the open incidents are others than before; it must not block
	Now          func() time.Time                                                  // (time.Now)
	Registerer   prometheus.Registerer                                             // nil: nothing is counted
	MetricSeries int                                                               // stored series of metrics that are watched at most (DefaultMetricSeries)
	Holder       string                                                            // names this process among several that watch one store, the same after a restart (random)
	Logger       *slog.Logger                                                      // (slog.Default())
}

const (
	tick = 10 * time.Second
	// lag is how long after a step its spans are waited for: what comes later is read again with the next steps.
	lag = 3 * time.Second
	// settleExplanation is how long after its detection an incident is explained again, with more to go by.
	settleExplanation = 2 * time.Minute
)

// Watch detects what is not normal.
type Watch struct {
	o      Options
	counts counts
	code   codeCounts

	mu        sync.Mutex // guards what follows
	engine    *engine    // nil until history has been learned
	beside    *beside    // calls and metrics; nil as long
	keeper    keeper
	taught    taught
	past      past      // what was learned
	learned   time.Time // when history had been learned
	ruled     map[string]anomaly.Alarm
	leading   bool            // this process opens incidents and tells of them
	dismissed dismissed       // what was closed by hand while it went on
	again     map[string]bool // alarms to be told once more
	taughtAt  time.Time       // when what people teach was read last
	changes   uint64          // of what was taught, by this process
	lease     *lease
	stamped   atomic.Int64 // Unix milliseconds of the incident row written last

	explaining sync.WaitGroup
	ctx        context.Context // ends with Close
	cancel     context.CancelFunc
	ended      sync.WaitGroup
}

type counts struct {
	ticks, failures prometheus.Counter
	took            prometheus.Histogram
	series, open    prometheus.GaugeFunc
	left            prometheus.Gauge
}

// New begins to learn what is stored, and then to watch.
func New(ctx context.Context, o Options) (*Watch, error) {
	w, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	w.ended.Go(w.run)
	w.ended.Go(w.runFunctions)
	w.ended.Go(w.lookBack)
	return w, nil
}

// prepare makes a Watch that does nothing yet.
func prepare(ctx context.Context, o Options) (*Watch, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Holder == "" {
		o.Holder = rand.Text()
	}
	if o.MetricSeries == 0 {
		o.MetricSeries = DefaultMetricSeries
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	w := &Watch{o: o, ruled: map[string]anomaly.Alarm{}, dismissed: dismissed{}, again: map[string]bool{}, lease: newLease(o.Conn, o.Holder)}
	if err := w.register(); err != nil {
		return nil, err
	}
	if err := w.loadTaught(ctx); err != nil {
		return nil, err
	}
	w.ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return w, nil
}

func (w *Watch) register() error {
	w.counts.ticks = prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_detection_ticks_total", Help: "Rounds of detection."})
	w.counts.failures = prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_detection_failures_total", Help: "Rounds of detection that could not read what is stored."})
	w.counts.took = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tidemark_detection_seconds", Help: "Time of a round of detection.", Buckets: prometheus.ExponentialBuckets(.005, 2, 12)})
	w.counts.series = prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidemark_detection_series", Help: "Series of requests that are watched."}, func() float64 {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.engine == nil {
			return 0
		}
		return float64(len(w.engine.series))
	})
	w.counts.open = prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidemark_incidents_open", Help: "Open incidents."}, func() float64 {
		w.mu.Lock()
		defer w.mu.Unlock()
		return float64(len(w.keeper.open()))
	})
	w.counts.left = prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemark_detection_metric_series_left_out", Help: "Stored series of metrics that are not watched because there are more than are watched at most."})
	metrics := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidemark_detection_metric_series", Help: "Metrics of services that are watched: CPU, memory, runtime, pools, queues, caches."}, func() float64 {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.beside == nil {
			return 0
		}
		return float64(len(w.beside.meters.series))
	})
	w.code = newCodeCounts()
	if w.o.Registerer == nil {
		return nil
	}
	for _, c := range w.code.all() {
		if err := w.o.Registerer.Register(c); err != nil {
			return fmt.Errorf("register the metrics of profiles' detection: %w", err)
		}
	}
	for _, c := range []prometheus.Collector{w.counts.left, metrics, w.counts.ticks, w.counts.failures, w.counts.took, w.counts.series, w.counts.open} {
		if err := w.o.Registerer.Register(c); err != nil {
			return fmt.Errorf("register the metrics of detection: %w", err)
		}
	}
	return nil
}

// Close stops watching.
func (w *Watch) Close(ctx context.Context) error {
	w.cancel()
	w.ended.Wait()
	w.explaining.Wait()
	return w.lease.release(ctx)
}

// State is how far detection has got.
type State struct {
	Learned bool      `json:"learned"`      // history has been read; until then nothing is judged
	Leads   bool      `json:"leads"`        // this process opens incidents and tells of them; others with the same store do not
	Series  int       `json:"series"`       // series of requests that are watched
	Calls   int       `json:"calls"`        // series of calls between services, databases, queues and hosts
	Metrics int       `json:"metrics"`      // metrics of services
	Ready   int       `json:"ready"`        // series of requests known long enough to be judged
	History float64   `json:"history_days"` // of the oldest series
	Silent  []Silence `json:"silent"`       // services that usually get requests, and send no spans
}

// State tells how far detection has got.
func (w *Watch) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.engine == nil {
		return State{Silent: []Silence{}}
	}
	now := w.o.Now().Unix()
	s := State{Silent: w.engine.silences(now - int64(lag/time.Second)), Learned: true, Leads: w.leading, Series: len(w.engine.series), Calls: len(w.beside.edges.series), Metrics: len(w.beside.meters.series)}
	for _, x := range w.engine.series {
		if now-x.since >= youngest {
			s.Ready++
		}
		s.History = max(s.History, float64(now-x.since)/86400)
	}
	return s
}
