package query

import (
	"context"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/store/storetest"
)

// noon is the moment at which the tests ask.
var noon = time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour)

// open makes a database whose clock stands at noon.
func open(t testing.TB) (*DB, driver.Conn) {
	t.Helper()
	conn, _ := storetest.DB(t)
	return New(conn, Options{Now: func() time.Time { return noon }}), conn
}

func exec(t testing.TB, conn driver.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if err := conn.Exec(context.Background(), s); err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
	}
}

// last is the window of so much time before noon.
func last(d time.Duration) Window { return Window{noon.Add(-d), noon} }

// shop fills a database: for 10 minutes before noon, each second one trace of two spans. frontend (server, 10 ms and
// every tenth an error of 200 ms) calls payment (server, 5 ms), prod in two versions; one log record a trace.
func shop(t testing.TB, conn driver.Conn) {
	t.Helper()
	at := "toDateTime64('" + noon.Format("2006-01-02 15:04:05") + "', 9, 'UTC') - INTERVAL (number + 1) SECOND"
	exec(t, conn, `
INSERT INTO resources (fingerprint, service, env, version, instance, attributes, first_seen, last_seen)
SELECT number, if(number < 3, 'frontend', 'payment'), 'prod', if(number = 2, '1.1', '1.0'), concat('pod-', toString(number)),
       map('service.name', if(number < 3, 'frontend', 'payment'), 'telemetry.sdk.language', 'go', 'cloud.region', if(number = 2, 'us', 'eu')), now() - 86400, now()
FROM numbers(1, 3)`, `
INSERT INTO spans (ts, duration_ns, trace_id, span_id, parent_span_id, service, name, kind, status, status_message, resource, attr.key, attr.value, attr.type,
                   event.ts, event.name, event.attributes)
SELECT `+at+`, if(number % 10 = 0, 200000000, 10000000), toFixedString(reinterpretAsString(number + 1), 16), toFixedString(reinterpretAsString(number + 1), 8), '', 'frontend', 'GET /cart', 'server',
       if(number % 10 = 0, 'error', 'ok'), if(number % 10 = 0, 'boom', ''), if(number % 10 = 0, 2, 1),
       ['http.route', 'http.response.status_code', 'user.id', 'both'], ['/cart', if(number % 10 = 0, '500', '200'), concat('u', toString(number)), 'span'], [0, 2, 0, 0],
       if(number % 10 = 0, [`+at+`], []), if(number % 10 = 0, ['exception'], []),
       if(number % 10 = 0, [concat('{"exception.type":"TimeoutError","exception.message":"no answer from 10.0.0.', toString(number), ' after 200 ms"}')], [])
FROM numbers(600)`, `
INSERT INTO spans (ts, duration_ns, trace_id, span_id, parent_span_id, service, name, kind, status, resource, attr.key, attr.value, attr.type)
SELECT `+at+` + INTERVAL 1 MILLISECOND, 5000000, toFixedString(reinterpretAsString(number + 1), 16), toFixedString(reinterpretAsString(number + 100001), 8), toFixedString(reinterpretAsString(number + 1), 8),
       'payment', 'POST /charge', 'server', 'unset', 3, ['db.system.name', 'amount'], ['sqlite', toString(number)], [0, 2]
FROM numbers(600)`, `
INSERT INTO trace_index (trace_id, day, start, end, root_service, root_name, spans, errors)
SELECT trace_id, toDate(min(ts)), min(ts), max(ts + toIntervalNanosecond(duration_ns)), 'frontend', 'GET /cart', count(), countIf(status = 'error') FROM spans GROUP BY trace_id`, `
INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls, errors, duration_sum, duration_max, duration_hist)
SELECT 'service', toStartOfInterval(toDateTime(ts), INTERVAL 10 SECOND) AS t, service, '', 'unspecified', 'prod', if(resource = 2, '1.1', '1.0'), concat('pod-', toString(resource)),
       count(), countIf(status = 'error'), sum(duration_ns), max(duration_ns), sumMap(map(toInt16(ceil(32 * log2(duration_ns))), toUInt64(1)))
FROM spans GROUP BY t, service, resource`, `
INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls, errors, duration_sum, duration_max, duration_hist)
SELECT 'operation', toStartOfInterval(toDateTime(ts), INTERVAL 10 SECOND) AS t, service, name, kind, 'prod', if(resource = 2, '1.1', '1.0'), '',
       count(), countIf(status = 'error'), sum(duration_ns), max(duration_ns), sumMap(map(toInt16(ceil(32 * log2(duration_ns))), toUInt64(1)))
FROM spans GROUP BY t, service, name, kind, resource`, `
INSERT INTO edges (ts, env, client, target, target_kind, target_system, calls, errors, duration_sum, duration_hist, computed)
SELECT toStartOfMinute(ts) AS m, 'prod', 'frontend', 'payment', 'service', '', count(), 0, sum(duration_ns), sumMap(map(toInt16(716), toUInt64(1))), now()
FROM spans WHERE service = 'payment' GROUP BY m
UNION ALL SELECT toStartOfMinute(ts) AS m, 'prod', 'payment', 'orders', 'database', 'sqlite', count(), 0, sum(duration_ns), sumMap(map(toInt16(716), toUInt64(1))), now()
FROM spans WHERE service = 'payment' GROUP BY m`, `
INSERT INTO attribute_values (signal, key, value, last_seen)
SELECT 'traces', k, v, now() FROM spans ARRAY JOIN attr.key AS k, attr.value AS v WHERE k != 'user.id' GROUP BY k, v
UNION ALL SELECT 'traces', 'user.id', '', now()
UNION ALL SELECT 'resource', 'cloud.region', v, now() FROM values('v String', 'us', 'eu')
UNION ALL SELECT 'resource', 'both', 'resource', now()
UNION ALL SELECT 'logs', 'order', '7', now()`, `
INSERT INTO logs (ts, observed_ts, service, severity, severity_text, body, trace_id, span_id, resource, attr.key, attr.value, attr.type)
SELECT `+at+`, `+at+`, 'payment', if(number % 20 = 0, 17, 9), if(number % 20 = 0, 'ERROR', 'INFO'), if(number % 20 = 0, 'card declined: insufficient funds', concat('charged order ', toString(number))),
       toFixedString(reinterpretAsString(number + 1), 16), toFixedString(reinterpretAsString(number + 100001), 8), 3, ['order'], [toString(number)], [2]
FROM numbers(600)`)
}
