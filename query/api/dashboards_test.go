package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/dashboards"
	"github.com/tidemarkhq/tidemark/query/live"
	"github.com/tidemarkhq/tidemark/query/prom"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

// serveCharts starts the surface with PromQL and dashboards.
func serveCharts(t *testing.T) (*httptest.Server, live.Evaluate) {
	t.Helper()
	conn, dsn := storetest.DB(t)
	fill(t, conn)
	db := query.New(conn, query.Options{})
	engine, err := prom.New(db, prom.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	library, err := dashboards.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{DB: db, Prom: engine, Dashboards: library})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	return s, Evaluate(db, engine, nil, nil)
}

func decode[T any](t *testing.T, b []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v in %.500s", err, b)
	}
	return v
}

func TestDashboardsOverHTTP(t *testing.T) {
	s, _ := serveCharts(t)
	base := s.URL + "/api/v1/dashboards"
	res, b := fetch(t, "POST", base+"?message=begun", `{"title":"Ours","panels":[{"id":"a","type":"stat","w":4,"h":4,"queries":[{"expr":"up"}]}]}`)
	made := decode[dashboards.Dashboard](t, b)
	if res.StatusCode != http.StatusOK || made.Version != 1 || made.ID == "" || made.Panels[0].Reduce != "last" {
		t.Fatalf("%d %s", res.StatusCode, b)
	}
	made.Title = "Ours, renamed"
	change, _ := json.Marshal(made)
	if res, b = fetch(t, "PUT", base+"/"+made.ID, string(change)); res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", res.StatusCode, b)
	}
	if res, b = fetch(t, "PUT", base+"/"+made.ID, string(change)); res.StatusCode != http.StatusConflict || decode[Problem](t, b).Title == "" {
		t.Errorf("a second save over the same version: %d %s", res.StatusCode, b)
	}
	if _, b = fetch(t, "GET", base+"/"+made.ID+"/versions", ""); len(decode[DashboardVersionsAnswer](t, b).Versions) != 2 {
		t.Errorf("versions %s", b)
	}
	if _, b = fetch(t, "GET", base+"/"+made.ID+"/versions/1", ""); decode[dashboards.Dashboard](t, b).Title != "Ours" {
		t.Errorf("the first version is %s", b)
	}
	if _, b = fetch(t, "POST", base+"/"+made.ID+"/restore", `{"version":1}`); decode[dashboards.Dashboard](t, b).Version != 3 {
		t.Errorf("restored %s", b)
	}
	res, exported := fetch(t, "GET", base+"/"+made.ID+"/export", "")
	if !strings.Contains(res.Header.Get("Content-Disposition"), made.ID+".json") {
		t.Errorf("exported as %q", res.Header.Get("Content-Disposition"))
	}
	if _, b = fetch(t, "POST", base+"/import?preview=1", string(exported)); decode[dashboards.Import](t, b).Dashboard.ID != "" {
		t.Errorf("a preview was stored: %s", b)
	}
	if _, b = fetch(t, "POST", base+"/import", string(exported)); decode[dashboards.Import](t, b).Dashboard.ID == made.ID {
		t.Errorf("imported over what was exported: %s", b)
	}
	if res, _ = fetch(t, "DELETE", base+"/"+made.ID, ""); res.StatusCode != http.StatusNoContent {
		t.Errorf("deleted: %d", res.StatusCode)
	}
	if res, _ = fetch(t, "GET", base+"/"+made.ID, ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("deleted, and answered with %d", res.StatusCode)
	}
	if res, b = fetch(t, "POST", base, `{"title":"x","panels":[{"id":"a","type":"hologram","w":4,"h":4}]}`); res.StatusCode != http.StatusBadRequest || decode[Problem](t, b).Field != "panels[0].type" {
		t.Errorf("%d %s", res.StatusCode, b)
	}
	_, b = fetch(t, "GET", s.URL+"/api/v1/openapi.json", "")
	doc, err := openapi3.NewLoader().LoadFromData(b)
	if err == nil {
		err = doc.Validate(t.Context())
	}
	if err != nil || doc.Paths.Value("/api/v1/dashboards/{id}/restore") == nil || doc.Paths.Value("/api/v1/promql") == nil {
		t.Errorf("the document: %v", err)
	}
}

