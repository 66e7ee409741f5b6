package explain

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// shopGraph: gateway calls checkout and search; checkout calls payment, which has a database, and sends to a queue that
// mail reads; search has a store of its own; lonely has nobody.
func shopGraph() *Graph {
	return NewGraph([]query.CallEdge{
		{Client: "gateway", Target: "checkout", TargetKind: "service"}, {Client: "gateway", Target: "search", TargetKind: "service"},
		{Client: "checkout", Target: "payment", TargetKind: "service"}, {Client: "payment", Target: "pg", TargetKind: "database"},
		{Client: "checkout", Target: "orders", TargetKind: "messaging"}, {Client: "messaging:orders", Target: "mail", TargetKind: "service"},
		{Client: "search", Target: "es", TargetKind: "database"},
	})
}

// alarm is an alarm of a service that began so many minutes after noon.
func alarm(service string, symptom anomaly.Symptom, minute float64) anomaly.Alarm {
	at := noon.Add(time.Duration(minute * float64(time.Minute)))
	a := anomaly.Alarm{ID: fmt.Sprintf("%s-%s-%v", service, symptom, minute), Subject: anomaly.Subject{Service: service}, Symptom: symptom,
		Began: at, Detected: at.Add(30 * time.Second), Unit: "ns", Observed: 2e9, Expected: 1e8, Score: 20, Paging: service == "gateway"}
	switch symptom {
	case anomaly.SymptomErrors:
		a.Unit, a.Observed, a.Expected = "1", 0.2, 0.001
	case anomaly.SymptomTraffic:
		a.Unit, a.Observed, a.Expected = "/s", 1, 10
	}
	return a
}

func ended(a anomaly.Alarm, minute float64) anomaly.Alarm {
	a.Ended = noon.Add(time.Duration(minute * float64(time.Minute)))
	return a
}

// sets are the services of each incident, to compare.
func sets(list []anomaly.Incident) string {
	var out []string
	for _, inc := range list {
		s := slices.Sorted(slices.Values(inc.Services))
		out = append(out, strings.Join(s, "+"))
	}
	slices.Sort(out)
	return strings.Join(out, " | ")
}

