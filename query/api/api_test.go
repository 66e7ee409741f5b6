package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// serve starts the surface on a fresh store with a little of everything in it.
// oneTarget is a configured target, which cannot be changed.
var oneTarget = ProfileTargets{
	List: func() TargetsAnswer {
		return TargetsAnswer{Types: []string{"cpu"}, Targets: []ProfileTarget{{ID: "t", Source: "configuration", Types: []string{"cpu"}, Labels: map[string]string{"a": "b"}}}}
	},
	Add: func(_ context.Context, w ProfileTargetWish) (ProfileTarget, error) {
		if w.Auth.Kind == "digest" {
			return ProfileTarget{}, &query.InputError{Field: "auth.kind", Reason: "is none of ours"}
		}
		return ProfileTarget{ID: "new", Service: w.Service, Types: w.Types, Labels: w.Labels, Auth: TargetAuth{Kind: w.Auth.Kind, HasSecret: w.Auth.Password != ""}}, nil
	},
	Change: func(context.Context, string, ProfileTargetWish) (ProfileTarget, error) {
		return ProfileTarget{}, ErrFixedTarget
	},
	Remove: func(context.Context, string) error { return ErrFixedTarget },
}

func TestProfileTargets(t *testing.T) {
	s, _ := serve(t, nil)
	at := s.URL + "/api/v1/profiles/targets"
	res, b := fetch(t, "POST", at, `{"service":"shop","url":"http://x","types":["cpu"],"auth":{"kind":"basic","username":"me","password":"s3cret"}}`)
	if res.StatusCode != 200 || strings.Contains(string(b), "s3cret") || !strings.Contains(string(b), `"has_secret":true`) {
		t.Errorf("added: %d %s", res.StatusCode, b)
	}
	if res, b := fetch(t, "POST", at, `{"service":"shop","auth":{"kind":"digest"}}`); res.StatusCode != 400 || !strings.Contains(string(b), `"field":"auth.kind"`) {
		t.Errorf("a field that is wrong: %d %s", res.StatusCode, b)
	}
	for method, body := range map[string]string{"PUT": `{"service":"shop"}`, "DELETE": ""} {
		if res, b := fetch(t, method, at+"/t", body); res.StatusCode != 409 || !strings.Contains(string(b), "configuration") {
			t.Errorf("%s of a configured target: %d %s", method, res.StatusCode, b)
		}
	}
}

func serve(t testing.TB, change func(*Options)) (*httptest.Server, driver.Conn) {
	t.Helper()
	conn, _ := storetest.DB(t)
	fill(t, conn)
	registry := prometheus.NewRegistry()
	o := Options{
		DB:        query.New(conn, query.Options{Registerer: registry}),
		Status:    func() Status { return Status{Version: "test", OTLPGRPC: "127.0.0.1:4317", Role: "all"} },
		Retention: func(ctx context.Context) (map[string]int, error) { return store.Retention(ctx, conn) },
		SetRetention: func(ctx context.Context, change map[string]int) (map[string]int, error) {
			return store.SetRetention(ctx, conn, "", change)
		},
		Usage:  func(ctx context.Context) ([]store.TableUsage, error) { return store.Usage(ctx, conn) },
		Disk:   func(ctx context.Context) (uint64, uint64, error) { return store.Disk(ctx, conn) },
		Ingest: func() any { return map[string]int{"now_ms": 1} },

		IngestHistory:     func() any { return map[string]int{"start_ms": 1} },
		IngestCardinality: func() any { return map[string]int{"operations": 1} },
		Web:               http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page "+r.URL.Path) }),
		Metrics:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "metrics") }),
		Registerer:        registry,
		ProfileTargets:    &oneTarget,
	}
	if change != nil {
		change(&o)
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	return s, conn
}

