package rules

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// base is when the telemetry of these tests begins: two hours of it.
var base = time.Now().UTC().Add(-4 * time.Hour).Truncate(time.Hour)

// history fills a database: shop takes 20 requests in ten seconds, all of which fail from minute 60 to 62 and take a
// second instead of 10 ms from minute 80 to 82; it sends nothing from minute 90 on, while other goes on to minute 100.
// Until minute 100, pool.used is 10, but 90 from minute 60 to 62, and a record is logged every ten seconds, as an
// error from minute 60 to 62.
func history(t *testing.T) (*query.DB, driver.Conn) {
	t.Helper()
	conn, _ := storetest.DB(t)
	at := fmt.Sprintf("toDateTime(%d) + number * 10", base.Unix())
	for _, s := range []string{
		`INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls, errors, duration_sum, duration_max, duration_hist)
SELECT 'service', ` + at + `, 'shop', '', 'unspecified', 'prod', '1', 'a', 20, if(number >= 360 AND number < 372, 20, 0), 1, 1,
       map(toInt16(ceil(32 * log2(if(number >= 480 AND number < 492, 1e9, 1e7)))), toUInt64(20)) FROM numbers(540)`,
		`INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls, errors, duration_sum, duration_max, duration_hist)
SELECT 'service', ` + at + `, 'other', '', 'unspecified', 'prod', '1', 'a', 1, 0, 1, 1, map(toInt16(700), toUInt64(1)) FROM numbers(600)`,
		`INSERT INTO metric_series (fingerprint, name, type, temporality, monotonic, unit, description, service, resource, scope, attributes, first_seen, last_seen)
SELECT 7, 'pool.used', 'gauge', '', 0, '{connection}', '', 'shop', 1, '', map(), now() - 86400, now()`,
		`INSERT INTO metric_samples (name, series, ts, start_ts, value, flags)
SELECT 'pool.used', 7, ` + at + `, 0, if(number >= 360 AND number < 372, 90, 10), 0 FROM numbers(600)`,
		`INSERT INTO logs (ts, observed_ts, service, severity, severity_text, body, resource)
SELECT ` + at + `, ` + at + `, 'shop', if(number >= 360 AND number < 372, 17, 9), '', 'hello', 1 FROM numbers(600)`,
	} {
		if err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
	}
	return query.New(conn, query.Options{}), conn
}

// clock is the time at which an engine lives.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func minute(m float64) time.Time { return base.Add(time.Duration(m * float64(time.Minute))) }

