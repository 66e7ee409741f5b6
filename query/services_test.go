package query

import (
	"errors"
	"math"
	"testing"
	"time"
)

func near(t *testing.T, what string, got *float64, want, within float64) {
	t.Helper()
	if got == nil || math.Abs(*got-want) > within*want {
		t.Errorf("%s is %v, want %v within %v %%", what, deref(got), want, 100*within)
	}
}

func deref(f *float64) any {
	if f == nil {
		return nil
	}
	return *f
}

func TestServices(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	ans, err := db.Services(t.Context(), last(10*time.Minute), "prod")
	if err != nil {
		t.Fatal(err)
	}
	if len(ans.Services) != 2 {
		t.Fatalf("%d services, want 2", len(ans.Services))
	}
	var front ServiceRow
	for _, s := range ans.Services {
		if s.Service == "frontend" {
			front = s
		}
	}
	if front.Calls != 600 || front.Errors != 60 || front.Language != "go" || front.Instances != 2 || len(front.Versions) != 2 || front.Previous != nil {
		t.Errorf("frontend: %+v", front)
	}
	near(t, "rate", &front.Rate, 1, .05)
	near(t, "p50", front.P50, 10e6, .02)
	near(t, "p95", front.P95, 200e6, .02)
	if len(front.Sparkline.Rate) != ans.Range.Points() {
		t.Errorf("%d sparkline points for %d steps", len(front.Sparkline.Rate), ans.Range.Points())
	}
	if none, err := db.Services(t.Context(), last(10*time.Minute), "staging"); err != nil || len(none.Services) != 0 {
		t.Errorf("staging: %v, %v", none, err)
	}
}