func fill(t testing.TB, conn driver.Conn) {
	t.Helper()
	for _, sql := range []string{
		`INSERT INTO resources (fingerprint, service, env, version, instance, attributes, first_seen, last_seen) VALUES (1, 'a/b', 'prod', '1', 'i', map('cloud.region', 'eu'), now(), now())`,
		`INSERT INTO spans (ts, duration_ns, trace_id, span_id, service, name, kind, status, resource, attr.key, attr.value, attr.type, event.ts, event.name, event.attributes)
		 SELECT now64(9) - 60 - number, 1000000 * (number + 1), toFixedString(unhex('0123456789abcdef0123456789abcdef'), 16), toFixedString(reinterpretAsString(number + 1), 8), 'a/b', 'GET /', 'server', if(number = 0, 'error', 'ok'), 1,
		 ['k'], ['v'], [0], [now64(9)], ['exception'], ['{"exception.type":"X"}'] FROM numbers(20)`,
		`INSERT INTO trace_index (trace_id, day, start, end, root_service, root_name, spans, errors) SELECT trace_id, toDate(min(ts)), min(ts), max(ts) + 1, 'a/b', 'GET /', count(), 1 FROM spans GROUP BY trace_id`,
		`INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls, errors, duration_sum, duration_max, duration_hist)
		 SELECT arrayJoin(['service', 'operation']) AS level, toStartOfInterval(now() - 60, INTERVAL 10 SECOND), 'a/b', if(level = 'service', '', 'GET /'), if(level = 'service', 'unspecified', 'server'), 'prod', '1', if(level = 'service', 'i', ''), 20, 1, 1000, 1000, map(640, 20)`,
		`INSERT INTO edges (ts, env, client, target, target_kind, target_system, calls, errors, duration_sum, duration_hist, computed) VALUES (toStartOfMinute(now() - 60), 'prod', 'a/b', 'db', 'database', 'redis', 5, 0, 100, map(100, 5), now())`,
		`INSERT INTO logs (ts, observed_ts, service, severity, body, resource, attr.key, attr.value, attr.type) SELECT now64(9) - number, now64(9), 'a/b', 9, 'hello world', 1, ['k'], ['v'], [0] FROM numbers(50)`,
		`INSERT INTO attribute_values (signal, key, value, last_seen) VALUES ('traces', 'k', 'v', now())`,
		`INSERT INTO metric_series (name, fingerprint, type, temporality, unit, service, resource, attributes, first_seen, last_seen) VALUES ('m', 1, 'gauge', '', 'By', 'a/b', 1, map('l', 'x'), now(), now())`,
		`INSERT INTO metric_samples (name, series, ts, start_ts, value, flags) SELECT 'm', 1, now64(3) - number * 10, 0, number, 0 FROM numbers(20)`,
		`INSERT INTO profile_locations (service, hash, line.function, line.system_name, line.file, line.start, line.line, line.column, last_seen) VALUES ('a/b', 7, ['main.work'], ['main.work'], ['main.go'], [1], [2], [0], now())`,
		`INSERT INTO profile_stacks (service, hash, locations, last_seen) VALUES ('a/b', 9, [7], now())`,
		`INSERT INTO profiles (ts, duration_ns, service, type, sample_types, resource, samples) SELECT now64(9) - 60 - 1200 * number, 60000000000, 'a/b', 'cpu', 'cpu/nanoseconds', 1, 1 FROM numbers(2)`,
		`INSERT INTO profile_values (ts, service, type, sample_types, resource, stacks, values1) SELECT toDateTime(ts), service, type, sample_types, resource, [9], [5000] FROM profiles`,
	} {
		if err := conn.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%v\n%s", err, sql)
		}
	}
}