func engine(t *testing.T, db *query.DB, conn driver.Conn, c *clock) *Engine {
	t.Helper()
	e, err := New(t.Context(), Options{DB: db, Conn: conn, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// live evaluates every ten seconds up to a minute and tells the alarms by name, as they began and ended.
func (c *clock) live(t *testing.T, e *Engine, to time.Time) map[string]anomaly.Alarm {
	t.Helper()
	seen := map[string]anomaly.Alarm{}
	for ; c.at.Before(to); c.at = c.at.Add(10 * time.Second) {
		alarms, err := e.Evaluate(t.Context(), c.at)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range alarms {
			if strings.Contains(a.ID, "-slow-") {
				continue // beside the fast one
			}
			if old, ok := seen[a.Name]; ok && old.ID != a.ID {
				t.Errorf("%s fired twice: %s, %s", a.Name, old.ID, a.ID)
			}
			seen[a.Name] = a
		}
	}
	return seen
}

func (e *Engine) mustAdd(t *testing.T, r Rule) Rule {
	t.Helper()
	r.Enabled = true
	out, err := e.AddRule(t.Context(), r)
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	return out
}

func outageRules() []Rule {
	return []Rule{
		{Name: "errors", Signal: "red", Service: "shop", Measure: "error_ratio", Operator: ">", Threshold: 0.5, Window: 60, For: 30},
		{Name: "metric", Signal: "metric", Metric: "pool.used", Agg: "max", Filter: []string{"service:shop"}, Operator: ">=", Threshold: 80, Window: 60},
		{Name: "logs", Signal: "logs", Query: "service:shop severity>=error", Operator: ">", Threshold: 5, Window: 60, Severity: "critical", Labels: map[string]string{"team": "a"}},
	}
}

func TestRulesFireEndAndSurviveARestart(t *testing.T) {
	db, conn := history(t)
	c := &clock{minute(58)}
	e := engine(t, db, conn, c)
	for _, r := range outageRules() {
		e.mustAdd(t, r)
	}
	before := c.live(t, e, minute(61.5))
	if len(before) != 3 {
		t.Fatalf("fired: %v, want all three", before)
	}
	for name, a := range before {
		if a.Detected.Before(minute(60)) || a.Detected.After(minute(61.3)) || !a.Ended.IsZero() || a.Subject.Service != "shop" || !a.Paging {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := before["logs"]; a.Severity != anomaly.SeverityCritical || a.Labels["team"] != "a" || a.Observed < 6 {
		t.Errorf("logs: %+v", a)
	}
	if a := before["metric"]; a.Observed != 90 || a.Unit != "{connection}" || a.Symptom != anomaly.SymptomSaturation {
		t.Errorf("metric: %+v", a)
	}

	// Another process takes over, two minutes later: what fired goes on under its id, and what ended meanwhile is told.
	c.at = minute(63.5)
	e = engine(t, db, conn, c)
	after := c.live(t, e, minute(63.8))
	for name, a := range before {
		if after[name].ID != a.ID || !after[name].Detected.Equal(a.Detected) || after[name].Ended.Before(minute(61.9)) || after[name].Ended.After(minute(63.2)) {
			t.Errorf("%s after a restart: %+v, before %+v", name, after[name], a)
		}
	}
	c.live(t, e, minute(64))
	for _, r := range e.Rules() {
		if r.State == nil || r.State.Status != ok || r.State.Value == nil {
			t.Errorf("%s at rest: %+v", r.Name, r.State)
		}
	}
	c.at = minute(70)
	if alarms, err := e.Evaluate(t.Context(), c.at); err != nil || len(alarms) != 0 {
		t.Errorf("alarms after all was over: %+v, %v", alarms, err)
	}
}

func TestNoTrafficIsNotNoData(t *testing.T) {
	db, conn := history(t)
	c := &clock{minute(85)}
	e := engine(t, db, conn, c)
	few := Rule{Name: "few", Signal: "red", Service: "shop", Measure: "rate", Operator: "<", Threshold: 1, Window: 60}
	e.mustAdd(t, few)
	few.Name, few.NoData = "keep", "keep"
	e.mustAdd(t, few)
	e.mustAdd(t, Rule{Name: "absent", Signal: "metric", Metric: "pool.used", Agg: "avg", Operator: ">", Threshold: 1e9, Window: 60, NoData: "firing"})
	seen := c.live(t, e, minute(96))
	if len(seen) != 2 || seen["few"].Observed >= 1 || seen["few"].Symptom != anomaly.SymptomTraffic {
		t.Fatalf("while shop is silent: %+v", seen)
	}
	seen = c.live(t, e, minute(103)) // nothing comes in at all from minute 100 on
	if seen["few"].Ended.IsZero() || !seen["keep"].Ended.IsZero() || seen["absent"].Channel != anomaly.ChannelNoData {
		t.Errorf("while all are silent: %+v", seen)
	}
	// The same silence after a start says nothing: nobody listened.
	c.at = minute(110)
	e = engine(t, db, conn, c)
	for _, r := range e.Rules() {
		if r.Name == "absent" {
			if err := e.DeleteRule(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
			r.Name = "late"
			e.mustAdd(t, r)
		}
	}
	if _, fired := c.live(t, e, minute(111.5))["late"]; fired {
		t.Error("fired for want of data right after a start")
	}
	if _, fired := c.live(t, e, minute(113))["late"]; !fired {
		t.Error("did not fire although data is missing for long")
	}
}

func TestPreviewIsWhatWouldHaveBeen(t *testing.T) {
	db, conn := history(t)
	e := engine(t, db, conn, &clock{minute(100)})
	for _, r := range outageRules() {
		for name, w := range map[string]query.Window{"fine": {From: base, To: minute(100)}, "coarse": {From: base.Add(-20 * time.Hour), To: minute(100)}} {
			p, err := e.PreviewRule(t.Context(), r, w)
			if err != nil {
				t.Fatalf("%s: %v", r.Name, err)
			}
			if len(p.Firing) != 1 || p.Firing[0].From.Before(minute(60)) || p.Firing[0].From.After(minute(62)) || p.Firing[0].To == nil || p.Firing[0].To.After(minute(64)) {
				t.Errorf("%s, %s: would have fired %+v", r.Name, name, p.Firing)
			}
			worst, known := 0.0, 0
			for _, v := range p.Value {
				if v != nil {
					worst, known = max(worst, *v), known+1
				}
			}
			if worst < 0.9 || known == 0 || len(p.TS) != len(p.Value) || len(p.TS) > mostShown {
				t.Errorf("%s, %s: worst %g of %d known of %d", r.Name, name, worst, known, len(p.TS))
			}
		}
	}
	slow, err := e.PreviewRule(t.Context(), Rule{Name: "slow", Signal: "red", Service: "shop", Measure: "latency", Quantile: 0.5, Operator: ">", Threshold: 5e8, Window: 60}, query.Window{From: base, To: minute(100)})
	if err != nil || len(slow.Firing) != 1 || slow.Unit != "ns" || slow.Firing[0].From.Before(minute(80)) || slow.Firing[0].From.After(minute(81)) {
		t.Errorf("slow: %+v, %v", slow, err)
	}
	_, err = e.PreviewRule(t.Context(), Rule{Name: "r", Signal: "logs", Query: "severity>=loud", Operator: ">"}, query.Window{From: base, To: minute(100)})
	wantField(t, err, "query")
	_, err = e.PreviewRule(t.Context(), outageRules()[0], query.Window{From: base.Add(-90 * 24 * time.Hour), To: minute(100)})
	wantField(t, err, "from")
}

func TestObjectives(t *testing.T) {
	db, conn := history(t)
	c := &clock{minute(58)}
	e := engine(t, db, conn, c)
	var fast Objective
	for _, o := range []Objective{
		{Name: "available", Service: "shop", Kind: "availability", Target: 0.999},
		{Name: "fast", Service: "shop", Env: "prod", Kind: "latency", SlowerThan: 500, Target: 0.999, Severity: "info"},
	} {
		o.Enabled = true
		var err error
		if fast, err = e.AddObjective(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	seen := c.live(t, e, minute(61))
	if a, ok := seen["available"]; !ok || a.Severity == "" || a.Channel != anomaly.ChannelBudget || a.Detected.Before(minute(60)) || a.Observed <= a.Upper {
		t.Fatalf("during the outage: %+v", seen)
	}
	if _, fired := seen["fast"]; fired {
		t.Error("failed requests that were fast are not slow ones")
	}
	c.at = minute(64)
	e = engine(t, db, conn, c)
	if after := c.live(t, e, minute(64.3)); after["available"].ID != seen["available"].ID {
		t.Errorf("after a restart: %+v", after)
	}
	c.at = minute(85)
	e = engine(t, db, conn, c)
	if after := c.live(t, e, minute(85.3)); after["fast"].Severity != anomaly.SeverityInfo || after["fast"].Symptom != anomaly.SymptomLatency {
		t.Errorf("after two slow minutes: %+v", after)
	}
	list, err := e.Objectives(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	for _, o := range list { // 240 of 10 800 requests were bad, 10.8 may be
		if s := o.State; s == nil || s.Bad != 240 || s.Total < 9000 || *s.BudgetLeft > -20 || len(s.Burn) != 2 || s.Burn[0].Long == nil {
			t.Errorf("%s: %+v", o.Name, s)
		}
	}
	fast.Target = 0.9
	if fast, err = e.SetObjective(t.Context(), fast.ID, fast); err != nil || *fast.State.BudgetLeft < 0.5 {
		t.Errorf("an easier target: %+v, %v", fast.State, err)
	}
	p, err := e.PreviewObjective(t.Context(), list[0], query.Window{From: base, To: minute(100)})
	if err != nil || len(p.Firing) == 0 || p.Firing[0].From.Before(minute(60)) || p.State.Bad != 240 || len(p.TS) != len(p.BudgetLeft) || len(p.TS) == 0 {
		t.Errorf("preview: %+v, %v", p, err)
	}
	month, err := e.PreviewObjective(t.Context(), list[0], query.Window{From: minute(100).Add(-30 * 24 * time.Hour), To: minute(100)})
	if err != nil || len(month.Firing) == 0 || month.State.Bad != 240 {
		t.Errorf("preview of a month: %+v, %v", month, err)
	}
	for _, o := range list {
		if err := e.DeleteObjective(t.Context(), o.ID); err != nil {
			t.Fatal(err)
		}
	}
	if list, err = e.Objectives(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("after deleting: %+v, %v", list, err)
	}
}

func TestRulesAreKeptChangedAndRemoved(t *testing.T) {
	db, conn := history(t)
	c := &clock{minute(60.5)}
	e := engine(t, db, conn, c)
	r := outageRules()[1]
	r = e.mustAdd(t, r)
	if seen := c.live(t, e, minute(61)); len(seen) != 1 {
		t.Fatalf("fired: %+v", seen)
	}
	r.Name = "renamed" // it goes on
	if _, err := e.SetRule(t.Context(), r.ID, r); err != nil {
		t.Fatal(err)
	}
	if a := c.live(t, e, minute(61.2))["renamed"]; !a.Ended.IsZero() || a.ID == "" {
		t.Errorf("renamed: %+v", a)
	}
	r.Enabled = false // it ends
	if _, err := e.SetRule(t.Context(), r.ID, r); err != nil {
		t.Fatal(err)
	}
	if a := c.live(t, e, minute(61.4))["renamed"]; a.Ended.IsZero() {
		t.Errorf("switched off: %+v", a)
	}
	e = engine(t, db, conn, c)
	if list := e.Rules(); len(list) != 1 || list[0].Name != "renamed" || list[0].Enabled || list[0].State != nil {
		t.Errorf("after a restart: %+v", list)
	}
	_, err := e.AddRule(t.Context(), Rule{Name: "x", Signal: "logs", Query: "(", Operator: ">"})
	wantField(t, err, "query")
	if err := e.DeleteRule(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{e.DeleteRule(t.Context(), r.ID), errOf(e.Rule(r.ID)), errOf(e.SetRule(t.Context(), r.ID, r)), e.DeleteObjective(t.Context(), "none")} {
		if !errors.Is(err, query.ErrNotFound) {
			t.Errorf("error %v, want not found", err)
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

// TestOneRuleDoesNotStopAnother has a rule whose metric turned out to be no histogram.
func TestOneRuleDoesNotStopAnother(t *testing.T) {
	db, conn := history(t)
	c := &clock{minute(60.5)}
	e := engine(t, db, conn, c)
	e.mustAdd(t, outageRules()[1])
	e.mustAdd(t, Rule{Name: "odd", Signal: "metric", Metric: "pool.used", Agg: "p99", Operator: ">=", Threshold: 80, Window: 60})
	alarms, err := e.Evaluate(context.Background(), c.at)
	if err == nil || !strings.Contains(err.Error(), `"odd"`) || len(alarms) != 1 || alarms[0].Name != "metric" {
		t.Errorf("alarms %+v, error %v", alarms, err)
	}
	for _, r := range e.Rules() {
		if want := map[string]string{"odd": failed, "metric": firing}[r.Name]; r.State == nil || r.State.Status != want || (want == failed) != (r.State.Error != "") {
			t.Errorf("%s: %+v", r.Name, r.State)
		}
	}
}