func TestServicesPrevious(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	ans, err := db.Services(t.Context(), last(5*time.Minute), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range ans.Services {
		if s.Calls != 300 || s.Previous == nil || s.Previous.Calls != 300 {
			t.Errorf("%s: %d calls, before: %+v", s.Service, s.Calls, s.Previous)
		}
	}
}

func TestService(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	ans, err := db.Service(t.Context(), last(10*time.Minute), "frontend", "")
	if err != nil {
		t.Fatal(err)
	}
	if ans.Total.Calls != 600 || len(ans.Instances) != 2 || len(ans.Versions) != 2 || ans.Resource["telemetry.sdk.language"] != "go" || len(ans.Envs) != 1 {
		t.Errorf("%+v", ans)
	}
	if _, err := db.Service(t.Context(), last(time.Hour), "nobody", ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("a service never seen: %v", err)
	}
}

func TestOperations(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	for _, entry := range []bool{true, false} {
		ans, err := db.Operations(t.Context(), last(10*time.Minute), "frontend", "prod", entry)
		if err != nil {
			t.Fatal(err)
		}
		if len(ans.Operations) != 1 || ans.Operations[0].Name != "GET /cart" || ans.Operations[0].Kind != "server" || ans.Operations[0].TimeShare != 1 || ans.Operations[0].Calls != 600 {
			t.Errorf("entry %v: %+v", entry, ans.Operations)
		}
	}
}

func TestRed(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	for _, c := range []struct {
		s    Selection
		by   string
		keys map[string]uint64
	}{
		{Selection{}, "", map[string]uint64{"": 1200}},
		{Selection{}, "service", map[string]uint64{"frontend": 600, "payment": 600}},
		{Selection{Service: "frontend"}, "version", map[string]uint64{"1.0": 540, "1.1": 60}},
		{Selection{Service: "frontend"}, "instance", map[string]uint64{"pod-1": 540, "pod-2": 60}},
		{Selection{Service: "payment"}, "operation", map[string]uint64{"POST /charge": 600}},
		{Selection{Operation: "POST /charge", Kind: "server"}, "", map[string]uint64{"": 600}},
		{Selection{Kind: "client"}, "", map[string]uint64{}},
		{Selection{Service: "it's \\ quoted\t"}, "", map[string]uint64{}},
	} {
		ans, err := db.Red(t.Context(), last(10*time.Minute), c.s, c.by, 0)
		if err != nil {
			t.Errorf("%+v by %q: %v", c.s, c.by, err)
			continue
		}
		got := map[string]uint64{}
		for _, s := range ans.Series {
			got[s.Key] = s.Total.Calls
			var sum float64
			for _, r := range s.Rate {
				if r != nil {
					sum += *r * ans.Range.seconds()
				}
			}
			if math.Round(sum) != float64(s.Total.Calls) {
				t.Errorf("%+v by %q: %s: the rates are worth %v calls of %d", c.s, c.by, s.Key, sum, s.Total.Calls)
			}
		}
		if len(got) != len(c.keys) {
			t.Errorf("%+v by %q: %v, want %v", c.s, c.by, got, c.keys)
		}
		for k, n := range c.keys {
			if got[k] != n {
				t.Errorf("%+v by %q: %v, want %v", c.s, c.by, got, c.keys)
			}
		}
	}
	var input *InputError
	for _, by := range []string{"name", "x"} {
		if _, err := db.Red(t.Context(), last(time.Hour), Selection{}, by, 0); !errors.As(err, &input) {
			t.Errorf("by %s: %v", by, err)
		}
	}
}

func TestRollupsAgree(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	for step, resolution := range map[time.Duration]string{10 * time.Second: "10s", time.Minute: "1m", time.Hour: "1h"} {
		ans, err := db.Red(t.Context(), last(10*time.Minute), Selection{Service: "frontend"}, "", step)
		if err != nil {
			t.Fatal(err)
		}
		if ans.Range.Resolution != resolution || len(ans.Series) != 1 || ans.Series[0].Total.Calls != 600 || ans.Series[0].Total.Errors != 60 {
			t.Errorf("step %v: %+v", step, ans)
		}
	}
}

func TestHeatmapCountsEverything(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	ans, err := db.Heatmap(t.Context(), last(10*time.Minute), Selection{Service: "frontend"})
	if err != nil {
		t.Fatal(err)
	}
	n := len(ans.BoundsNS) - 1
	var sum, slow uint64
	for i, c := range ans.Cells {
		sum += c
		if ans.BoundsNS[i%n+1] > 150e6 {
			slow += c
		}
	}
	if sum != 600 || slow != 60 || len(ans.Cells) != n*ans.Range.Points() || n > heatRows+1 {
		t.Errorf("%d calls, %d slow, %d rows, %d cells", sum, slow, n, len(ans.Cells))
	}
}

func TestDependenciesAndMap(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	ans, err := db.Dependencies(t.Context(), last(10*time.Minute), "payment", "")
	if err != nil {
		t.Fatal(err)
	}
	if len(ans.Callers) != 1 || ans.Callers[0].Source != "frontend" || ans.Callers[0].Calls != 600 || len(ans.Callees) != 1 || ans.Callees[0].Target != "orders" || ans.Callees[0].TargetKind != "database" {
		t.Errorf("%+v", ans)
	}
	m, err := db.Map(t.Context(), last(10*time.Minute), "", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Nodes) != 3 || len(m.Edges) != 2 {
		t.Errorf("%d nodes, %d edges", len(m.Nodes), len(m.Edges))
	}
	nodes := map[string]bool{}
	for _, n := range m.Nodes {
		nodes[n.ID] = true
	}
	for _, e := range m.Edges {
		if !nodes[e.Source] || !nodes[e.Target] {
			t.Errorf("an edge from %s to %s, which are not both nodes", e.Source, e.Target)
		}
	}
	m, err = db.Map(t.Context(), last(10*time.Minute), "", "frontend", 1)
	if err != nil || len(m.Nodes) != 2 || len(m.Edges) != 1 {
		t.Errorf("around frontend: %+v, %v", m, err)
	}
}
