package prom

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// open makes an engine over a fresh database that keeps samples however old they are.
func open(t testing.TB, o Options) (*Engine, driver.Conn) {
	t.Helper()
	conn, dsn := storetest.DB(t)
	o.DSN = dsn
	if o.Refresh == 0 {
		o.Refresh = time.Hour // tests say themselves when something came
	}
	e, err := New(query.New(conn, query.Options{}), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e, conn
}

// The acceptance suite of PromQL, over our tables.
func TestPromQLAcceptance(t *testing.T) {
	e, conn := open(t, Options{StartTimestamps: true})
	for _, table := range []string{"metric_samples", "metric_distributions", "metric_series"} {
		if err := conn.Exec(context.Background(), "ALTER TABLE "+table+" REMOVE TTL"); err != nil {
			t.Fatal(err)
		}
	}
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	promqltest.RunBuiltinTestsWithStorage(t, engine, func(t testing.TB) storage.Storage {
		s := &written{Engine: e, conn: conn}
		s.truncate(t)
		return s
	})
}

// written is a storage.Storage whose appender writes as remote write does. The suite asks each expression up to eight
// times, with the same selections: between two loads the same selection is read once.
type written struct {
	*Engine
	conn driver.Conn
	memo map[string][]*series
}

func (w *written) Querier(mint, maxt int64) (storage.Querier, error) {
	q, err := w.Engine.Querier(mint, maxt)
	return &remembering{q, w}, err
}

type remembering struct {
	storage.Querier
	w *written
}

func (q *remembering) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	key := fmt.Sprint(hints.Start, hints.End, matchers)
	known := &seriesSet{done: make(chan struct{}), at: -1}
	if all, ok := q.w.memo[key]; ok {
		known.all = all
		close(known.done)
		return known
	}
	set := q.Querier.Select(ctx, sorted, hints, matchers...).(*seriesSet)
	if <-set.done; set.err == nil && q.w.memo != nil {
		q.w.memo[key] = set.all
	}
	return set
}

func (w *written) truncate(t testing.TB) {
	for _, table := range []string{"metric_samples", "metric_distributions", "metric_series"} {
		if err := w.conn.Exec(context.Background(), "TRUNCATE TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
	w.index.forget()
	w.memo = map[string][]*series{}
}

func (w *written) ChunkQuerier(int64, int64) (storage.ChunkQuerier, error) {
	return nil, fmt.Errorf("there are no chunks")
}
func (w *written) Appender(context.Context) storage.Appender { panic("AppenderV2 is used") }
func (w *written) AppenderV2(context.Context) storage.AppenderV2 {
	return &appender{w: w, series: map[uint64]labels.Labels{}}
}
func (w *written) StartTime() (int64, error) { return 0, nil }
func (w *written) Close() error              { return nil }

type appended struct {
	ls    labels.Labels
	st, t int64
	v     float64
	h     *histogram.Histogram
	fh    *histogram.FloatHistogram
}

type appender struct {
	w      *written
	series map[uint64]labels.Labels
	all    []appended
}

func (a *appender) Append(_ storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, _ storage.AppendV2Options) (storage.SeriesRef, error) {
	a.series[ls.Hash()] = ls
	a.all = append(a.all, appended{ls, st, t, v, h, fh})
	return 1, nil
}

func (a *appender) Rollback() error { return nil }

func (a *appender) Commit() error {
	ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(clickhouse.Settings{"max_partitions_per_insert_block": 0}))
	conn := a.w.conn
	series, err := conn.PrepareBatch(ctx, "INSERT INTO metric_series (fingerprint, name, type, scope, attributes, first_seen, last_seen)")
	if err != nil {
		return err
	}
	samples, err := conn.PrepareBatch(ctx, "INSERT INTO metric_samples (name, series, ts, start_ts, value, flags)")
	if err != nil {
		return err
	}
	shapes, err := conn.PrepareBatch(ctx, `INSERT INTO metric_distributions (name, series, ts, start_ts, count, sum, bounds, values, counts, negative_counts, scale, zero_count, zero_threshold, flags)`)
	if err != nil {
		return err
	}
	for fp, ls := range a.series {
		if err := series.Append(fp, ls.Get("__name__"), "gauge", ExactScope, ls.Map(), time.UnixMilli(0), time.UnixMilli(4e12)); err != nil {
			return err
		}
	}
	for _, s := range a.all {
		fp, name, v, flags := s.ls.Hash(), s.ls.Get("__name__"), s.v, uint8(0)
		at, start := time.UnixMilli(s.t), time.UnixMilli(s.st)
		if s.h != nil || s.fh != nil {
			row := pack(s.h, s.fh)
			if err := shapes.Append(name, fp, at, start, row.count, row.sum, row.bounds, row.values, row.counts, row.negative, row.scale, row.zero, row.threshold, row.flags); err != nil {
				return err
			}
			v, flags = row.sum, FlagShape
		}
		if value.IsStaleNaN(v) {
			flags |= FlagStale
		}
		if err := samples.Append(name, fp, at, start, v, flags); err != nil {
			return err
		}
	}
	for _, b := range []driver.Batch{series, samples, shapes} {
		if err := b.Send(); err != nil {
			return err
		}
	}
	a.w.index.forget()
	clear(a.w.memo)
	return nil
}
