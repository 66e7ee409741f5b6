// Package load plays the customers of the demo shop: visits arrive at random
// around a rhythm that looks like a day, and each visit is a journey of a few
// requests with time to think in between. Its main type is Generator. Visits
// in progress are bounded; what would exceed the bound is skipped and counted,
// so that a shop in trouble is never buried. Customers send no telemetry.
package load

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/shop"
)

const (
	maxVisits      = 256
	requestTimeout = 15 * time.Second
	rateWindow     = 10 // seconds over which the present rate is averaged
)

// Options shape the load.
type Options struct {
	Rhythm   Rhythm
	Seed     uint64
	Products int                    // ids 1…Products are asked for
	Frontend func() (string, error) // address of the instance whose turn it is
	// ThinkScale shortens or stretches the time between the requests of a visit; 0 means 1.
	ThinkScale float64
}

// Generator makes the load. Run it once.
type Generator struct {
	options Options
	client  *http.Client
	planner *planner
	rng     *rand.Rand
	visits  sync.WaitGroup
	slots   chan struct{}

	started  atomic.Pointer[time.Time]
	requests atomic.Int64
	failed   atomic.Int64
	refused  atomic.Int64
	skipped  atomic.Int64
	recent   window
}

// New prepares a generator.
func New(opt Options) *Generator {
	if opt.ThinkScale == 0 {
		opt.ThinkScale = 1
	}
	rng := rand.New(rand.NewPCG(opt.Seed, 4))
	return &Generator{
		options: opt,
		client: &http.Client{Timeout: requestTimeout, Transport: &http.Transport{
			MaxIdleConnsPerHost: 32, IdleConnTimeout: 30 * time.Second,
		}},
		planner: newPlanner(rng, opt.Products),
		rng:     rng,
		slots:   make(chan struct{}, maxVisits),
	}
}

// Run sends visits until ctx ends, and returns when the last of them broke off.
func (g *Generator) Run(ctx context.Context) {
	start := time.Now()
	g.started.Store(&start)
	noise := 0.0
	for next := start; ; {
		j := g.planner.journey()
		select {
		case <-ctx.Done():
			g.visits.Wait()
			g.client.CloseIdleConnections()
			return
		case <-time.After(time.Until(next)):
		}
		g.visit(ctx, j)

		// Slow noise on the rate, and arrivals at random around it. A visit of n
		// requests makes n gaps, so that the mean is one of requests.
		noise = 0.98*noise + 0.02*g.rng.NormFloat64()
		rate := g.options.Rhythm.Rate(time.Since(start)) * math.Exp(noise)
		gap := g.rng.ExpFloat64() * float64(len(j.steps)) / rate
		next = next.Add(time.Duration(gap * float64(time.Second)))
	}
}

func (g *Generator) visit(ctx context.Context, j journey) {
	select {
	case g.slots <- struct{}{}:
	default:
		g.skipped.Add(1)
		return
	}
	g.visits.Go(func() {
		defer func() { <-g.slots }()
		g.follow(ctx, j)
	})
}

// follow walks the journey; a refusal or failure ends it, as it would a customer's.
func (g *Generator) follow(ctx context.Context, j journey) {
	order := ""
	for _, s := range j.steps {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(float64(s.think) * g.options.ThinkScale)):
		}
		status, body := g.send(ctx, j, strings.ReplaceAll(s.path, "{order}", order), s)
		switch {
		case ctx.Err() != nil:
			return
		case status == 0 || status >= 500:
			g.failed.Add(1)
			return
		case status >= 400:
			g.refused.Add(1)
			if j.kind != "lost" { // who follows a dead link looks at the home page next
				return
			}
		case s.path == "/checkout":
			var placed struct {
				ID string `json:"id"`
			}
			if json.Unmarshal(body, &placed) != nil {
				return
			}
			order = placed.ID
		}
	}
}

// send returns status 0 if no answer came.
func (g *Generator) send(ctx context.Context, j journey, path string, s step) (status int, body []byte) {
	g.requests.Add(1)
	g.recent.add(time.Now())
	address, err := g.options.Frontend()
	if err != nil {
		return 0, nil
	}
	req, err := http.NewRequestWithContext(ctx, s.method, "http://"+address+path, strings.NewReader(s.body))
	if err != nil {
		return 0, nil
	}
	req.Header.Set("User-Agent", "demo-customer/1.0")
	req.Header.Set(shop.UserHeader, j.user)
	req.Header.Set(shop.TierHeader, j.tier)
	resp, err := g.client.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, body
}

// State is the load as shown to people.
type State struct {
	Running    bool    `json:"running"`
	MeanRate   float64 `json:"mean_rate"`   // entry requests a second, as asked for
	TargetRate float64 `json:"target_rate"` // by the rhythm, now
	Rate       float64 `json:"rate"`        // measured over the last seconds
	Clock      float64 `json:"clock"`       // time of the pressed day, share of it
	DaySeconds float64 `json:"day_seconds"`
	Requests   int64   `json:"requests"`
	Failed     int64   `json:"failed"`  // answered 5xx or not at all
	Refused    int64   `json:"refused"` // answered 4xx
	Skipped    int64   `json:"skipped"` // visits not begun: too many in progress
	Visits     int     `json:"visits"`  // in progress
}

// State reports the load at this moment.
func (g *Generator) State() State {
	s := State{
		MeanRate: g.options.Rhythm.Mean, DaySeconds: g.options.Rhythm.Day.Seconds(),
		Requests: g.requests.Load(), Failed: g.failed.Load(), Refused: g.refused.Load(), Skipped: g.skipped.Load(),
		Visits: len(g.slots),
	}
	elapsed := time.Duration(0)
	if started := g.started.Load(); started != nil {
		s.Running = true
		elapsed = time.Since(*started)
		s.TargetRate = g.options.Rhythm.Rate(elapsed)
		s.Rate = g.recent.rate(time.Now(), elapsed)
	}
	s.Clock = g.options.Rhythm.Clock(elapsed)
	return s
}

// window counts events of the last rateWindow whole seconds.
type window struct {
	mu      sync.Mutex // guards what follows
	seconds [rateWindow + 1]int64
	counts  [rateWindow + 1]int
}

func (w *window) add(now time.Time) {
	second := now.Unix()
	at := second % int64(len(w.seconds))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seconds[at] != second {
		w.seconds[at], w.counts[at] = second, 0
	}
	w.counts[at]++
}

// rate leaves out the second in progress, and does not count time before the start.
func (w *window) rate(now time.Time, elapsed time.Duration) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	sum := 0
	for at, second := range w.seconds {
		if age := now.Unix() - second; age >= 1 && age <= rateWindow {
			sum += w.counts[at]
		}
	}
	return float64(sum) / max(1, min(rateWindow, elapsed.Seconds()))
}
