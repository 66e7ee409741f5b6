package main_test

import (
	"encoding/json"
	"testing"
	"time"

	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

type ruleAnswer struct {
	ID    string
	State *struct{ Status, Error, Unit string }
}

// TestRuleFires has a rule and an objective on a service of which every request fails.
func TestRuleFires(t *testing.T) {
	p := share(t)
	s := newSender(t, p)
	service := unique("rules")
	post := func(path string, body map[string]any) (a ruleAnswer) {
		t.Helper()
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		p.post(t, "/api/v1"+path, string(b), &a)
		return a
	}
	rule := post("/rules", map[string]any{"name": service, "enabled": true, "signal": "red", "service": service, "measure": "error_ratio", "operator": ">", "threshold": 0.5, "window_s": 60, "min_traffic": 5})
	slo := post("/slos", map[string]any{"name": service, "enabled": true, "service": service, "kind": "availability", "target": 0.99, "window_days": 1})
	r := request(service, 20)
	now := time.Now()
	for _, span := range r.ResourceSpans[0].ScopeSpans[0].Spans {
		span.StartTimeUnixNano, span.EndTimeUnixNano = uint64(now.UnixNano()), uint64(now.UnixNano())+1e6
		span.ParentSpanId, span.Kind, span.Status = nil, tracepb.Span_SPAN_KIND_SERVER, &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
	}
	if err := s.send(t.Context(), &collectortrace.ExportTraceServiceRequest{ResourceSpans: r.ResourceSpans}); err != nil {
		t.Fatal(err)
	}
	within(t, 45*time.Second, "the rule to fire", func() bool {
		var a ruleAnswer
		p.get(t, "/api/v1/rules/"+rule.ID, &a)
		return a.State != nil && a.State.Status == "firing"
	})
	within(t, 45*time.Second, "the budget to burn", func() bool {
		var a struct {
			State struct {
				Burn []struct{ Firing bool }
			}
		}
		p.get(t, "/api/v1/slos/"+slo.ID, &a)
		return len(a.State.Burn) == 2 && a.State.Burn[0].Firing
	})
}
