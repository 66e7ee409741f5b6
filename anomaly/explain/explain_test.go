package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// midday is the moment at which the stored trouble begins.
var midday = time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour)

// seed stores three hours around midday of a gateway that calls payment, one request a second. From midday on, version
// 2.0 of payment runs on pod-b instead of 1.0 on pod-a; requests of tenant acme then take 500 ms instead of 10 and fail.
func seed(t testing.TB) (*query.DB, driver.Conn) {
	t.Helper()
	conn, _ := storetest.DB(t)
	at := "toDateTime64('" + midday.Add(-2*time.Hour).Format("2006-01-02 15:04:05") + "', 9, 'UTC') + toIntervalSecond(number)"
	id := func(more int) string {
		return fmt.Sprintf("toFixedString(reinterpretAsString(toUInt64(number + %d)), 8)", more)
	}
	bad := "(number >= 7200 AND number % 4 = 0)"
	for _, s := range []string{`
INSERT INTO resources (fingerprint, service, env, version, instance, attributes, first_seen, last_seen) VALUES
 (1, 'gateway', 'prod', '5.0', 'pod-g', {'service.name': 'gateway', 'k8s.pod.name': 'pod-g'}, now(), now()),
 (2, 'payment', 'prod', '1.0', 'pod-a', {'service.name': 'payment', 'k8s.pod.name': 'pod-a'}, now(), now()),
 (3, 'payment', 'prod', '2.0', 'pod-b', {'service.name': 'payment', 'k8s.pod.name': 'pod-b'}, now(), now())`, `
INSERT INTO spans (ts, duration_ns, trace_id, span_id, parent_span_id, service, name, kind, status, resource, attr.key, attr.value, attr.type)
SELECT ` + at + `, if(` + bad + `, 503000000, 13000000), toFixedString(reinterpretAsString(toUInt64(number + 1)), 16), ` + id(1) + `, '', 'gateway', 'POST /pay', 'server', if(` + bad + `, 'error', 'unset'), 1,
       ['http.route'], ['/pay'], [0] FROM numbers(10800)`, `
INSERT INTO spans (ts, duration_ns, trace_id, span_id, parent_span_id, service, name, kind, status, resource, attr.key, attr.value, attr.type)
SELECT ` + at + ` + INTERVAL 2 MILLISECOND, if(` + bad + `, 500000000, 10000000), toFixedString(reinterpretAsString(toUInt64(number + 1)), 16), ` + id(1000001) + `, ` + id(1) + `, 'payment', 'Charge', 'server', if(` + bad + `, 'error', 'unset'), if(number >= 7200, 3, 2),
       ['app.tenant'], [if(number % 4 = 0, 'acme', concat('t', toString(number % 7)))], [0] FROM numbers(10800)`, `
INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls, errors, duration_sum, duration_max, duration_hist)
SELECT 'service', toStartOfInterval(toDateTime(s.ts), INTERVAL 10 SECOND) AS t, s.service, '', 'unspecified', 'prod', r.version, r.instance,
       count(), countIf(status = 'error'), sum(duration_ns), max(duration_ns), sumMap(map(toInt16(ceil(32 * log2(duration_ns))), toUInt64(1)))
FROM spans AS s JOIN resources AS r ON s.resource = r.fingerprint GROUP BY t, s.service, r.version, r.instance`, `
INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls, errors, duration_sum, duration_max, duration_hist)
SELECT 'operation', toStartOfInterval(toDateTime(s.ts), INTERVAL 10 SECOND) AS t, s.service, s.name, s.kind, 'prod', r.version, '',
       count(), countIf(status = 'error'), sum(duration_ns), max(duration_ns), sumMap(map(toInt16(ceil(32 * log2(duration_ns))), toUInt64(1)))
FROM spans AS s JOIN resources AS r ON s.resource = r.fingerprint GROUP BY t, s.service, s.name, s.kind, r.version`, `
INSERT INTO edges (ts, env, client, target, target_kind, target_system, calls, errors, duration_sum, duration_hist, computed)
SELECT toStartOfMinute(ts) AS m, 'prod', 'gateway', 'payment', 'service', '', count(), 0, sum(duration_ns), map(), now() FROM spans WHERE service = 'payment' GROUP BY m`, `
INSERT INTO trace_index (trace_id, day, start, end, root_service, root_name, spans, errors)
SELECT trace_id, toDate(min(ts)), min(ts), max(ts + toIntervalNanosecond(duration_ns)), 'gateway', 'POST /pay', count(), countIf(status = 'error') FROM spans GROUP BY trace_id`, `
INSERT INTO logs (ts, observed_ts, service, severity, severity_text, body, trace_id, span_id, resource)
SELECT ` + at + `, ` + at + `, 'payment', if(` + bad + `, 17, 9), if(` + bad + `, 'ERROR', 'INFO'), if(` + bad + `, 'card network timed out', 'charged'), toFixedString(reinterpretAsString(toUInt64(number + 1)), 16), ` + id(1000001) + `, 3 FROM numbers(10800)`,
	} {
		if err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
	}
	return query.New(conn, query.Options{Now: func() time.Time { return midday.Add(20 * time.Minute) }}), conn
}

