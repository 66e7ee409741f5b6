package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// incidentList is what a list of incidents says of each.
type incidentList struct {
	Incidents []struct {
		ID, Status, Title string
		Services          []string
		ByHand            bool `json:"by_hand"`
	}
}

func (p *product) incidents(t testing.TB, status string) incidentList {
	t.Helper()
	var l incidentList
	p.get(t, "/api/v1/incidents?from=now-24h&to=now&status="+status, &l)
	return l
}

// TestIncidentThroughARestart: history is sent, one service begins to fail, and the product is stopped and started
// again. It has neither forgotten the incident nor told a new one of it, nor of the pause. What people then do about
// the incident is kept.
func TestIncidentThroughARestart(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	p := startProduct(t, dir, "--self-telemetry=false")
	names := []string{"front", "back", "mail"}
	s := newSender(t, p)
	began := time.Now()
	for at := began.Add(-2 * time.Hour); at.Before(began); at = at.Add(10 * time.Second) {
		r := request("front", 0)
		r.ResourceSpans = nil
		for _, name := range names {
			failing := name == "back" && began.Sub(at) < 3*time.Minute
			r.ResourceSpans = append(r.ResourceSpans, traffic(name, at, 20, failing)...)
		}
		if err := s.send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if code := p.stop(); code != 0 { // what is learned is what was stored when it starts
		t.Fatalf("the product ended with %d:\n%s", code, p.stderr.tail())
	}
	p = startProduct(t, dir, "--self-telemetry=false")
	within(t, 90*time.Second, "the incident", func() bool { return len(p.incidents(t, "open").Incidents) == 1 })
	before := p.incidents(t, "").Incidents
	if len(before) != 1 || len(before[0].Services) != 1 || before[0].Services[0] != "back" {
		t.Fatalf("incidents: %+v", before)
	}
	id := before[0].ID
	if code := p.stop(); code != 0 {
		t.Fatalf("the product ended with %d:\n%s", code, p.stderr.tail())
	}

	p = startProduct(t, dir, "--self-telemetry=false")
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	defer sending.Wait()
	defer cancel()
	sending.Go(func() { p.keepSending(ctx, t, names, "back") })
	within(t, 120*time.Second, "detection", func() bool {
		var d struct{ Learned, Leads bool }
		p.get(t, "/api/v1/detection", &d)
		return d.Learned && d.Leads
	})
	within(t, 120*time.Second, "some rounds of detection", func() bool { return p.metric(t, "tidemark_detection_ticks_total") >= 3 })
	after := p.incidents(t, "").Incidents
	if len(after) != 1 || after[0].ID != id || after[0].Status != "open" {
		t.Fatalf("after the restart: %+v", after)
	}
	var one struct{ Events []struct{ Kind, Text string } }
	p.get(t, "/api/v1/incidents/"+id, &one)
	opened := 0
	for _, e := range one.Events {
		if e.Kind == "opened" {
			opened++
		}
	}
	if opened != 1 {
		t.Errorf("it was opened %d times: %+v", opened, one.Events)
	}
	p.whatPeopleDo(t, id)
}

// keepSending sends requests of services as they come, those of one failing.
func (p *product) keepSending(ctx context.Context, t *testing.T, names []string, failing string) {
	s := newSender(t, p)
	sent := time.Now().Truncate(time.Second)
	for tick := time.NewTicker(time.Second); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case now := <-tick.C:
			r := request("front", 0)
			r.ResourceSpans = nil
			for ; sent.Add(time.Second).Before(now); sent = sent.Add(time.Second) {
				for _, name := range names {
					r.ResourceSpans = append(r.ResourceSpans, traffic(name, sent, 2, name == failing)...)
				}
			}
			if err := s.send(ctx, r); err != nil && ctx.Err() == nil {
				t.Errorf("send: %v", err)
				return
			}
		}
	}
}

