// Package explain says which alarms are one incident and why it happened: where it starts, what the bad requests have
// in common, and which deployment brought it. Group is pure and puts alarms of connected services into incidents;
// Explainer reads a bounded sample of traces through query and ranks root causes with their evidence. Its invariant:
// an answer depends on what is stored up to the moment asked about, so that live detection and a backtest of the same
// time agree. How it is done is told in docs/incidents.md.
package explain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// Options say what an Explainer stands on. Zero fields take the defaults in brackets.
type Options struct {
	DB     *query.DB
	Traces int              // traces looked at on each side, before and during (600)
	Budget time.Duration    // of one explanation; what is known by then is the answer (10 s)
	Logger *slog.Logger     // (slog.Default())
	Now    func() time.Time // (time.Now)
}

// Explainer finds causes. It may be used by several goroutines at once.
type Explainer struct {
	o Options

	mu     sync.Mutex // guards graphs
	graphs map[int64]*Graph
}

// New makes an Explainer.
func New(o Options) *Explainer {
	if o.Traces == 0 {
		o.Traces = 600
	}
	if o.Budget == 0 {
		o.Budget = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Explainer{o: o, graphs: map[int64]*Graph{}}
}

// graphAge is how old a remembered call graph may be; mostGraphs how many are remembered.
const (
	graphAge   = 10 * time.Minute
	mostGraphs = 16
)

// Graph is who called whom in the day before a moment, remembered for ten minutes of that moment. Where no edges are
// known of that day, as in a history that has just arrived, the day after it serves, or the newest there is.
func (e *Explainer) Graph(ctx context.Context, at time.Time) (*Graph, error) {
	k := at.Truncate(graphAge).Unix()
	e.mu.Lock()
	g := e.graphs[k]
	e.mu.Unlock()
	if g != nil {
		return g, nil
	}
	var edges []query.CallEdge
	for _, day := range []time.Time{at, at.Add(24 * time.Hour), e.o.Now()} {
		var err error
		if edges, err = e.o.DB.CallGraphAt(ctx, day, ""); err != nil {
			return nil, fmt.Errorf("read who calls whom: %w", err)
		}
		if len(edges) > 0 {
			break
		}
	}
	g = NewGraph(edges)
	if len(edges) == 0 {
		return g, nil // not remembered: the first calls may come any moment
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.graphs) >= mostGraphs {
		clear(e.graphs)
	}
	e.graphs[k] = g
	return g, nil
}

// Explain fills in what an incident means: title, severity, services, summary, share of requests affected, the order of
// its alarms and its root causes, from what is stored up to at. What cannot be read leaves the incident with what its
// alarms alone say, and the error.
func (e *Explainer) Explain(ctx context.Context, inc anomaly.Incident, g *Graph, at time.Time) (anomaly.Incident, error) {
	summarize(&inc, g)
	if codeOnly(inc.Alarms) {
		return inc, nil // profiles have said it all
	}
	ctx, cancel := context.WithTimeout(ctx, e.o.Budget)
	defer cancel()
	c, err := e.investigate(ctx, &inc, g, at)
	if err != nil {
		return inc, fmt.Errorf("explain incident %s: %w", inc.ID, err)
	}
	causes := c.rank()
	if err := e.detail(ctx, c, causes); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return inc, fmt.Errorf("explain incident %s: %w", inc.ID, err)
	}
	c.conclude(&inc, causes)
	joinCode(&inc)
	return inc, nil
}
