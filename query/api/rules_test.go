package api

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/tidemarkhq/tidemark/anomaly/rules"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestRulesAndObjectives(t *testing.T) {
	conn, _ := storetest.DB(t)
	e, err := rules.New(context.Background(), rules.Options{DB: query.New(conn, query.Options{}), Conn: conn})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := serve(t, func(o *Options) { o.Rules = e })
	ask := func(method, path, body string, status int, into any) {
		t.Helper()
		res, b := fetch(t, method, s.URL+"/api/v1"+path, body)
		if res.StatusCode != status {
			t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, b)
		}
		if into != nil {
			if err := json.Unmarshal(b, into); err != nil {
				t.Fatalf("%s %s: %v in %s", method, path, err, b)
			}
		}
	}
	const rule = `{"name":"r","enabled":true,"signal":"red","service":"shop","measure":"rate","operator":"<","threshold":1,"window_s":60}`
	const slo = `{"name":"o","enabled":true,"service":"shop","kind":"availability","target":0.99,"window_days":7,"labels":{}}`
	var r rules.Rule
	ask("POST", "/rules", rule, 200, &r)
	var p Problem
	ask("POST", "/rules", `{"name":"r","signal":"red","service":"shop","measure":"rate","operator":"!"}`, 400, &p)
	if p.Field != "operator" {
		t.Errorf("%+v is not about the operator", p)
	}
	ask("POST", "/rules", `{"name":"r","colour":"red"}`, 400, nil)
	ask("POST", "/rules/preview", `{"rule":{"name":"r","signal":"red","measure":"rate","operator":">"},"from":"now-1h","to":"now"}`, 400, &p)
	if p.Field != "service" {
		t.Errorf("%+v is not about the service", p)
	}
	var preview rules.Preview
	ask("POST", "/rules/preview", `{"rule":`+rule+`,"from":"now-1h","to":"now"}`, 200, &preview)
	if len(preview.TS) == 0 || preview.Unit != "/s" || len(preview.Firing) != 0 {
		t.Errorf("preview of nothing: %+v", preview)
	}
	r.Name = "renamed"
	b, _ := json.Marshal(r)
	ask("PUT", "/rules/"+r.ID, string(b), 200, &r)
	var all RulesAnswer
	ask("GET", "/rules", "", 200, &all)
	if len(all.Rules) != 1 || all.Rules[0].Name != "renamed" {
		t.Errorf("rules: %+v", all)
	}
	ask("GET", "/rules/"+r.ID, "", 200, nil)
	ask("DELETE", "/rules/"+r.ID, "", http.StatusNoContent, nil)
	ask("GET", "/rules/"+r.ID, "", 404, nil)

	var o rules.Objective
	ask("POST", "/slos", slo, 200, &o)
	if o.State == nil || o.State.BudgetLeft != nil {
		t.Errorf("an objective without requests: %+v", o.State)
	}
	ask("POST", "/slos/preview", `{"slo":`+slo+`,"from":"now-7d","to":"now"}`, 200, nil)
	b, _ = json.Marshal(o)
	ask("PUT", "/slos/"+o.ID, string(b), 200, nil)
	ask("GET", "/slos/"+o.ID, "", 200, nil)
	var objectives ObjectivesAnswer
	ask("GET", "/slos", "", 200, &objectives)
	if len(objectives.SLOs) != 1 {
		t.Errorf("objectives: %+v", objectives)
	}
	ask("DELETE", "/slos/"+o.ID, "", http.StatusNoContent, nil)
	ask("GET", "/slos/"+o.ID, "", 404, nil)
}