func fetch(t testing.TB, method, url, body string, head ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(head); i += 2 {
		req.Header.Set(head[i], head[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, b
}

// Every route is in the document and answers with what the document says: the same members, of the same types.
func TestAnswersKeepTheDocument(t *testing.T) {
	s, _ := serve(t, nil)
	_, b := fetch(t, "GET", s.URL+"/api/v1/openapi.json", "")
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(b)
	if err != nil {
		t.Fatalf("%v\n%.2000s", err, b)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatalf("the document is not valid: %v", err)
	}
	more := map[string]string{
		"/api/v1/traces/compare": "&min_ns=5000000", "/api/v1/spans/usual": "&service=a/b&name=GET+/&kind=server&duration_ns=5",
		"/api/v1/fields": "&signal=traces", "/api/v1/fields/values": "&signal=traces&key=k", "/api/v1/metrics/chart": "&name=m&by=l&agg=avg", "/api/v1/red": "&by=service",
		"/api/v1/profiles/labels": "&service=a/b", "/api/v1/profiles/flamegraph": "&service=a/b", "/api/v1/profiles/compare": "&service=a/b", "/api/v1/profiles/series": "&service=a/b", "/api/v1/profiles/pprof": "&service=a/b", "/api/v1/profiles/graph": "&service=a/b", "/api/v1/profiles/operations": "&service=a/b&function=main.work",
		"/api/v1/profiles/span": "&trace_id=0123456789abcdef0123456789abcdef&span_id=0100000000000000",
	}
	asked := 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if method != "GET" {
				continue
			}
			at := strings.NewReplacer("{service}", url.PathEscape("a/b"), "{trace_id}", "0123456789abcdef0123456789abcdef").Replace(path)
			res, b := fetch(t, "GET", s.URL+at+"?from=now-15m"+more[path], "")
			if res.StatusCode != 200 {
				t.Errorf("GET %s: %d %s", at, res.StatusCode, b)
				continue
			}
			asked++
			if op.Responses.Value("200").Value.Content.Get("application/json") == nil {
				continue // a file
			}
			var v any
			if err := json.Unmarshal(b, &v); err != nil {
				t.Errorf("GET %s: %v", at, err)
				continue
			}
			if path == "/api/v1/ingest" {
				continue // its type belongs to the process
			}
			schema := op.Responses.Value("200").Value.Content.Get("application/json").Schema.Value
			if err := schema.VisitJSON(v, openapi3.MultiErrors()); err != nil {
				t.Errorf("GET %s is not what the document says: %v", at, err)
			}
			for _, extra := range undocumented(v, schema, "") {
				t.Errorf("GET %s has %s, which the document does not name", at, extra)
			}
			for _, null := range nullLists(v, schema, "") {
				t.Errorf("GET %s: the list %s is null", at, null)
			}
		}
	}
	if asked < 24 {
		t.Errorf("only %d questions are in the document", asked)
	}
}

// undocumented lists members of an answer that its schema does not name.
func undocumented(v any, s *openapi3.Schema, at string) (out []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if p := s.Properties[k]; p != nil {
				out = append(out, undocumented(e, p.Value, at+"."+k)...)
			} else if s.AdditionalProperties.Schema == nil && len(s.Properties) > 0 {
				out = append(out, at+"."+k)
			}
		}
	case []any:
		for _, e := range v {
			if s.Items != nil {
				out = append(out, undocumented(e, s.Items.Value, at+"[]")...)
			}
		}
	}
	return out
}

// nullLists lists arrays that are null: lists are never null.
func nullLists(v any, s *openapi3.Schema, at string) (out []string) {
	switch v := v.(type) {
	case nil:
		if s.Type.Is("array") {
			out = append(out, at)
		}
	case map[string]any:
		for k, e := range v {
			if p := s.Properties[k]; p != nil {
				out = append(out, nullLists(e, p.Value, at+"."+k)...)
			}
		}
	case []any:
		for _, e := range v {
			if s.Items != nil {
				out = append(out, nullLists(e, s.Items.Value, at+"[]")...)
			}
		}
	}
	return out
}

func TestProblems(t *testing.T) {
	s, _ := serve(t, func(o *Options) { o.Ingest = nil })
	for _, c := range []struct {
		method, path string
		status       int
		field        string
	}{
		{"GET", "/services?from=yesterday", 400, "from"},
		{"GET", "/services?from=now&to=now-1h", 400, "from"},
		{"GET", "/services/nobody", 404, ""},
		{"GET", "/red?by=colour", 400, "by"},
		{"GET", "/red?step=7s", 400, "step"},
		{"GET", "/red?kind=sideways", 400, "kind"},
		{"GET", "/map?depth=99", 400, "depth"},
		{"GET", "/traces?q=" + url.QueryEscape("(a"), 400, "q"},
		{"GET", "/traces?limit=0", 400, "limit"},
		{"GET", "/traces?cursor=!", 400, "cursor"},
		{"GET", "/traces/xyz", 400, "trace_id"},
		{"GET", "/traces/" + strings.Repeat("ab", 16), 404, ""},
		{"GET", "/logs?order=up", 400, "order"},
		{"GET", "/metrics/chart?name=absent", 404, ""},
		{"GET", "/fields?signal=x", 400, "signal"},
		{"GET", "/ingest", 404, ""},
		{"GET", "/nothing", 404, ""},
		{"DELETE", "/services", 405, ""},
	} {
		res, b := fetch(t, c.method, s.URL+"/api/v1"+c.path, "")
		var p Problem
		err := json.Unmarshal(b, &p)
		if err != nil || res.StatusCode != c.status || p.Status != c.status || p.Field != c.field || p.Title == "" || p.RequestID == "" ||
			res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("X-Request-Id") != p.RequestID {
			t.Errorf("%s %s: %d %s, want %d on %q", c.method, c.path, res.StatusCode, b, c.status, c.field)
		}
	}
}

