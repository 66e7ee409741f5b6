package main_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	common "go.opentelemetry.io/proto/otlp/common/v1"
)

// stackProfile is a CPU profile of a minute: every key is a stack, written from the root, worth its samples of 10 ms.
func stackProfile(t testing.TB, stacks map[string]int) []byte {
	t.Helper()
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1e7, DurationNanos: int64(time.Minute)}
	locations := map[string]*profile.Location{}
	for stack, n := range stacks {
		s := &profile.Sample{Value: []int64{int64(n), int64(n) * 1e7}}
		for name := range strings.SplitSeq(stack, ";") {
			l := locations[name]
			if l == nil {
				f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name, Filename: "/build/shop/" + strings.ToLower(name[strings.LastIndexByte(name, '.')+1:]) + ".go", StartLine: 41}
				l = &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f, Line: 44}}}
				p.Function, p.Location, locations[name] = append(p.Function, f), append(p.Location, l), l
			}
			s.Location = append([]*profile.Location{l}, s.Location...)
		}
		p.Sample = append(p.Sample, s)
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (p *product) pushProfile(t testing.TB, service, version string, at time.Time, body []byte) {
	t.Helper()
	v := url.Values{"service": {service}, "type": {"cpu"}, "from": {fmt.Sprint(at.UnixNano())}, "until": {fmt.Sprint(at.Add(time.Minute).UnixNano())},
		"label.service.version": {version}, "label.service.instance.id": {service + "-" + version}, "label.deployment.environment.name": {"prod"}}
	if status, _, answer := exchange(t, http.MethodPost, "http://"+p.otlpHTTP+"/v1/pprof?"+v.Encode(), body, "Content-Type", "application/octet-stream"); status != http.StatusOK {
		t.Fatalf("push a profile: %d %s", status, answer)
	}
}