// whatPeopleDo goes through everything that may be done about an incident that goes on.
func (p *product) whatPeopleDo(t *testing.T, id string) {
	t.Helper()
	path := "/api/v1/incidents/" + id
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/api/v1/incidents/none", "", 404},
		{"GET", "/api/v1/incidents?from=now-1h&to=now&status=closed", "", 400},
		{"POST", "/api/v1/incidents/none/notes", `{"text":"x"}`, 404},
		{"POST", "/api/v1/incidents/none/acknowledge", "", 404},
		{"POST", "/api/v1/incidents/none/resolve", "", 404},
		{"POST", "/api/v1/incidents/none/normal", "", 404},
		{"DELETE", "/api/v1/incidents/none/normal", "", 404},
		{"POST", path + "/notes", `{"text":"  "}`, 400},
		{"POST", path + "/notes", `{"note":"x"}`, 400},
		{"POST", "/api/v1/mutes", `{"subject":{},"reason":"x"}`, 400},
		{"POST", "/api/v1/mutes", `{"subject":{"service":"back"},"until":"2020-01-01T00:00:00Z"}`, 400},
		{"DELETE", "/api/v1/mutes/none", "", 404},
		{"PUT", "/api/v1/sensitivity", `{"default":-1}`, 400},
		{"PUT", "/api/v1/sensitivity", `{"default":0.1,"overrides":[{"budget":1}]}`, 400},
		{"GET", "/api/v1/bands?from=now-1h&to=now&service=back&symptom=saturation", "", 400},
		{"GET", "/api/v1/bands?from=now-1h&to=now&service=back&metric=process.cpu.utilization", "", 200},
		{"POST", path + "/notes", `{"text":"the new pool"}`, 200},
		{"POST", path + "/acknowledge", "", 200},
	} {
		if got, said := p.ask(t, c.method, c.path, c.body); got != c.want {
			t.Errorf("%s %s: %d, want %d: %s", c.method, c.path, got, c.want, said)
		}
	}
	if got, _ := p.ask(t, "POST", path+"/resolve", "", "Origin", "http://elsewhere.example"); got != http.StatusForbidden {
		t.Errorf("a page of another origin closes it: %d", got)
	}

	if got, said := p.ask(t, "PUT", "/api/v1/sensitivity", `{"default":0.1,"overrides":[{"service":"back","operation":"GET /item","budget":0.001}]}`); got != http.StatusOK {
		t.Errorf("sensitivity of an operation: %d %s", got, said)
	}
	var set struct {
		Overrides []struct{ Service, Operation string }
	}
	if p.get(t, "/api/v1/sensitivity", &set); len(set.Overrides) != 1 || set.Overrides[0].Operation != "GET /item" {
		t.Errorf("sensitivity: %+v", set)
	}

	// Closed by hand: it is listed so, and stays closed while it goes on.
	if got, said := p.ask(t, "POST", path+"/resolve", ""); got != http.StatusOK {
		t.Fatalf("resolve: %d %s", got, said)
	}
	p.rounds(t, 2)
	if open, done := p.incidents(t, "open").Incidents, p.incidents(t, "resolved").Incidents; len(open) != 0 || len(done) != 1 || !done[0].ByHand {
		_, page := p.ask(t, "GET", path, "")
		t.Errorf("closed by hand: open %+v, resolved %+v\n%s", open, done, page)
	}
	// Normal, and back: then it is told again.
	for i, method := range []string{"POST", "DELETE"} {
		want := 1 - i
		if got, said := p.ask(t, method, path+"/normal", ""); got != http.StatusOK {
			t.Errorf("%s normal: %d %s", method, got, said)
		}
		var learned struct {
			Normal []struct {
				Incident string
				Alarms   []struct{ Observed float64 }
			}
		}
		if p.get(t, "/api/v1/normal", &learned); len(learned.Normal) != want || want == 1 && (learned.Normal[0].Incident != id || len(learned.Normal[0].Alarms) == 0) {
			t.Errorf("normal after %s: %+v", method, learned)
		}
	}
	within(t, 120*time.Second, "it to be told again", func() bool { return len(p.incidents(t, "open").Incidents) == 1 })

	status, body := p.ask(t, "POST", "/api/v1/mutes", `{"subject":{"service":"back"},"reason":"known"}`)
	var m struct{ ID string }
	if err := json.Unmarshal([]byte(body), &m); err != nil || status != http.StatusOK || m.ID == "" {
		t.Fatalf("mute: %d %s", status, body)
	}
	var list struct{ Mutes []struct{ ID string } }
	if p.get(t, "/api/v1/mutes", &list); len(list.Mutes) != 1 {
		t.Errorf("mutes: %+v", list)
	}
	if got, said := p.ask(t, "DELETE", "/api/v1/mutes/"+m.ID, ""); got != http.StatusOK && got != http.StatusNoContent {
		t.Errorf("unmute: %d %s", got, said)
	}
	if p.get(t, "/api/v1/mutes", &list); len(list.Mutes) != 0 {
		t.Errorf("mutes after it was lifted: %+v", list)
	}
	p.noteOf(t, path)
}

// noteOf finds on an incident's page what was done.
func (p *product) noteOf(t *testing.T, path string) {
	t.Helper()
	_, page := p.ask(t, "GET", path, "")
	for _, want := range []string{`"note"`, `"the new pool"`, `"acknowledged"`, `"resolved"`, `"normal"`, `"not_normal"`, `"muted"`, `"unmuted"`} {
		if !bytes.Contains([]byte(page), []byte(want)) {
			t.Errorf("the page does not tell of %s", want)
		}
	}
}

// rounds waits for some rounds of detection.
func (p *product) rounds(t *testing.T, n float64) {
	t.Helper()
	until := p.metric(t, "tidemark_detection_ticks_total") + n
	within(t, 120*time.Second, "rounds of detection", func() bool { return p.metric(t, "tidemark_detection_ticks_total") >= until })
}
