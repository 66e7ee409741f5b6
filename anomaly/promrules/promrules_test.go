package promrules

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/prometheus/promql"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/prom"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// noon is when the tests begin to evaluate.
var noon = time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour)

type bench struct {
	*testing.T
	conn  driver.Conn
	prom  *prom.Engine
	rules *Engine
	dir   string
}

const rulesYAML = `
groups:
  - name: example
    interval: 1m
    query_offset: 0s
    rules:
      - record: job:load:sum
        expr: sum by (job) (load)
        labels: {kind: recorded}
      - alert: HighLoad
        expr: job:load:sum > 10
        for: 2m
        keep_firing_for: 1m
        labels: {severity: page, job: '{{ $labels.job }}'}
        annotations: {summary: 'load of {{ $labels.job }} is {{ $value | humanize }}', runbook: 'https://example.com'}
`

func open(t *testing.T, text string) *bench {
	t.Helper()
	conn, dsn := storetest.DB(t)
	engine, err := prom.New(query.New(conn, query.Options{}), prom.Options{DSN: dsn, Refresh: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	b := &bench{T: t, conn: conn, prom: engine, dir: t.TempDir()}
	b.file(text)
	b.restart()
	return b
}

func (b *bench) file(text string) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, "a.yml"), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

// restart makes the rules' engine anew, as a process does that starts.
func (b *bench) restart() {
	b.Helper()
	var err error
	if b.rules, err = New(context.Background(), Options{Prom: b.prom, Conn: b.conn, Files: []string{filepath.Join(b.dir, "*.yml")}, Reread: time.Nanosecond}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { b.rules.Close(context.Background()) })
}

// load stores a gauge's value, sent as a metric of a job, at a minute.
func (b *bench) load(minute int, v float64) {
	b.Helper()
	at := noon.Add(time.Duration(minute)*time.Minute - 30*time.Second).UnixMilli()
	for _, sql := range []string{
		fmt.Sprintf(`INSERT INTO metric_series (fingerprint, name, type, scope, attributes, first_seen, last_seen) VALUES (1, 'load', 'gauge', '%s', map('__name__', 'load', 'job', 'a', 'instance', 'x'), fromUnixTimestamp64Milli(toInt64(%d)), fromUnixTimestamp64Milli(toInt64(%d)))`, prom.ExactScope, at, at),
		fmt.Sprintf(`INSERT INTO metric_samples (name, series, ts, value, flags) VALUES ('load', 1, fromUnixTimestamp64Milli(toInt64(%d)), %v, 0)`, at, v),
	} {
		if err := b.conn.Exec(context.Background(), sql); err != nil {
			b.Fatal(err)
		}
	}
}

// minute evaluates every group once in a minute after noon and gives the alarms that then stand.
func (b *bench) minute(n int) []anomaly.Alarm {
	b.Helper()
	now := noon.Add(time.Duration(n)*time.Minute + 59*time.Second)
	if _, err := b.rules.Evaluate(context.Background(), now); err != nil {
		b.Fatal(err)
	}
	b.rules.Settle()
	alarms, err := b.rules.Evaluate(context.Background(), now)
	if err != nil {
		b.Fatal(err)
	}
	b.rules.Settle()
	return alarms
}

func (b *bench) ask(expr string, at time.Time) string {
	b.Helper()
	a, err := b.prom.Instant(context.Background(), expr, at)
	if err != nil {
		b.Fatal(err)
	}
	return a.Value.(promql.Vector).String()
}

func (b *bench) shown(path string) string {
	w := httptest.NewRecorder()
	b.prom.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/prometheus/api/v1"+path, nil))
	return w.Body.String()
}

func TestRecordingAndAlerting(t *testing.T) {
	b := open(t, rulesYAML)
	if s := b.shown("/rules?type=alert"); !strings.Contains(s, `"state":"unknown","name":"HighLoad","query":"job:load:sum \u003e 10","duration":120,"keepFiringFor":60`) {
		t.Error(s)
	}
	for n := range 6 {
		b.load(n, 20)
		alarms := b.minute(n)
		if n < 2 && len(alarms) != 0 || n >= 3 && len(alarms) != 1 {
			t.Fatalf("in minute %d: %v", n, alarms)
		}
		if n == 1 {
			if s := b.shown("/alerts"); !strings.Contains(s, `"state":"pending"`) {
				t.Error(s)
			}
		}
	}
	if got := b.ask(`job:load:sum`, noon.Add(6*time.Minute)); !strings.HasPrefix(got, `{__name__="job:load:sum", job="a", kind="recorded"} => 20 @`) {
		t.Error(got)
	}
	if got := b.ask(`ALERTS{alertstate="firing"}`, noon.Add(6*time.Minute)); !strings.HasPrefix(got, `{__name__="ALERTS", alertname="HighLoad", alertstate="firing", job="a", kind="recorded", severity="page"} => 1 @`) {
		t.Error(got)
	}
	a := b.minute(5)[0]
	if a.Name != "HighLoad: load of a is 20" || a.Severity != anomaly.SeverityCritical || a.Subject.Service != "a" || !a.Paging || !a.Ended.IsZero() || a.Detected.Sub(a.Began) != 2*time.Minute {
		t.Errorf("%+v", a)
	}
	for _, path := range []string{"/rules", "/alerts"} {
		if s := b.shown(path); !strings.Contains(s, `"annotations":{"runbook":"https://example.com","summary":"load of a is 20"},"state":"firing","activeAt":"`) {
			t.Error(s)
		}
	}
	if s := b.shown("/rules?type=record"); strings.Contains(s, "HighLoad") || !strings.Contains(s, `"health":"ok"`) {
		t.Error(s)
	}
	// It goes on for keep_firing_for, then it is over, and its series end.
	b.load(6, 1)
	if got := b.minute(6); len(got) != 1 || !got[0].Ended.IsZero() {
		t.Errorf("kept firing: %v", got)
	}
	b.load(7, 1)
	if got := b.minute(7); len(got) != 1 || got[0].ID != a.ID || got[0].Ended.IsZero() {
		t.Errorf("ended: %v", got)
	}
	if got := b.ask(`ALERTS`, noon.Add(9*time.Minute)); got != "" {
		t.Errorf("after the end: %s", got)
	}
}

func TestAnAlertGoesOnAfterARestart(t *testing.T) {
	b := open(t, rulesYAML)
	var began time.Time
	for n := range 4 {
		b.load(n, 20)
		if alarms := b.minute(n); len(alarms) > 0 {
			began = alarms[0].Began
		}
	}
	b.restart()
	b.load(4, 20)
	alarms := b.minute(4)
	if len(alarms) != 1 || alarms[0].Began.Sub(began).Abs() > time.Second {
		t.Errorf("it began at %v; after a restart: %v", began, alarms)
	}
}

func TestRulesThatFailSayWhyAndLeaveOthersGoing(t *testing.T) {
	b := open(t, `
groups:
  - name: g
    rules:
      - {record: bad, expr: 'load + on () (load or label_replace(load, "job", "b", "", ""))'}
      - {record: good, expr: vector(7)}
`)
	b.load(0, 1)
	b.load(1, 1)
	b.minute(1)
	if got := b.ask(`good`, noon.Add(2*time.Minute)); !strings.Contains(got, "=> 7") {
		t.Error(got)
	}
	if s := b.shown("/rules"); !strings.Contains(s, `"name":"good","query":"vector(7)","labels":{},"health":"ok"`) || !strings.Contains(s, `"health":"err","lastError":"found duplicate series`) {
		t.Error(s)
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	b := open(t, rulesYAML)
	b.file(strings.Replace(rulesYAML, "HighLoad", "TooHigh", 1))
	b.minute(0)
	if s := b.shown("/rules"); !strings.Contains(s, "TooHigh") || strings.Contains(s, "HighLoad") {
		t.Error(s)
	}
	b.file("groups: [{name: x, rules: [{record: y, expr: 'sum('}]}]")
	b.minute(1)
	if s := b.shown("/rules"); !strings.Contains(s, "TooHigh") {
		t.Errorf("a broken file put the rules out of force: %s", s)
	}
	if f := b.rules.Files(); len(f) != 1 || !strings.Contains(f[0].Error, "could not parse expression") {
		t.Errorf("%+v", f)
	}
	if _, err := New(context.Background(), Options{Prom: b.prom, Conn: b.conn, Files: []string{filepath.Join(b.dir, "a.yml")}}); err == nil {
		t.Error("it starts with a broken file")
	}
}

func TestFilesOfTheAPI(t *testing.T) {
	b := open(t, "groups: []")
	ctx := context.Background()
	var input *query.InputError
	if _, err := b.rules.SetFile(ctx, "x", "groups: [{name: x, rules: [{alert: y}]}]"); !errors.As(err, &input) {
		t.Errorf("a rule without expression: %v", err)
	}
	if _, err := b.rules.SetFile(ctx, "../x", rulesYAML); !errors.As(err, &input) {
		t.Errorf("a path: %v", err)
	}
	if _, err := b.rules.SetFile(ctx, "team-a.yml", rulesYAML); err != nil {
		t.Fatal(err)
	}
	b.restart()
	if s := b.shown("/rules"); !strings.Contains(s, `"file":"team-a.yml"`) {
		t.Error(s)
	}
	if err := b.rules.DeleteFile(ctx, "team-a.yml"); err != nil {
		t.Fatal(err)
	}
	if s := b.shown("/rules"); !strings.Contains(s, `"groups":[]`) {
		t.Error(s)
	}
	if err := b.rules.DeleteFile(ctx, "team-a.yml"); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}