// TestReleaseThatCostsMoreCPU: profiles of two versions are pushed. Of one service a function takes three times the CPU
// time since the release, which nobody who asks it notices: a message names function, line and version. Another one is
// slower as well: its one incident names the function too.
func TestReleaseThatCostsMoreCPU(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	p := startProduct(t, dir, "--self-telemetry=false", "--notify-allow", "loopback")
	receiver := newMessageReceiver(t)
	var channel struct{ ID string }
	p.post(t, "/api/v1/channels", `{"name":"local","type":"webhook","enabled":true,"fields":{"url":"`+receiver.URL+`/hook","secret":"0123456789abcdef"}}`, &channel)
	now := time.Now()
	released := now.Add(-25 * time.Minute).Truncate(time.Minute)
	s := newSender(t, p)
	const a = "net/http.(*conn).serve;shop/server.(*Server).Handle;"
	for at := released.Add(-2 * time.Hour); at.Before(now.Add(-time.Minute)); at = at.Add(time.Minute) {
		version, score, slow := "1.4.1", 100, 1
		if !at.Before(released) {
			version, score, slow = "1.4.2", 310, 3
		}
		wobble := int(at.Unix()/60%7) - 3
		r := request("shop", 0)
		r.ResourceSpans = nil
		for _, service := range []string{"checkout", "search"} {
			for k := range 6 {
				spans := traffic(service, at.Add(time.Duration(10*k)*time.Second), 10, false)
				for _, rs := range spans {
					rs.Resource.Attributes = append(slices.DeleteFunc(rs.Resource.Attributes, func(a *common.KeyValue) bool {
						return a.Key == "service.version" || a.Key == "service.instance.id" || strings.HasPrefix(a.Key, "deployment.")
					}), stringAttribute("service.version", version), stringAttribute("service.instance.id", service+"-"+version), stringAttribute("deployment.environment.name", "prod"))
					for _, x := range rs.ScopeSpans[0].Spans {
						if service == "search" {
							x.EndTimeUnixNano += uint64(slow-1) * (x.EndTimeUnixNano - x.StartTimeUnixNano)
						}
					}
				}
				r.ResourceSpans = append(r.ResourceSpans, spans...)
			}
			p.pushProfile(t, service, version, at, stackProfile(t, map[string]int{a + "recommend.Score": score + wobble, a + "cart.Load": 200 - wobble, a + "encoding/json.Marshal": 100 + wobble, "runtime.gcBgMarkWorker": 20}))
		}
		if err := s.send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if code := p.stop(); code != 0 {
		t.Fatalf("the product ended with %d:\n%s", code, p.stderr.tail())
	}
	p = startProduct(t, dir, "--self-telemetry=false", "--notify-allow", "loopback") // what came in bulk is learned at a start

	within(t, 150*time.Second, "a message about checkout", func() bool { return len(receiver.about("checkout", "firing")) > 0 })
	m := receiver.about("checkout", "firing")[0]
	if m.Title != "checkout: recommend.Score uses 3.1× the CPU per request since 1.4.2" {
		t.Errorf("the message's title is %q", m.Title)
	}
	for _, want := range []string{"recommend.Score (shop/score.go:41) takes", "of CPU time a request instead of", "CPU minutes a day", "Version 1.4.2 is compared with 1.4.1"} {
		if !strings.Contains(m.Summary, want) {
			t.Errorf("the message does not say %q: %s", want, m.Summary)
		}
	}
	if m.Cause == nil || m.Cause.Function != "recommend.Score" || m.Cause.Version != "1.4.2" || m.Cause.Kind != "code" {
		t.Errorf("cause %+v", m.Cause)
	}
	u, err := url.Parse(m.ProfileURL)
	if err != nil || u.Path != "/profiles" || u.Query().Get("vs") != "version:1.4.1" || u.Query().Get("version") != "1.4.2" {
		t.Errorf("flame graph at %q", m.ProfileURL)
	}
	p.hasDifference(t, u.Query(), "recommend.Score")
	p.hasBand(t, "checkout", "recommend.Score", released)
	inc := p.incidentOf(t, "checkout", 1)
	if inc.Severity != "warning" || len(inc.Alarms) != 1 || inc.Alarms[0].Symptom != "cpu" || !inc.Alarms[0].Began.Truncate(5*time.Minute).Equal(released.Truncate(5*time.Minute)) {
		t.Errorf("incident %+v", inc)
	}
	var page struct {
		Series []struct {
			TS, Value, Upper []*float64
		}
	}
	p.get(t, "/api/v1/incidents/"+inc.ID, &page)
	if len(page.Series) != 1 || len(page.Series[0].TS) < 30 {
		t.Fatalf("series %+v", page.Series)
	}
	x := page.Series[0]
	if first, last, top := *x.Value[0], *x.Value[len(x.Value)-1], *x.Upper[0]; first >= top || last <= top || last < 2.5*first {
		t.Errorf("from %g to %g ns a request, usually at most %g", first, last, top)
	}

	within(t, 150*time.Second, "the function behind search being slow", func() bool {
		inc = p.incidentOf(t, "search", 0)
		return inc.ID != "" && len(inc.RootCauses) > 0 && inc.RootCauses[0].Function == "recommend.Score" && len(inc.Alarms) > 1
	})
	c := inc.RootCauses[0]
	if c.Kind != "latency" || c.Version != "1.4.2" || !slices.ContainsFunc(c.Evidence, func(e struct{ Type string }) bool { return e.Type == "profile" }) {
		t.Errorf("incident %+v", inc)
	}
	p.incidentOf(t, "search", 1)
}

// hasDifference asks for the flame graph that a message links to, as the page would.
func (p *product) hasDifference(t testing.TB, link url.Values, function string) {
	t.Helper()
	v := url.Values{"base_version": {strings.TrimPrefix(link.Get("vs"), "version:")}, "base_from": {link.Get("from")}, "base_to": {link.Get("to")}}
	for _, k := range []string{"service", "type", "version", "from", "to"} {
		v.Set(k, link.Get(k))
	}
	var diff struct {
		PerRequest bool `json:"per_request"`
		Summary    string
		Movers     []struct {
			Function    string
			Significant bool
		}
	}
	p.get(t, "/api/v1/profiles/compare?"+v.Encode(), &diff)
	if !diff.PerRequest || len(diff.Movers) == 0 || diff.Movers[0].Function != function || !diff.Movers[0].Significant || !strings.Contains(diff.Summary, function) {
		t.Errorf("the difference that is linked to: %+v", diff)
	}
}

// hasBand asks what a function costs a request: within its band before a release, above it after.
func (p *product) hasBand(t testing.TB, service, function string, released time.Time) {
	t.Helper()
	var b struct {
		Unit                   string
		TS                     []int64
		Value, Expected, Upper []*float64
		Deployments            []struct{ Version string }
	}
	p.get(t, "/api/v1/bands?"+url.Values{"service": {service}, "symptom": {"cpu"}, "function": {function}, "from": {"now-3h"}, "to": {"now"}}.Encode(), &b)
	var before, above, after int
	for i, at := range b.TS {
		if b.Value[i] == nil || b.Upper[i] == nil {
			continue
		}
		over := *b.Value[i] > *b.Upper[i]
		switch from := time.UnixMilli(at); {
		case from.Add(5 * time.Minute).Before(released):
			before++
			if over {
				t.Errorf("at %s, before the release: %g is above %g", from, *b.Value[i], *b.Upper[i])
			}
		case from.After(released):
			after++
			if over {
				above++
			}
		}
	}
	if b.Unit != "ns" || before < 10 || after < 2 || above < after {
		t.Errorf("%d points before the release, %d after, %d of them above what is expected: %+v", before, after, above, b)
	}
}

type codeIncident struct {
	ID, Title, Severity string
	RootCauses          []struct {
		Kind, Function, Version string
		Evidence                []struct{ Type string }
	} `json:"root_causes"`
	Alarms []struct {
		Symptom string
		Began   time.Time
	}
}

// incidentOf is the incident of a service; want is how many there have to be, 0 for any number.
func (p *product) incidentOf(t testing.TB, service string, want int) codeIncident {
	t.Helper()
	var list struct{ Incidents []codeIncident }
	p.get(t, "/api/v1/incidents?from=now-1d&to=now&service="+service, &list)
	if want > 0 && len(list.Incidents) != want {
		t.Errorf("%d incidents of %s: %+v", len(list.Incidents), service, list.Incidents)
	}
	if len(list.Incidents) == 0 {
		return codeIncident{}
	}
	return list.Incidents[0]
}