func seededAlarms() []anomaly.Alarm {
	at := func(service, operation string, s anomaly.Symptom, unit string, observed, expected float64) anomaly.Alarm {
		return anomaly.Alarm{ID: service + operation + string(s), Subject: anomaly.Subject{Env: "prod", Service: service, Operation: operation, SpanKind: "server"}, Symptom: s, Unit: unit,
			Observed: observed, Expected: expected, Score: 25, Began: midday, Detected: midday.Add(20 * time.Second), Paging: service == "gateway"}
	}
	return []anomaly.Alarm{
		at("gateway", "", anomaly.SymptomErrors, "1", 0.25, 0), at("gateway", "POST /pay", anomaly.SymptomLatency, "ns", 503e6, 13e6),
		at("payment", "Charge", anomaly.SymptomErrors, "1", 0.25, 0), at("payment", "Charge", anomaly.SymptomLatency, "ns", 500e6, 10e6),
	}
}

// TestExplain takes a whole incident from alarms to causes over stored traces.
func TestExplain(t *testing.T) {
	db, _ := seed(t)
	e := New(Options{DB: db})
	at := midday.Add(8 * time.Minute)
	g, err := e.Graph(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	groups := Group(nil, seededAlarms(), g).Changed
	if len(groups) != 1 {
		t.Fatalf("%d incidents, want 1", len(groups))
	}
	inc, err := e.Explain(t.Context(), groups[0], g, at)
	if err != nil {
		t.Fatal(err)
	}
	first := inc.RootCauses[0]
	if first.Service != "payment" || first.Operation != "Charge" || first.Kind != anomaly.SymptomErrors || first.Confidence < 0.7 || first.Rank != 1 {
		t.Errorf("first cause %+v", first)
	}
	if first.Attribute == nil || *first.Attribute != (anomaly.Attribute{Key: "app.tenant", Value: "acme"}) {
		t.Errorf("attribute %v, want app.tenant=acme", first.Attribute)
	}
	if first.Version == nil || *first.Version != "2.0" {
		t.Errorf("version %v, want 2.0", first.Version)
	}
	types := map[string]string{}
	for _, v := range first.Evidence {
		types[v.Type] = v.Link
	}
	for typ, part := range map[string]string{"trace": "/traces/", "series": "/services/payment?", "attribute": "app.tenant%3Aacme", "deployment": "tab=versions"} {
		if !strings.Contains(types[typ], part) {
			t.Errorf("evidence of type %s links to %q, want %q in it", typ, types[typ], part)
		}
	}
	if !slices.Equal(inc.Services, []string{"payment", "gateway"}) || inc.Severity != anomaly.SeverityCritical {
		t.Errorf("services %v, severity %s", inc.Services, inc.Severity)
	}
	if inc.Affected < 0.22 || inc.Affected > 0.28 || inc.Requests < 105 || inc.Requests > 135 {
		t.Errorf("affected %.2f and %d requests, want about a quarter of 480", inc.Affected, inc.Requests)
	}
	for _, part := range []string{"payment: Charge fails for 25 % of requests, usually 0 %", "since version 2.0"} {
		if !strings.Contains(inc.Title, part) {
			t.Errorf("title %q, want %q in it", inc.Title, part)
		}
	}
	for _, part := range []string{"Since 12:00 UTC ", "requests of gateway suffer", "begin in payment Charge", "100 % of failing requests have app.tenant=acme", "Version 2.0 of payment was deployed as it began"} {
		if !strings.Contains(inc.Summary, part) {
			t.Errorf("summary %q, want %q in it", inc.Summary, part)
		}
	}
	t.Logf("%s | %s", inc.Title, inc.Summary)
}

// TestExplainSeesNoFuture: what is stored after the moment asked about changes nothing.
func TestExplainSeesNoFuture(t *testing.T) {
	db, conn := seed(t)
	at := midday.Add(4 * time.Minute)
	explain := func() string {
		e := New(Options{DB: db})
		g, err := e.Graph(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		inc, err := e.Explain(t.Context(), Group(nil, seededAlarms(), g).Changed[0], g, at)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(inc)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	all := explain()
	later := at.Add(time.Minute).Format("2006-01-02 15:04:05")
	for _, table := range []string{"spans", "red_10s", "red_1m", "edges"} {
		if err := conn.Exec(query.Batch(context.Background()), "DELETE FROM "+table+" WHERE ts >= toDateTime('"+later+"', 'UTC')"); err != nil {
			t.Fatal(err)
		}
	}
	if then := explain(); then != all {
		t.Errorf("with what came later:\n%s\nwithout:\n%s", all, then)
	}
}

// TestGraphOfOldHistory: who calls whom is taken from the nearest time that is known.
func TestGraphOfOldHistory(t *testing.T) {
	db, _ := seed(t)
	e := New(Options{DB: db, Now: func() time.Time { return midday.Add(20 * time.Minute) }})
	for _, at := range []time.Time{midday.Add(-20 * time.Hour), midday.Add(-5 * 24 * time.Hour)} {
		g, err := e.Graph(t.Context(), at)
		if err != nil || g.distance("gateway", "payment") != 1 {
			t.Errorf("at %s, before all edges: distance %d, %v", at, g.distance("gateway", "payment"), err)
		}
	}
}

// TestExplainWithoutTraces: alarms about what no trace shows are explained by themselves.
func TestExplainWithoutTraces(t *testing.T) {
	db, _ := seed(t)
	e := New(Options{DB: db})
	a := alarm("printer", anomaly.SymptomSaturation, 0)
	a.Subject.Metric, a.Unit, a.Paging = "toner.level", "%", true
	inc, err := e.Explain(t.Context(), Group(nil, []anomaly.Alarm{a}, nil).Changed[0], nil, noon.Add(5*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if len(inc.RootCauses) == 0 || inc.RootCauses[0].Service != "printer" || inc.RootCauses[0].Kind != anomaly.SymptomSaturation {
		t.Errorf("causes %+v", inc.RootCauses)
	}
}

// TestContext: what lies around an incident.
func TestContext(t *testing.T) {
	db, conn := seed(t)
	e := New(Options{DB: db})
	inc := Group(nil, seededAlarms(), NewGraph([]query.CallEdge{{Client: "gateway", Target: "payment", TargetKind: "service"}})).Changed[0]
	inc.UpdatedAt = midday.Add(10 * time.Minute)
	n, err := NewNoticer(NoticerOptions{DB: db, Conn: conn, Every: time.Hour, Now: func() time.Time { return midday.Add(15 * time.Minute) }})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close(context.Background())
	if _, err := n.Post(t.Context(), query.Deployment{Service: "gateway", Env: "prod", Version: "5.1", TS: midday.Add(-30 * time.Minute), Text: "new banner"}); err != nil {
		t.Fatal(err)
	}
	got, err := e.Context(t.Context(), inc)
	if err != nil {
		t.Fatal(err)
	}
	var deployed []string
	for _, d := range got.Deployments {
		deployed = append(deployed, d.Service+" "+d.Previous+"→"+d.Version)
	}
	if want := []string{"payment 1.0→2.0", "gateway 5.0→5.1"}; !slices.Equal(deployed, want) {
		t.Errorf("deployments %v, want %v", deployed, want)
	}
	if len(got.Logs) != contextLogs || got.Logs[0].Body != "card network timed out" {
		t.Errorf("%d log records, first %+v", len(got.Logs), got.Logs[:min(1, len(got.Logs))])
	}
	if len(got.Traces.Failing) != contextTraces || got.Traces.Failing[0].Status != "error" || len(got.Traces.Slowest) != contextTraces || got.Traces.Slowest[0].DurationNS < 400e6 {
		t.Errorf("traces %+v", got.Traces)
	}
}

// TestNoticer: a history that is there at the start and one that comes later are both read, and nothing is stored twice.
func TestNoticer(t *testing.T) {
	db, conn := seed(t)
	for i := range 3 {
		n, err := NewNoticer(NoticerOptions{DB: db, Conn: conn, Every: time.Hour, Now: func() time.Time { return midday.Add(15 * time.Minute) }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Notice(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := n.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := db.Deployments(t.Context(), query.Window{From: midday.Add(-24 * time.Hour), To: midday.Add(time.Hour)}, nil, "")
		if err != nil || len(list) != 1 || list[0].Version != "2.0" || list[0].Previous != "1.0" || list[0].Source != "noticed" || list[0].TS.Sub(midday).Abs() > time.Minute {
			t.Fatalf("pass %d: %+v, %v", i, list, err)
		}
	}
}