func TestPromQLInColumns(t *testing.T) {
	s, _ := serveCharts(t)
	ask := func(q string) prom.ChartAnswer {
		res, b := fetch(t, "GET", s.URL+"/api/v1/promql?"+q, "")
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", q, res.StatusCode, b)
		}
		return decode[prom.ChartAnswer](t, b)
	}
	expr := url.QueryEscape(`sum by (l) (m_bytes)`)
	ans := ask("from=now-5m&step=10s&expr=" + expr + "&expr=" + url.QueryEscape("sum(") + "&expr=" + url.QueryEscape("vector(2) + 0*rate(m_bytes[$__rate_interval])"))
	if len(ans.Results) != 3 || len(ans.Results[0].Series) != 1 || ans.Results[0].Series[0].Labels["l"] != "x" || len(ans.Results[0].Series[0].Values) != ans.Range.Points() {
		t.Fatalf("%+v", ans)
	}
	if last := ans.Results[0].Series[0].Values[ans.Range.Points()-1]; last == nil {
		t.Errorf("no newest value: %v", ans.Results[0].Series[0].Values)
	}
	if !strings.Contains(ans.Results[1].Error, "parse error") || ans.Results[2].Error != "" {
		t.Errorf("an expression's fault is not its own: %q, %q", ans.Results[1].Error, ans.Results[2].Error)
	}
	if now := ask("instant=1&expr=" + expr); now.Range.Points() != 1 || len(now.Results[0].Series[0].Values) != 1 {
		t.Errorf("now: %+v", now)
	}
	_, b := fetch(t, "GET", s.URL+"/api/v1/promql/metrics?q=M_BY", "")
	if list := decode[PromMetricsAnswer](t, b); len(list.Metrics) != 1 || list.Metrics[0].Name != "m_bytes" || list.Metrics[0].Type != "gauge" || list.Metrics[0].Series != 1 {
		t.Errorf("%s", b)
	}
}

// A live chart's update holds the steps that may have changed only, in the same places as the whole.
func TestLivePromQLComesInIncrements(t *testing.T) {
	_, evaluate := serveCharts(t)
	ask := func(since time.Time) (*prom.ChartAnswer, live.Answer) {
		a, err := evaluate(t.Context(), json.RawMessage(`{"kind":"promql","exprs":["m_bytes"]}`), "now-1h", since)
		if err != nil {
			t.Fatal(err)
		}
		return a.Data.(*prom.ChartAnswer), a
	}
	whole, a := ask(time.Time{})
	update, _ := ask(a.Next)
	if a.Every < 2*time.Second || update.Range.StepMS != whole.Range.StepMS || update.Range.Points() >= whole.Range.Points()/4 || (update.Range.FromMS-whole.Range.FromMS)%whole.Range.StepMS != 0 {
		t.Fatalf("every %s: %+v after %+v", a.Every, update.Range, whole.Range)
	}
	shift := int((update.Range.FromMS - whole.Range.FromMS) / whole.Range.StepMS)
	text := func(v *float64) string {
		if v == nil {
			return "none"
		}
		return fmt.Sprint(*v)
	}
	for i, v := range update.Results[0].Series[0].Values {
		if shift+i < whole.Range.Points()-1 && text(v) != text(whole.Results[0].Series[0].Values[shift+i]) {
			t.Errorf("at step %d: %s, and %s in the whole", i, text(v), text(whole.Results[0].Series[0].Values[shift+i]))
		}
	}
	if _, err := evaluate(t.Context(), json.RawMessage(`{"kind":"promql"}`), "now-1h", time.Time{}); err == nil {
		t.Error("nothing was asked, and answered")
	}
}
