package ingest

import (
	"sync"
	"time"
)

// History is how ingest fared lately, a column for each number and an element for each step, oldest first. Elements
// before the process began are missing rather than zero.
type History struct {
	StartMS       int64                    `json:"start_ms"` // when the first step begins
	StepMS        int64                    `json:"step_ms"`
	Signals       map[string]SignalHistory `json:"signals"`
	LagP95        []float64                `json:"lag_p95_ms"` // from a span's end to its visibility
	SpoolBytes    []float64                `json:"spool_bytes"`
	InFlightBytes []float64                `json:"in_flight_bytes"`
}

// SignalHistory is one signal.
type SignalHistory struct {
	ItemsPerS   []float64 `json:"items_per_s"`
	BytesPerS   []float64 `json:"bytes_per_s"`
	RefusedPerS []float64 `json:"refused_per_s"`
	AckP99      []float64 `json:"ack_p99_ms"`
}

const (
	historyStep  = 5 * time.Second
	historySteps = 180 // a quarter of an hour
)

// history samples the counters once a step.
type history struct {
	mu     sync.Mutex
	at     time.Time // of the newest sample; guarded by mu, like all below
	steps  []historySample
	before [signals]SignalStats
}

type historySample struct {
	signals         [signals]struct{ items, bytes, refused, ack float64 }
	lag             float64
	spool, inFlight float64
}

// sample takes samples until ingest closes.
func (in *Ingest) sample() {
	ticks := time.NewTicker(historyStep)
	defer ticks.Stop()
	in.stats.history.take(in.stats, time.Now())
	in.resources.senders.mark(time.Now())
	for {
		select {
		case now := <-ticks.C:
			in.stats.history.take(in.stats, now)
			in.resources.senders.mark(now)
		case <-in.ctx.Done():
			return
		}
	}
}

func (h *history) take(s *stats, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := h.at.IsZero()
	seconds := now.Sub(h.at).Seconds()
	h.at = now
	x := historySample{lag: s.lag.quantiles().P95, spool: float64(s.in.spool.Bytes()), inFlight: float64(s.in.inFlight.Load())}
	for signal := range signals {
		g, b := s.signals[signal].snapshot(), h.before[signal]
		h.before[signal] = g
		to := &x.signals[signal]
		to.items, to.bytes = float64(g.Items-b.Items)/seconds, float64(g.Bytes-b.Bytes)/seconds
		to.refused, to.ack = float64(g.Refused-b.Refused)/seconds, g.AckP99
	}
	if first { // there is nothing to compare with
		return
	}
	if len(h.steps) == historySteps {
		h.steps = append(h.steps[:0], h.steps[1:]...)
	}
	h.steps = append(h.steps, x)
}

func (h *history) columns() History {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := History{StepMS: historyStep.Milliseconds(), Signals: map[string]SignalHistory{}}
	out.StartMS = h.at.Add(-time.Duration(len(h.steps)) * historyStep).UnixMilli()
	column := func(of func(*historySample) float64) []float64 {
		v := make([]float64, len(h.steps))
		for i := range h.steps {
			v[i] = of(&h.steps[i])
		}
		return v
	}
	for signal := range signals {
		out.Signals[signal.String()] = SignalHistory{
			ItemsPerS:   column(func(x *historySample) float64 { return x.signals[signal].items }),
			BytesPerS:   column(func(x *historySample) float64 { return x.signals[signal].bytes }),
			RefusedPerS: column(func(x *historySample) float64 { return x.signals[signal].refused }),
			AckP99:      column(func(x *historySample) float64 { return x.signals[signal].ack }),
		}
	}
	out.LagP95 = column(func(x *historySample) float64 { return x.lag })
	out.SpoolBytes = column(func(x *historySample) float64 { return x.spool })
	out.InFlightBytes = column(func(x *historySample) float64 { return x.inFlight })
	return out
}

// History takes a copy of the last quarter of an hour.
func (in *Ingest) History() History { return in.stats.history.columns() }
