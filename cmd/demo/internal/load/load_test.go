package load

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRhythmAveragesToItsMeanAndNeverStops(t *testing.T) {
	r := Rhythm{Mean: 8, Day: 20 * time.Minute}
	sum, lowest, highest, n := 0.0, r.Mean, r.Mean, 0
	for at := time.Duration(0); at < r.Day; at += time.Second {
		rate := r.Rate(at)
		sum += rate
		lowest, highest = min(lowest, rate), max(highest, rate)
		n++
	}
	if mean := sum / float64(n); mean < 7.9 || mean > 8.1 {
		t.Errorf("a day averages %.2f requests/s, want 8", mean)
	}
	if lowest < 1 || lowest > 4 || highest < 11 || highest > 16 {
		t.Errorf("a day goes from %.1f to %.1f requests/s: want a real night and a real peak", lowest, highest)
	}
	if start := r.Rate(0); start < 5 || start > 12 {
		t.Errorf("the demo starts at %.1f requests/s, want near the mean", start)
	}
	if morning, midnight := r.Clock(0), r.Clock(15*r.Day/24); morning != 9.0/24 || midnight > 0.001 && midnight < 0.999 {
		t.Errorf("clock is %.3f at the start and %.3f fifteen hours later", morning, midnight)
	}
}

func TestJourneysAreReproducibleAndMixed(t *testing.T) {
	plan := func() []journey {
		p := newPlanner(rand.New(rand.NewPCG(7, 4)), 5000)
		var all []journey
		for range 2000 {
			all = append(all, p.journey())
		}
		return all
	}
	first, second := plan(), plan()
	seen := map[string]int{}
	for n, j := range first {
		seen[j.kind]++
		if len(j.steps) != len(second[n].steps) || j.steps[0] != second[n].steps[0] || j.user != second[n].user {
			t.Fatalf("journey %d differs between two runs with one seed", n)
		}
		if j.steps[0].think != 0 {
			t.Errorf("journey %d thinks before its first request", n)
		}
	}
	for _, kind := range kinds {
		if share := float64(seen[kind.name]) / 2000; share < kind.share*0.6 || share > kind.share*1.5 {
			t.Errorf("%s is %.3f of the journeys, want about %.2f", kind.name, share, kind.share)
		}
	}
}

func TestGeneratorKeepsItsRateAndFollowsOrders(t *testing.T) {
	var mu sync.Mutex
	paths := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		paths[r.Method+" "+r.URL.Path]++
		mu.Unlock()
		if r.URL.Path == "/checkout" {
			w.Write([]byte(`{"id":"order-1"}`))
		}
	}))
	defer server.Close()
	g := New(Options{
		Rhythm: Rhythm{Mean: 200, Day: time.Hour}, Seed: 1, Products: 5000, ThinkScale: 0.001,
		Frontend: func() (string, error) { return strings.TrimPrefix(server.URL, "http://"), nil },
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	g.Run(ctx)

	state := g.State()
	if want := 2 * g.options.Rhythm.Rate(0); float64(state.Requests) < want/2 || float64(state.Requests) > want*2 {
		t.Errorf("%d requests in 2 s, want about %.0f", state.Requests, want)
	}
	if state.Visits != 0 || state.Failed > 0 || state.Skipped > 0 {
		t.Errorf("after the run: %+v", state)
	}
	mu.Lock()
	defer mu.Unlock()
	if paths["GET /orders/order-1"] == 0 {
		t.Errorf("nobody looked at the order placed: %v", paths)
	}
}

func TestWindowForgetsOldSeconds(t *testing.T) {
	var w window
	start := time.Unix(1_000_000, 0)
	for s := range 30 {
		for range 5 {
			w.add(start.Add(time.Duration(s) * time.Second))
		}
	}
	if rate := w.rate(start.Add(30*time.Second), time.Minute); rate != 5 {
		t.Errorf("rate = %v of a steady 5/s", rate)
	}
	if rate := w.rate(start.Add(60*time.Second), time.Minute); rate != 0 {
		t.Errorf("rate = %v half a minute after the last request", rate)
	}
}
