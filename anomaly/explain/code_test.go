package explain

import (
	"strings"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

var codeBegan = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func codeAlarm(service, function string, share float64) anomaly.Alarm {
	return anomaly.Alarm{ID: service + function, Subject: anomaly.Subject{Env: "prod", Service: service, Version: "1.4.2", Function: function}, Symptom: anomaly.SymptomCPU, Channel: anomaly.ChannelProfile,
		Began: codeBegan, Detected: codeBegan.Add(12 * time.Minute), Unit: "ns", Observed: 3.1e6, Expected: 1e6, Paging: share >= .05,
		Code: &anomaly.CodeChange{Function: anomaly.Function{Name: function, File: "/build/shop/score.go", Line: 41}, Cost: "cpu", Type: "cpu", Version: "1.4.2", Previous: "1.4.1", Deployed: true,
			PerRequest: true, Now: 3.1e6, Was: 1e6, Rise: 2.1e6, Share: share, PerDay: 3600, Samples: [2]float64{3100, 1000}, Confidence: share,
			From: codeBegan, To: codeBegan.Add(12 * time.Minute), BaseFrom: codeBegan.Add(-time.Hour), BaseTo: codeBegan}}
}

func slowAlarm(service string, began time.Time) anomaly.Alarm {
	return anomaly.Alarm{ID: "slow " + service, Subject: anomaly.Subject{Env: "prod", Service: service}, Symptom: anomaly.SymptomLatency, Channel: anomaly.ChannelLatency,
		Began: began, Detected: began.Add(time.Minute), Unit: "ns", Observed: 3e8, Expected: 1e8, Paging: true}
}

func TestAFunctionIsAnIncidentOfItsOwn(t *testing.T) {
	g := Group(nil, []anomaly.Alarm{codeAlarm("checkout", "github.com/acme/shop/recommend.Score", .2), codeAlarm("checkout", "cart.Load", .03)}, NewGraph(nil))
	if len(g.Changed) != 1 {
		t.Fatalf("%d incidents of one release", len(g.Changed))
	}
	inc := g.Changed[0]
	if inc.Title != "checkout: recommend.Score uses 3.1× the CPU per request since 1.4.2" || inc.Severity != anomaly.SeverityWarning || len(inc.RootCauses) != 2 {
		t.Fatalf("%+v", inc)
	}
	c := inc.RootCauses[0]
	if c.Kind != anomaly.SymptomCode || *c.Function != "github.com/acme/shop/recommend.Score" || *c.Version != "1.4.2" || c.Rank != 1 || len(c.Evidence) != 1 || !strings.HasPrefix(c.Evidence[0].Link, "/profiles?") || c.Evidence[0].Text != "recommend.Score (shop/score.go:41)" {
		t.Errorf("%+v", c)
	}
	for _, want := range []string{"(shop/score.go:41) takes 3.1 ms of CPU time a request instead of 1 ms", "20 % of what the service took", "60 CPU minutes a day", "cart.Load"} {
		if !strings.Contains(inc.Summary, want) {
			t.Errorf("the summary does not say %q: %s", want, inc.Summary)
		}
	}
	if quiet := Group(nil, []anomaly.Alarm{codeAlarm("checkout", "cart.Load", .03)}, NewGraph(nil)).Changed[0]; quiet.Severity != anomaly.SeverityInfo {
		t.Errorf("a small rise is %s", quiet.Severity)
	}
}

func TestAFunctionJoinsTheSlownessOfItsService(t *testing.T) {
	open := Group(nil, []anomaly.Alarm{slowAlarm("checkout", codeBegan.Add(-2*time.Minute))}, NewGraph(nil)).Changed
	g := Group(open, []anomaly.Alarm{codeAlarm("checkout", "recommend.Score", .2)}, NewGraph(nil))
	if len(g.Changed) != 1 || g.Changed[0].ID != open[0].ID {
		t.Fatalf("%+v", g.Changed)
	}
	inc := g.Changed[0]
	if !strings.HasPrefix(inc.Title, "checkout takes") || inc.Alarms[0].Symptom != anomaly.SymptomLatency {
		t.Errorf("%s: what people notice comes first", inc.Title)
	}
	joinCode(&inc)
	if c := inc.RootCauses[0]; len(inc.RootCauses) != 1 || c.Kind != anomaly.SymptomLatency || c.Function == nil || *c.Function != "recommend.Score" || *c.Version != "1.4.2" || c.Evidence[len(c.Evidence)-1].Type != "profile" {
		t.Errorf("%+v", inc.RootCauses)
	}
}

// Another service's trouble, missing traffic and slow calls of its own are no business of a function's.
func TestAFunctionStaysApartFromWhatItHasNothingToDoWith(t *testing.T) {
	calls := slowAlarm("checkout", codeBegan)
	calls.Subject.Operation, calls.Subject.SpanKind = "SELECT", "client"
	fewer := slowAlarm("checkout", codeBegan)
	fewer.Symptom = anomaly.SymptomTraffic
	for name, other := range map[string]anomaly.Alarm{"another service": slowAlarm("cart", codeBegan), "its calls": calls, "missing traffic": fewer, "hours before": func() anomaly.Alarm {
		a := slowAlarm("checkout", codeBegan.Add(-3*time.Hour))
		a.Ended = codeBegan.Add(-2 * time.Hour)
		return a
	}()} {
		open := Group(nil, []anomaly.Alarm{other}, NewGraph(nil)).Changed
		if g := Group(open, []anomaly.Alarm{codeAlarm("checkout", "recommend.Score", .2)}, NewGraph(nil)); len(g.Changed) != 1 || g.Changed[0].ID == open[0].ID {
			t.Errorf("%s: joined", name)
		}
	}
}

func TestCodeChangeInWords(t *testing.T) {
	c := codeAlarm("checkout", "recommend.Score", .2).Code
	fresh := *c
	fresh.New, fresh.Was = true, 0
	share := *c
	share.PerRequest, share.Now, share.Was = false, .4, .2
	alloc := *c
	alloc.Cost, alloc.Now, alloc.Was, alloc.Deployed, alloc.Since = "alloc", 64e3, 16e3, false, codeBegan
	for want, c := range map[string]anomaly.CodeChange{
		"recommend.Score uses 3.1× the CPU per request since 1.4.2":                  *c,
		"recommend.Score, which is new, uses 3.1 ms of CPU per request since 1.4.2":  fresh,
		"recommend.Score uses 40 % of the service's CPU instead of 20 % since 1.4.2": share,
		"recommend.Score allocates 4× the memory per request since 12:00 UTC":        alloc,
	} {
		if got := c.Title(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for name, want := range map[string]string{"github.com/acme/shop/recommend.(*Model).Score": "recommend.(*Model).Score", "main.run": "main.run",
		"example.com/a/b.Map[example.com/c/d.T].Get": "b.Map[example.com/c/d.T].Get", "shop::score(std::string const&)": "shop::score(std::string const&)"} {
		if got := anomaly.ShortFunction(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
