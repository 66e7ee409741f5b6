package prom

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// otlpMetrics are selectors of what fillOTLP writes.
var otlpMetrics = []string{"http_duration_seconds_bucket", "queue_length", "rpc_duration_milliseconds_bucket", `http_duration_seconds_bucket{le="0.5"}`, `rpc_duration_milliseconds_bucket{le=~"5|50|[+]Inf"}`,
	"http_duration_seconds_sum", "http_duration_seconds_count", "rpc_duration_milliseconds_sum", "rpc_duration_milliseconds_count", "sent_bytes_total", `sent_bytes_total{route!="/1"}`, "queue_length"}

// otlpSeries are the rows of one series that OTLP brought.
type otlpSeries struct {
	fingerprint      uint64
	name, typ, times string
	unit             string
	resource         uint64
	route            string
}

// fillOTLP writes explicit histograms, cumulative and of increases, sums of increases and gauges: by two processes that
// were started again, which shows in their resources but not in their labels; with other bounds then; with gaps and
// markers; and some samples twice.
func (d dice) fillOTLP(t *testing.T, conn driver.Conn) {
	t.Helper()
	ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(clickhouse.Settings{"max_partitions_per_insert_block": 0}))
	for r := range 6 { // two processes of each of three hosts
		exec(t, conn, fmt.Sprintf(`INSERT INTO resources (fingerprint, service, instance, attributes, first_seen, last_seen) VALUES (%d, 'shop', 'pod-%d', map('service.name', 'shop', 'service.instance.id', 'pod-%d', 'process.pid', '%d'), %s, %s)`,
			r+1, r%3, r%3, r, milli(midnight-3_700_000), milli(midnight+3_700_000)))
	}
	var batches [3]*otlpBatch // parts that overlap
	for i := range batches {
		batches[i] = newOTLPBatch(t, ctx, conn)
	}
	fingerprint := uint64(1000)
	for _, m := range []otlpSeries{
		{name: "http.duration", typ: "histogram", times: "cumulative", unit: "s"}, {name: "rpc.duration", typ: "histogram", times: "delta", unit: "ms"},
		{name: "sent", typ: "sum", times: "delta", unit: "By"}, {name: "queue.length", typ: "gauge"},
	} {
		for r := range 6 {
			for _, route := range []string{"/1", "/2"} {
				m.fingerprint, m.resource, m.route = fingerprint<<33|fingerprint%11, uint64(r+1), route // two have halves in common
				fingerprint++
				batches[0].add(t, m)
				from, to := midnight-3_600_000, midnight+d.Int64N(1_000_000)
				if r >= 3 {
					from, to = to+d.Int64N(400_000)-200_000, midnight+3_600_000
				}
				d.points(t, m, from, to, batches)
			}
		}
	}
	for _, b := range batches {
		for _, x := range []driver.Batch{b.series, b.samples, b.shapes} {
			if err := x.Send(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func milli(ms int64) string { return fmt.Sprintf("fromUnixTimestamp64Milli(toInt64(%d))", ms) }

type otlpBatch struct{ series, samples, shapes driver.Batch }

func newOTLPBatch(t *testing.T, ctx context.Context, conn driver.Conn) *otlpBatch {
	t.Helper()
	prepare := func(sql string) driver.Batch {
		b, err := conn.PrepareBatch(ctx, sql, driver.WithReleaseConnection())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return &otlpBatch{prepare("INSERT INTO metric_series (fingerprint, name, type, temporality, monotonic, unit, service, resource, scope, attributes, first_seen, last_seen)"),
		prepare("INSERT INTO metric_samples (name, series, ts, start_ts, value, flags)"), prepare("INSERT INTO metric_distributions (name, series, ts, start_ts, count, sum, bounds, counts, flags)")}
}

func (b *otlpBatch) add(t *testing.T, s otlpSeries) {
	t.Helper()
	monotonic := uint8(0)
	if s.typ == "sum" {
		monotonic = 1
	}
	if err := b.series.Append(s.fingerprint, s.name, s.typ, s.times, monotonic, s.unit, "shop", s.resource, "lib", map[string]string{"route": s.route}, time.UnixMilli(midnight-3_700_000), time.UnixMilli(midnight+3_700_000)); err != nil {
		t.Fatal(err)
	}
}

// points writes the points of one series.
func (d dice) points(t *testing.T, s otlpSeries, from, to int64, batches [3]*otlpBatch) {
	t.Helper()
	every, before := []int64{10_000, 15_000, 60_000}[d.IntN(3)], from
	bounds := []float64{0.1, 0.5, 1, 5, 50}[d.IntN(3):]
	counts, count, sum := make([]uint64, len(bounds)+1), uint64(0), 0.0
	for at := from + every; at < to; at += every + d.Int64N(40) {
		flags := uint8(0)
		switch d.IntN(80) {
		case 0:
			at += d.Int64N(10 * 60_000)
		case 1:
			flags = FlagStale
		case 2: // started again without anyone's noticing
			clear(counts)
			count, sum = 0, 0
		}
		if s.times == "delta" {
			clear(counts)
			count, sum = 0, 0
		}
		for i := range counts {
			n := uint64(d.IntN(5))
			counts[i], count, sum = counts[i]+n, count+n, sum+float64(n)*d.Float64()
		}
		for n := range 1 + d.IntN(20)/19 {
			b := batches[(int(at)+n)%3]
			var err error
			if s.typ == "histogram" {
				err = b.shapes.Append(s.name, s.fingerprint, time.UnixMilli(at), time.UnixMilli(before), count, sum, bounds, counts, flags)
			} else {
				v := sum
				if flags != 0 {
					v = none
				}
				err = b.samples.Append(s.name, s.fingerprint, time.UnixMilli(at), time.UnixMilli(before), v, flags)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if s.times == "delta" {
			before = at
		}
	}
}

// What OTLP brought is pushed down with the engine's answers: the parts of explicit histograms, increases, and series that
// only their resources tell apart.
func TestOTLPIsPushedDown(t *testing.T) {
	e, conn := open(t, Options{})
	d := dice{rand.New(rand.NewPCG(3, 5)), otlpMetrics, "http_duration_seconds_bucket"}
	d.fillOTLP(t, conn)
	e.pushFrom = 0
	from, to := time.UnixMilli(midnight-1_800_000), time.UnixMilli(midnight+1_800_000)
	for _, expr := range []string{
		"histogram_quantile(0.9, sum by (le) (rate(http_duration_seconds_bucket[5m])))", "histogram_quantile(0.5, sum by (le, instance) (increase(rpc_duration_milliseconds_bucket[10m])))",
		"sum(rate(http_duration_seconds_sum[5m])) / sum(rate(http_duration_seconds_count[5m]))", "sum by (route) (rate(sent_bytes_total[5m]))", "max(queue_length)",
	} {
		a, err := e.pushDown(context.Background(), expr, from, to, time.Minute)
		if err != nil || len(a.Value.String()) < 200 {
			t.Errorf("%s: %v %v", expr, a, err)
		}
	}
	d.compare(t, e, 50)
	d.buckets = "rpc_duration_milliseconds_bucket"
	d.compare(t, e, 50)
	e.chunkMost = 1000 // as if series had more samples than they had before: they are read again, fewer at a time
	d.compare(t, e, 8)
}
