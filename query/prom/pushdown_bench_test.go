package prom

import (
	"context"
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