func TestGroup(t *testing.T) {
	const lat, errs, traf = anomaly.SymptomLatency, anomaly.SymptomErrors, anomaly.SymptomTraffic
	for _, c := range []struct {
		name   string
		alarms []anomaly.Alarm
		want   string
	}{
		{"one service", []anomaly.Alarm{alarm("payment", lat, 0), alarm("payment", errs, 2)}, "payment"},
		{"along the calls", []anomaly.Alarm{alarm("payment", errs, 0), alarm("checkout", errs, 1), alarm("gateway", errs, 4.9)}, "checkout+gateway+payment"},
		{"caller and callee's callee", []anomaly.Alarm{alarm("payment", lat, 0), alarm("gateway", lat, 3)}, "gateway+payment"},
		{"two that nothing connects", []anomaly.Alarm{alarm("lonely", lat, 0), alarm("payment", lat, 0)}, "lonely | payment"},
		{"two branches", []anomaly.Alarm{alarm("search", lat, 0), alarm("payment", lat, 1)}, "payment | search"},
		{"two branches and what calls both", []anomaly.Alarm{alarm("search", lat, 0), alarm("payment", lat, 1), alarm("gateway", lat, 2)}, "gateway+payment+search"},
		{"branches that get less traffic", []anomaly.Alarm{alarm("search", traf, 0), alarm("checkout", traf, 1)}, "checkout+search"},
		{"sender and receiver of messages", []anomaly.Alarm{alarm("mail", errs, 0), alarm("checkout", errs, 1)}, "checkout+mail"},
		{"far apart in time", []anomaly.Alarm{ended(alarm("payment", lat, 0), 10), alarm("gateway", lat, 20)}, "gateway | payment"},
		{"later, next to what still goes on", []anomaly.Alarm{alarm("payment", lat, 0), alarm("checkout", lat, 20)}, "checkout+payment"},
		{"the same again", []anomaly.Alarm{ended(alarm("payment", lat, 0), 10), alarm("payment", lat, 38)}, "payment"},
		{"the same again, much later", []anomaly.Alarm{ended(alarm("payment", lat, 0), 10), alarm("payment", lat, 41)}, "payment | payment"},
		{"something else there, later", []anomaly.Alarm{ended(alarm("payment", lat, 0), 10), alarm("payment", errs, 22)}, "payment | payment"},
		{"later, far down, requests that do not come", []anomaly.Alarm{alarm("gateway", traf, 0), alarm("payment", traf, 20)}, "gateway+payment"},
		{"later, not next to it", []anomaly.Alarm{alarm("payment", lat, 0), alarm("gateway", lat, 20)}, "gateway | payment"},
	} {
		for seed := range uint64(6) {
			shuffled := slices.Clone(c.alarms)
			rand.New(rand.NewPCG(seed, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			if got := sets(Group(nil, shuffled, shopGraph()).Changed); got != c.want {
				t.Errorf("%s: incidents %q, want %q", c.name, got, c.want)
				break
			}
		}
	}
}

func TestGroupOtherEnvironment(t *testing.T) {
	a, b := alarm("payment", anomaly.SymptomLatency, 0), alarm("checkout", anomaly.SymptomLatency, 0)
	a.Subject.Env, b.Subject.Env = "prod", "staging"
	if got := sets(Group(nil, []anomaly.Alarm{a, b}, shopGraph()).Changed); got != "checkout | payment" {
		t.Errorf("alarms of two environments are %q", got)
	}
}

// TestGroupOverTime gives alarms one by one, as they come live: what they make is what all at once would.
func TestGroupOverTime(t *testing.T) {
	alarms := []anomaly.Alarm{alarm("search", anomaly.SymptomLatency, 0), alarm("payment", anomaly.SymptomErrors, 1), alarm("checkout", anomaly.SymptomErrors, 2), alarm("gateway", anomaly.SymptomErrors, 3)}
	var open []anomaly.Incident
	merged := map[string]string{}
	for _, a := range alarms {
		g := Group(open, []anomaly.Alarm{a}, shopGraph())
		for from, to := range g.Merged {
			merged[from] = to
			open = slices.DeleteFunc(open, func(i anomaly.Incident) bool { return i.ID == from })
		}
		for _, c := range g.Changed {
			open = slices.DeleteFunc(open, func(i anomaly.Incident) bool { return i.ID == c.ID })
			open = append(open, c)
		}
	}
	once := Group(nil, alarms, shopGraph()).Changed
	if len(open) != 1 || len(once) != 1 || open[0].ID != once[0].ID || !reflect.DeepEqual(open[0].Services, once[0].Services) || !open[0].StartedAt.Equal(noon) {
		t.Fatalf("one by one %v, at once %v", sets(open), sets(once))
	}
	if len(merged) != 1 || merged[slices.Collect(keys(merged))[0]] != open[0].ID {
		t.Errorf("joined: %v into %s", merged, open[0].ID)
	}
	if len(open[0].Alarms) != len(alarms) {
		t.Errorf("%d alarms, want %d", len(open[0].Alarms), len(alarms))
	}
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func TestGroupUpdatesAndComesBack(t *testing.T) {
	first := alarm("payment", anomaly.SymptomErrors, 0)
	inc := Group(nil, []anomaly.Alarm{first}, shopGraph()).Changed[0]
	over := ended(first, 8)
	over.Score = 50
	inc = Group([]anomaly.Incident{inc}, []anomaly.Alarm{over}, shopGraph()).Changed[0]
	if len(inc.Alarms) != 1 || inc.Alarms[0].Score != 50 || inc.Flaps != 0 {
		t.Fatalf("after its alarm changed: %+v", inc)
	}
	at := noon.Add(9 * time.Minute)
	inc.Status, inc.ResolvedAt = "resolved", &at
	g := Group([]anomaly.Incident{inc}, []anomaly.Alarm{alarm("payment", anomaly.SymptomErrors, 11)}, shopGraph())
	if len(g.Changed) != 1 || g.Changed[0].ID != inc.ID || g.Changed[0].Status != "open" || g.Changed[0].ResolvedAt != nil || g.Changed[0].Flaps != 1 {
		t.Errorf("after it came back: %+v", g.Changed)
	}
	if inc.Status != "resolved" || len(inc.Alarms) != 1 {
		t.Error("the incident given was changed")
	}

	other := alarm("payment", anomaly.SymptomErrors, 11)
	other.Subject.Operation = "POST /refunds"
	g = Group([]anomaly.Incident{inc}, []anomaly.Alarm{other}, shopGraph())
	if len(g.Changed) != 1 || g.Changed[0].ID != inc.ID || !strings.Contains(g.Changed[0].Title, "POST /refunds") {
		t.Errorf("after something else of the service failed: %+v", g.Changed)
	}
}

// TestOrder: cause before symptom, missing traffic last.
func TestOrder(t *testing.T) {
	inc := Group(nil, []anomaly.Alarm{alarm("search", anomaly.SymptomTraffic, 0), alarm("gateway", anomaly.SymptomErrors, 0), alarm("checkout", anomaly.SymptomErrors, 0.5), alarm("payment", anomaly.SymptomErrors, 1)}, shopGraph()).Changed[0]
	if want := []string{"payment", "checkout", "gateway", "search"}; !slices.Equal(inc.Services, want) {
		t.Errorf("order %v, want %v", inc.Services, want)
	}
	if inc.RootCauses[0].Service != "payment" || inc.RootCauses[0].Kind != anomaly.SymptomErrors || inc.Severity != anomaly.SeverityCritical {
		t.Errorf("severity %s, causes %+v", inc.Severity, inc.RootCauses)
	}
	inc = Group(nil, []anomaly.Alarm{alarm("payment", anomaly.SymptomTraffic, 0), alarm("gateway", anomaly.SymptomTraffic, 1), alarm("checkout", anomaly.SymptomTraffic, 1)}, shopGraph()).Changed[0]
	if want := []string{"gateway", "checkout", "payment"}; !slices.Equal(inc.Services, want) {
		t.Errorf("missing traffic in the order %v, want %v", inc.Services, want)
	}
}

func TestSeverity(t *testing.T) {
	mild := alarm("gateway", anomaly.SymptomLatency, 0)
	mild.Observed = 1.5 * mild.Expected
	rule := alarm("lonely", anomaly.SymptomErrors, 0)
	rule.Paging, rule.Severity = true, anomaly.SeverityInfo
	for _, c := range []struct {
		alarms []anomaly.Alarm
		want   anomaly.Severity
	}{
		{[]anomaly.Alarm{alarm("payment", anomaly.SymptomErrors, 0)}, anomaly.SeverityInfo},
		{[]anomaly.Alarm{mild}, anomaly.SeverityWarning},
		{[]anomaly.Alarm{mild, alarm("gateway", anomaly.SymptomErrors, 0)}, anomaly.SeverityCritical},
		{[]anomaly.Alarm{rule}, anomaly.SeverityInfo},
		{[]anomaly.Alarm{rule, mild}, anomaly.SeverityWarning},
	} {
		if got := severity(c.alarms); got != c.want {
			t.Errorf("severity of %v: %s, want %s", c.alarms, got, c.want)
		}
	}
}

func TestTitle(t *testing.T) {
	with := func(a anomaly.Alarm, change func(*anomaly.Alarm)) anomaly.Alarm { change(&a); return a }
	for want, a := range map[string]anomaly.Alarm{
		"payment takes 2 s, usually 100 ms":                                         alarm("payment", anomaly.SymptomLatency, 0),
		"payment fails for 20 % of requests, usually 0.1 %":                         alarm("payment", anomaly.SymptomErrors, 0),
		"gateway: GET /cart gets 1 requests a second, usually 10 requests a second": with(alarm("gateway", anomaly.SymptomTraffic, 0), func(a *anomaly.Alarm) { a.Subject.Operation = "GET /cart" }),
		"payment: its call SELECT cards takes 2 s, usually 100 ms":                  with(alarm("payment", anomaly.SymptomLatency, 0), func(a *anomaly.Alarm) { a.Subject.Operation, a.Subject.SpanKind = "SELECT cards", "client" }),
		"payment → pg: SELECT cards takes 2 s, usually 100 ms":                      with(alarm("payment", anomaly.SymptomLatency, 0), func(a *anomaly.Alarm) { a.Subject.Operation, a.Subject.Peer = "SELECT cards", "pg" }),
		"payment on pod-7 fails for 20 % of requests, usually 0.1 %":                with(alarm("payment", anomaly.SymptomErrors, 0), func(a *anomaly.Alarm) { a.Subject.Instance = "pod-7" }),
		"Checkout is up: share of failed requests of payment is 20 %":               with(alarm("payment", anomaly.SymptomErrors, 0), func(a *anomaly.Alarm) { a.Name = "Checkout is up" }),
		"payment: jvm.memory.used is 1.86 GiB, usually 95.4 MiB":                    with(alarm("payment", anomaly.SymptomSaturation, 0), func(a *anomaly.Alarm) { a.Subject.Metric, a.Unit = "jvm.memory.used", "By" }),
	} {
		if got := title(a); got != want {
			t.Errorf("title %q, want %q", got, want)
		}
	}
	client := alarm("payment", anomaly.SymptomLatency, 0)
	client.Subject.Operation, client.Subject.SpanKind = "SELECT cards", "client"
	if got, want := titleOf(client, "pg.shop"), "payment → pg.shop: SELECT cards takes 2 s, usually 100 ms"; got != want {
		t.Errorf("title %q, want %q", got, want)
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		anomaly.Percent(0): "0 %", anomaly.Percent(0.0004): "under 0.1 %", anomaly.Percent(0.012): "1.2 %", anomaly.Percent(0.02): "2 %", anomaly.Percent(0.996): "100 %",
		anomaly.Elapsed(950): "1 µs", anomaly.Elapsed(350e3): "0.3 ms", anomaly.Elapsed(42e6): "42 ms", anomaly.Elapsed(1.25e9): "1.2 s", anomaly.Elapsed(42e9): "42 s",
		rate(0): "no requests", rate(0.02): "1.2 requests a minute", rate(2.5): "2.5 requests a second", rate(1234): "1234 requests a second",
		count(1, "request"): "1 request", count(99, "request"): "99 requests", count(1249, "request"): "about 1,200 requests", count(2345678, "request"): "about 2,300,000 requests",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestGroupAnotherCause: callers suffer from whatever is wrong below them, so that it is the origin that must come back.
func TestGroupAnotherCause(t *testing.T) {
	const lat = anomaly.SymptomLatency
	inc := Group(nil, []anomaly.Alarm{alarm("search", lat, 0), alarm("gateway", lat, 0)}, shopGraph()).Changed[0]
	inc = Group([]anomaly.Incident{inc}, []anomaly.Alarm{ended(alarm("search", lat, 0), 4), ended(alarm("gateway", lat, 0), 4)}, shopGraph()).Changed[0]
	at := noon.Add(7 * time.Minute)
	inc.Status, inc.ResolvedAt = "resolved", &at
	for origin, same := range map[string]bool{"search": true, "checkout": false} {
		for _, alarms := range [][]anomaly.Alarm{{alarm("gateway", lat, 14), alarm(origin, lat, 14)}, {alarm("gateway", lat, 14), alarm(origin, lat, 14.5)}} {
			g := Group([]anomaly.Incident{inc}, alarms, shopGraph())
			if len(g.Changed) != 1 || (g.Changed[0].ID == inc.ID) != same {
				t.Errorf("after %s came: %v", origin, sets(g.Changed))
			}
		}
	}
}
