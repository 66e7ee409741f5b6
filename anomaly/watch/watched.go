package watch

import (
	"cmp"
	"slices"
)

// Watched is a metric by which a service is known.
type Watched struct {
	Env     string  `json:"env"`
	Metric  string  `json:"metric"` // as it was sent
	Label   string  `json:"label"`  // its pool, consumer group or cache, where there are several
	Peer    string  `json:"peer"`   // its queue, where there are several
	What    string  `json:"what"`   // in words: CPU use
	Unit    string  `json:"unit"`   // of what is judged: 1 for shares, s, By, {goroutine}
	History float64 `json:"history_days"`
}

// WatchedOf lists the metrics by which a service is known, shares of a whole first. Without an environment those of all.
func (w *Watch) WatchedOf(service, env string) []Watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []Watched{}
	if w.beside == nil {
		return out
	}
	now := w.o.Now().Unix()
	for _, x := range w.beside.meters.series {
		if x.service != service || env != "" && x.env != env || x.since == 0 {
			continue
		}
		out = append(out, Watched{Env: x.env, Metric: x.metric, Label: x.label, Peer: x.queue, What: x.of.what, Unit: x.of.unit, History: float64(now-x.since) / 86400})
	}
	slices.SortStableFunc(out, func(a, b Watched) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(a.What, b.What), cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Peer, b.Peer))
	})
	return out
}

// rank has first what people look at first: shares, then memory, then times, then counts.
func rank(x Watched) int {
	i := slices.Index([]string{"1", "{cpu}", "By", "s"}, x.Unit)
	if i < 0 {
		return 4
	}
	return i
}
