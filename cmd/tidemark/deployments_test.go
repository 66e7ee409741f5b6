package main_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
)

type deployment struct {
	TS                                                  time.Time
	Service, Env, Version, Previous, Source, Text, Link string
}

// TestDeployments finds a new version in what a service reports, takes a posted one, and knows that both can be one.
func TestDeployments(t *testing.T) {
	p := share(t)
	s := newSender(t, p)
	service := unique("checkout")
	began := time.Now().Add(-25 * time.Minute).Truncate(time.Minute)
	changed := began.Add(15 * time.Minute)
	for at := began; at.Before(began.Add(22 * time.Minute)); at = at.Add(30 * time.Second) {
		version, instance := "1.4.1", "pod-a"
		if !at.Before(changed) {
			version, instance = "1.4.2", "pod-b"
		}
		r := request(service, 1)
		res := r.ResourceSpans[0].Resource
		res.Attributes = append(res.Attributes, stringAttribute("service.version", version), stringAttribute("service.instance.id", instance))
		span := r.ResourceSpans[0].ScopeSpans[0].Spans[0]
		span.StartTimeUnixNano, span.EndTimeUnixNano = uint64(at.UnixNano()), uint64(at.UnixNano())+1e6
		if err := s.send(t.Context(), &collectortrace.ExportTraceServiceRequest{ResourceSpans: r.ResourceSpans}); err != nil {
			t.Fatal(err)
		}
	}
	list := func() []deployment {
		var a struct{ Deployments []deployment }
		p.get(t, "/api/v1/deployments?from=now-1h&to=now&service="+service, &a)
		return a.Deployments
	}
	within(t, 60*time.Second, "the new version to be noticed", func() bool { return len(list()) > 0 })
	if got := list(); len(got) != 1 || got[0].Version != "1.4.2" || got[0].Previous != "1.4.1" || got[0].Source != "noticed" || got[0].TS.Sub(changed).Abs() > time.Minute {
		t.Fatalf("deployments noticed: %+v, want 1.4.2 after 1.4.1 at %s", got, changed)
	}

	// The same deployment, told by a pipeline a minute late: it gets the text, and stays one.
	posted := p.postDeployment(t, http.StatusOK, map[string]string{"service": service, "version": "1.4.2", "at": changed.Add(time.Minute).Format(time.RFC3339), "text": "faster totals", "link": "https://ci.example/run/7"})
	if posted.Previous != "1.4.1" || posted.TS.Sub(changed).Abs() > time.Minute {
		t.Errorf("posted: %+v", posted)
	}
	// One of a version that has not been seen.
	p.postDeployment(t, http.StatusOK, map[string]string{"service": service, "version": "1.5.0"})
	got := list()
	if len(got) != 2 || got[0].Version != "1.5.0" || got[0].Previous != "1.4.2" || got[0].Source != "posted" || got[1].Text != "faster totals" || got[1].Link != "https://ci.example/run/7" {
		t.Errorf("deployments noticed and posted: %+v", got)
	}
	for _, bad := range []map[string]string{{"service": service}, {"version": "1"}, {"service": service, "version": "2", "at": "2126-01-01T00:00:00Z"}, {"service": service, "version": "2", "link": "javascript:alert(1)"}, {"service": service, "version": "2", "colour": "red"}} {
		p.postDeployment(t, http.StatusBadRequest, bad)
	}
	if n := len(list()); n != 2 {
		t.Errorf("%d deployments after refused ones", n)
	}
}

// postDeployment tells of a deployment and decodes the answer.
func (p *product) postDeployment(t testing.TB, want int, body map[string]string) (d deployment) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	status, answer := p.ask(t, http.MethodPost, "/api/v1/deployments", string(b))
	if status != want {
		t.Fatalf("POST of %s: status %d: %s", b, status, answer)
	}
	if want == http.StatusOK {
		if err := json.Unmarshal([]byte(answer), &d); err != nil {
			t.Fatal(err)
		}
	}
	return d
}
