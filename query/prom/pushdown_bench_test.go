package prom

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/storage"
)

// BenchmarkPushedDown evaluates a rate over 24 h of 400 series, a sample every 15 s, in steps of a minute.
func BenchmarkPushedDown(b *testing.B) {
	e, conn := open(b, Options{})
	w := &written{Engine: e, conn: conn}
	const n = 400
	a := w.AppenderV2(context.Background())
	for _, ls := range (dice{}).set("requests_total", n) {
		if _, err := a.Append(0, ls, 0, midnight, 0, nil, nil, storage.AppendV2Options{}); err != nil {
			b.Fatal(err)
		}
	}
	if err := a.Commit(); err != nil {
		b.Fatal(err)
	}
	for day := range 2 {
		if err := conn.Exec(context.Background(), `INSERT INTO metric_samples (name, series, ts, start_ts, value, flags)
SELECT 'requests_total', fp, fromUnixTimestamp64Milli(toInt64($1 + 1 + n * 15000 + fp % 15000)), fromUnixTimestamp64Milli(toInt64(0)), n * 40 + sipHash64(n, fp) % 20, 0
FROM (SELECT fingerprint AS fp, arrayJoin(range($2, $2 + 2880)) AS n FROM metric_series)`, midnight-12*3_600_000, day*2880); err != nil {
			b.Fatal(err)
		}
	}
	start, end := time.UnixMilli(midnight-12*3_600_000), time.UnixMilli(midnight+12*3_600_000)
	for b.Loop() {
		ans, err := e.Range(context.Background(), "sum by (job) (rate(requests_total[5m]))", start, end, time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		if s := ans.Value.String(); len(s) < 1000 {
			b.Fatal(s)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(n*5760), "ns/sample")
}

// BenchmarkQuantileOfOTLP asks for a quantile over 24 h of 200 explicit histograms of 16 buckets, one every 15 s, in
// steps of a minute: pushed down, and by the engine alone.
func BenchmarkQuantileOfOTLP(b *testing.B) {
	e, conn := open(b, Options{})
	const n = 200
	exec(b, conn, `INSERT INTO resources (fingerprint, service, instance, attributes, first_seen, last_seen) SELECT number + 1, 'shop', 'pod-' || toString(number), map('service.name', 'shop', 'service.instance.id', 'pod-' || toString(number)), `+
		milli(midnight-12*3_600_000)+", "+milli(midnight+12*3_600_000)+" FROM numbers(200)",
		`INSERT INTO metric_series (fingerprint, name, type, temporality, monotonic, unit, service, resource, scope, attributes, first_seen, last_seen)
SELECT sipHash64(number), 'http.duration', 'histogram', 'cumulative', 0, 's', 'shop', number + 1, 'lib', map('route', '/'), `+milli(midnight-12*3_600_000)+", "+milli(midnight+12*3_600_000)+" FROM numbers(200)")
	for day := range 2 {
		if err := conn.Exec(context.Background(), `INSERT INTO metric_distributions (name, series, ts, start_ts, count, sum, bounds, counts)
SELECT 'http.duration', fp, fromUnixTimestamp64Milli(toInt64($1 + 1 + n * 15000 + fp % 15000)), fromUnixTimestamp64Milli(toInt64($1)), arraySum(c), n, arrayMap(i -> i / 10, range(15)), arrayMap(i -> n * i + (n + fp + i) % 3, range(16)) AS c
FROM (SELECT fingerprint AS fp, arrayJoin(range($2, $2 + 2880)) AS n FROM metric_series)`, midnight-12*3_600_000, day*2880); err != nil {
			b.Fatal(err)
		}
	}
	start, end := time.UnixMilli(midnight-12*3_600_000), time.UnixMilli(midnight+12*3_600_000)
	for how, from := range map[string]int64{"pushed": 0, "engine": math.MaxInt64} {
		b.Run(how, func(b *testing.B) {
			e.pushFrom = from
			for b.Loop() {
				ans, err := e.Range(context.Background(), "histogram_quantile(0.99, sum by (le) (rate(http_duration_seconds_bucket[5m])))", start, end, time.Minute)
				if err != nil {
					b.Fatal(err)
				}
				if s := ans.Value.String(); len(s) < 1000 {
					b.Fatal(s)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(n*5760*16), "ns/sample")
		})
	}
}
