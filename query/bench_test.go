package query

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// benchSpans is how many spans BenchmarkQuestions asks about; the published numbers use TIDEMARK_BENCH_SPANS=20000000.
func benchSpans() int {
	if n, err := strconv.Atoi(os.Getenv("TIDEMARK_BENCH_SPANS")); err == nil {
		return n
	}
	return 200_000
}

// bulk fills a database with n spans of traces of ten, 200 s long, from 20 services with 20 operations each; services
// is how many further services appear in the rollups only.
func bulk(b *testing.B, conn driver.Conn, n, services int) {
	b.Helper()
	start := noon.Add(-200 * time.Second).UnixNano()
	per := int64(200*time.Second) / int64(n)
	for at := 0; at < n; at += 1_000_000 {
		exec(b, conn, fmt.Sprintf(`
INSERT INTO spans (ts, duration_ns, trace_id, span_id, parent_span_id, service, name, kind, status, resource, attr.key, attr.value, attr.type)
SELECT fromUnixTimestamp64Nano(toInt64(%d + number * %d)), toUInt64(exp(11 + 2.5 * randCanonical(number) * 4)), toFixedString(unhex(hex(sipHash128(intDiv(number, 10)))), 16),
       toFixedString(reinterpretAsString(sipHash64(number)), 8), if(number %% 10 = 0, toFixedString('', 8), toFixedString(reinterpretAsString(sipHash64(number - 1)), 8)),
       concat('service-', toString(number %% 20)), concat('GET /operation/', toString(cityHash64(number) %% 20)), if(number %% 3 = 0, 'server', 'client'), if(cityHash64(number, 1) %% 100 = 0, 'error', 'unset'), number %% 20,
       ['http.request.method', 'http.route', 'http.response.status_code', 'url.full', 'user.id', 'server.address', 'server.port', 'network.peer.address', 'region', 'rare'],
       ['GET', concat('/operation/', toString(number %% 20)), toString([200, 201, 404, 500][cityHash64(number, 2) %% 4 + 1]), concat('http://shop.example/operation/', toString(cityHash64(number))), concat('u', toString(cityHash64(number, 3) %% 100000)),
        concat('10.0.0.', toString(number %% 200)), '443', concat('10.1.0.', toString(number %% 250)), ['eu', 'us', 'ap'][number %% 3 + 1], if(number %% 1000003 = 77, 'needle', 'hay')],
       [0, 0, 2, 0, 0, 0, 2, 0, 0, 0] FROM numbers(%d, %d)`, start, per, at, min(1_000_000, n-at)))
	}
	exec(b, conn, `
INSERT INTO trace_index (trace_id, day, start, end, root_service, root_name, spans, errors)
SELECT trace_id, toDate(min(ts)), min(ts), max(ts + toIntervalNanosecond(duration_ns)), 'service-0', 'GET', count(), countIf(status = 'error') FROM spans GROUP BY trace_id`, `
INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls, errors, duration_sum, duration_max, duration_hist)
SELECT level, toStartOfInterval(toDateTime(ts), INTERVAL 10 SECOND) AS t, service, if(level = 'service', '', name), if(level = 'service', 'unspecified', toString(kind)), 'prod', '1.0', if(level = 'service', concat('pod-', toString(sipHash64(trace_id) % 3)), '') AS i,
       count(), countIf(status = 'error'), sum(duration_ns), max(duration_ns), sumMap(map(toInt16(ceil(32 * log2(duration_ns))), toUInt64(1)))
FROM spans ARRAY JOIN ['service', 'operation'] AS level GROUP BY level, t, service, 4, 5, i`, fmt.Sprintf(`
INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls, errors, duration_sum, duration_max, duration_hist)
SELECT level, t, concat('wide-', toString(s)), if(level = 'service', '', concat('op-', toString(o))), if(level = 'service', 'unspecified', 'server'), 'prod', '1.0', '', 100, 1, 100000000, 5000000,
       mapFromArrays(arrayMap(x -> toInt16(600 + x), range(30)), arrayMap(x -> toUInt64(3), range(30)))
FROM (SELECT intDiv(number, 21 * 90) AS s, intDiv(number, 90) %% 21 AS o, if(o = 20, 'service', 'operation') AS level, toDateTime('%[2]s', 'UTC') + number %% 90 * 10 AS t FROM numbers(%[1]d * 21 * 90))`, services, noon.Add(-15*time.Minute).Format("2006-01-02 15:04:05")), `
INSERT INTO attribute_values (signal, key, value, last_seen) SELECT 'traces', arrayJoin(['http.request.method', 'rare', 'region', 'user.id']), '', now()`,
		"OPTIMIZE TABLE red_10s")
}

// BenchmarkQuestions reports the median time of each listed question; the numbers in docs/benchmarks.md are its.
func BenchmarkQuestions(b *testing.B) {
	db, conn := open(b)
	db.o.Now = time.Now
	n := benchSpans()
	began := time.Now()
	bulk(b, conn, n, 500)
	b.Logf("%d spans in %v", n, time.Since(began).Round(time.Second))
	db.o.Now = func() time.Time { return noon }
	w := last(15 * time.Minute)
	var id string
	if err := conn.QueryRow(b.Context(), "SELECT hex(trace_id) FROM trace_index LIMIT 1 OFFSET 1000").Scan(&id); err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	search := func(q, sort string) func() error {
		return func() error { _, err := db.Traces(ctx, w, q, sort, "", 20); return err }
	}
	for _, q := range []struct {
		name string
		ask  func() error
	}{
		{"trace by id", func() error { _, err := db.Trace(ctx, id); return err }},
		{"newest 20 of a service", search("service:service-7", "newest")},
		{"newest 20 by a rare value", search("rare:needle", "newest")},
		{"newest 20 by a common value", search("http.request.method:GET", "newest")},
		{"newest 20 by one user", search("user.id:u777", "newest")},
		{"newest 20 errors over 1 s", search("status:error duration>1s", "newest")},
		{"slowest 20 of a service", search("service:service-7", "slowest")},
		{"RED of all services", func() error { _, err := db.Red(ctx, w, Selection{}, "service", 10*time.Second); return err }},
		{"RED of a service's operations", func() error {
			_, err := db.Red(ctx, w, Selection{Service: "service-7"}, "operation", 10*time.Second)
			return err
		}},
		{"services page", func() error { _, err := db.Services(ctx, w, ""); return err }},
		{"operations of a service", func() error { _, err := db.Operations(ctx, w, "service-7", "", false); return err }},
		{"heatmap of a service", func() error { _, err := db.Heatmap(ctx, w, Selection{Service: "service-7"}); return err }},
		{"heatmap of a search", func() error { _, err := db.TracesHeatmap(ctx, w, "service:service-7"); return err }},
		{"facets of a search", func() error { _, err := db.TracesFacets(ctx, w, "service:service-7"); return err }},
		{"compare", func() error { _, err := db.Compare(ctx, w, w, "service:service-7", 1e9, 1<<62); return err }},
		{"errors of a service", func() error { _, err := db.Errors(ctx, w, "service-7", ""); return err }},
	} {
		b.Run(q.name, func(b *testing.B) {
			if err := q.ask(); err != nil { // warm
				b.Fatal(err)
			}
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if err := q.ask(); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/median")
		})
	}
}
