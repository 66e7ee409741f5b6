package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/tidemarkhq/tidemark/anomaly/promrules"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/prom"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

// Rules stored over our API are shown by the Prometheus API beside it.
func TestRuleFilesAndThePrometheusAPI(t *testing.T) {
	conn, dsn := storetest.DB(t)
	engine, err := prom.New(query.New(conn, query.Options{}), prom.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	rules, err := promrules.New(context.Background(), promrules.Options{Prom: engine, Conn: conn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rules.Close(context.Background()) })
	s, _ := serve(t, func(o *Options) { o.Prom, o.PromRules = engine, rules })
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/prometheus/api/v1/query?query=1%2B1&time=4", "", 200, `{"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}`},
		{"POST", "/prometheus/api/v1/query?query=vector(3)&time=4", "", 200, `"value":[4,"3"]`},
		{"GET", "/prometheus/api/v1/query?query=(", "", 400, `"errorType":"bad_data"`},
		{"POST", "/api/v1/rule-files/check", `{"content":"groups:\n- name: g\n  rules:\n  - {record: r, expr: 'sum('}\n"}`, 200, `"problems":[{"line":4,"column":`},
		{"PUT", "/api/v1/rule-files/a.yml", `{"content":"groups: [{name: g, rules: [{record: r, expr: sum(}]}]"}`, 400, `"field":"content"`},
		{"PUT", "/api/v1/rule-files/a.yml", `{"content":"groups: [{name: g, rules: [{record: r, expr: vector(1)}]}]"}`, 200, `"source":"api"`},
		{"GET", "/api/v1/rule-files", "", 200, `"name":"a.yml"`},
		{"GET", "/prometheus/api/v1/rules", "", 200, `"file":"a.yml"`},
		{"DELETE", "/api/v1/rule-files/a.yml", "", http.StatusNoContent, ""},
		{"DELETE", "/api/v1/rule-files/a.yml", "", http.StatusNotFound, ""},
		{"GET", "/prometheus/api/v1/rules", "", 200, `"groups":[]`},
	} {
		res, body := fetch(t, c.method, s.URL+c.path, c.body)
		if res.StatusCode != c.status || !strings.Contains(string(body), c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.path, res.StatusCode, body)
		}
	}
}