func TestRetention(t *testing.T) {
	s, _ := serve(t, nil)
	res, b := fetch(t, "PUT", s.URL+"/api/v1/settings/retention", `{"signals":[{"signal":"logs","days":7}]}`)
	if res.StatusCode != 200 || !strings.Contains(string(b), `"signal":"logs","days":7`) {
		t.Errorf("%d %s", res.StatusCode, b)
	}
	for body, head := range map[string]string{`{"signals":[{"signal":"logs","days":0}]}`: "", `{"signals":[]}`: "", "x": ""} {
		if res, b := fetch(t, "PUT", s.URL+"/api/v1/settings/retention", body); res.StatusCode != 400 {
			t.Errorf("%s%s: %d %s", body, head, res.StatusCode, b)
		}
	}
	res, b = fetch(t, "PUT", s.URL+"/api/v1/settings/retention", `{"signals":[{"signal":"logs","days":9}]}`, "Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site")
	if res.StatusCode != 403 {
		t.Errorf("from another origin: %d %s", res.StatusCode, b)
	}
}

func TestCompressionAndCSV(t *testing.T) {
	s, _ := serve(t, nil)
	plain, want := fetch(t, "GET", s.URL+"/api/v1/logs?limit=50", "")
	if plain.Header.Get("Content-Encoding") != "" {
		t.Error("compressed without being asked")
	}
	res, b := fetch(t, "GET", s.URL+"/api/v1/logs?limit=50", "", "Accept-Encoding", "br, gzip")
	if res.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("not compressed: %v", res.Header)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil || len(got) < len(want)*9/10 || !json.Valid(got) {
		t.Errorf("%d bytes for %d: %v", len(got), len(want), err)
	}
	for _, ask := range [][]string{{"?format=csv"}, {"", "Accept", "text/csv"}} {
		res, b := fetch(t, "GET", s.URL+"/api/v1/services"+ask[0], "", ask[1:]...)
		if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/csv") || !strings.HasPrefix(string(b), "service,calls,") || !strings.Contains(string(b), "\na/b,20,") {
			t.Errorf("%v: %v %s", ask, res.Header, b)
		}
	}
}

func TestOtherPaths(t *testing.T) {
	s, _ := serve(t, func(o *Options) { o.Ready = func(context.Context) error { return errors.New("engine starting") } })
	for path, want := range map[string]string{
		"/": "200 page /", "/services/x": "200 page /services/x", "/metrics": "200 metrics", "/healthz": "200 ok\n", "/readyz": "503 not ready: engine starting\n",
	} {
		res, b := fetch(t, "GET", s.URL+path, "")
		if got := fmt.Sprintf("%d %s", res.StatusCode, b); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// A process without the query role says so instead of failing, and still tells its own state.
func TestWithoutTheQueryRole(t *testing.T) {
	s, _ := serve(t, func(o *Options) { o.DB = nil })
	for path, want := range map[string]int{"/services": 404, "/traces": 404, "/status": 200, "/ingest": 200, "/storage": 200, "/openapi.json": 200} {
		if res, b := fetch(t, "GET", s.URL+"/api/v1"+path, ""); res.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", path, res.StatusCode, b, want)
		}
	}
}

// go tool pprof reads a merged profile from its address.
func TestGoToolPprofReadsTheAddress(t *testing.T) {
	s, _ := serve(t, nil)
	cmd := exec.Command("go", "tool", "pprof", "-top", "-unit=ns", s.URL+"/api/v1/profiles/pprof?service=a/b&type=cpu&from=now-1h")
	cmd.Env = append(os.Environ(), "PPROF_TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "main.work") || !strings.Contains(string(out), "Type: cpu") {
		t.Errorf("%v:\n%s", err, out)
	}
}
