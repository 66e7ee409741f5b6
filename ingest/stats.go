package ingest

import (
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemarkhq/tidemark/store"
)

// Stats is a snapshot for people: the page "Ingest" and the metrics are made of it.
type Stats struct {
	Signals       map[string]SignalStats `json:"signals"`
	Services      []ServiceStats         `json:"services"` // by spans, logs and points accepted, most first; at most 100
	Reasons       []ReasonStats          `json:"reasons"`
	Batches       int64                  `json:"batches"`
	BatchRows     int64                  `json:"batch_rows"` // of the newest batch
	BatchMillis   float64                `json:"batch_ms"`   // how long its inserts took
	InFlightBytes int64                  `json:"in_flight_bytes"`
	InFlightLimit int64                  `json:"in_flight_limit"`
	Storing       bool                   `json:"storing"` // ClickHouse takes batches at once
	Spool         SpoolStats             `json:"spool"`
	InsertErrors  map[string]int64       `json:"insert_errors"` // by table
	LastError     string                 `json:"last_error"`
	// LagSeconds is the time between the newest span's start and its commit, for the newest batch.
	LagSeconds float64 `json:"lag_seconds"`

	FoldedOperations map[string]int64 `json:"folded_operations"` // spans counted under "(other)", by service
	RejectedSeries   map[string]int64 `json:"rejected_series"`   // points beyond the cap, by metric
	CappedKeys       []string         `json:"capped_keys"`       // "signal key" with more values than the cap

	ClockSkews []ClockSkew `json:"clock_skews"` // senders whose clocks differ from ours, the worst first
}

// SignalStats is one signal since the start.
type SignalStats struct {
	Requests   int64   `json:"requests"`
	Items      int64   `json:"items"`
	Rejected   int64   `json:"rejected"`
	Bytes      int64   `json:"bytes"`
	ItemsPerS  float64 `json:"items_per_s"` // over the last 10 s
	BytesPerS  float64 `json:"bytes_per_s"`
	AckP50     float64 `json:"ack_p50_ms"` // over the last 1 to 2 minutes
	AckP99     float64 `json:"ack_p99_ms"`
	Refused    int64   `json:"refused"`
	Duplicates int64   `json:"duplicates"`
}

// SpoolStats is what lies on the disk.
type SpoolStats struct {
	Files       int64   `json:"files"`   // including those of open batches
	Pending     int     `json:"pending"` // left behind and waiting to be replayed
	Bytes       int64   `json:"bytes"`
	Limit       int64   `json:"limit"`
	AgeSeconds  float64 `json:"age_seconds"` // of the oldest pending file
	Spooled     int64   `json:"spooled"`     // batches left to the spool since the start
	Replayed    int64   `json:"replayed"`
	Quarantined int64   `json:"quarantined"` // files
	SetAside    int64   `json:"set_aside"`   // rows that ClickHouse refused one by one, in files of their own
	Errors      int64   `json:"errors"`
}

// ReasonStats is one way in which requests or items were not stored as sent.
type ReasonStats struct {
	Signal  string    `json:"signal"`
	Reason  string    `json:"reason"`
	Count   int64     `json:"count"`
	Example string    `json:"example"`
	At      time.Time `json:"at"` // of the example
}

// ServiceStats is one service since the start.
type ServiceStats struct {
	Service string `json:"service"`
	Items   int64  `json:"items"`
}

// maxServices bounds the services counted one by one; the rest are "(other)".
const maxServices = 5000

// stats counts. The hot path touches atomics only.
type stats struct {
	in *Ingest

	signals        [signals]signalCounters
	batches        atomic.Int64
	batchRows      atomic.Int64
	batchNanos     atomic.Int64
	lagNanos       atomic.Int64
	spooledBatches atomic.Int64
	replayed       atomic.Int64
	quarantined    atomic.Int64
	asideRows      atomic.Int64
	spoolErrors    atomic.Int64
	stored         [signals]atomic.Int64

	mu        sync.Mutex
	reasons   map[reasonKey]*ReasonStats // guarded by mu, like all below
	services  map[string]int64
	inserts   map[string]int64
	lastError string
}

type reasonKey struct {
	signal Signal
	reason string
}

type signalCounters struct {
	requests, items, rejected, bytes, refused, duplicates atomic.Int64

	mu    sync.Mutex
	acks  [2][]uint32 // latency histograms of this minute and the one before, by store.LatencyBucket / 8
	since time.Time
	// ring of the items and bytes counted at the last ten seconds' starts
	ring [11]struct{ at, items, bytes int64 }
	next int
}

func newStats(in *Ingest) *stats {
	s := &stats{in: in, reasons: map[reasonKey]*ReasonStats{}, services: map[string]int64{}, inserts: map[string]int64{}}
	return s
}

const ackBuckets = 2048/8 + 1

func (s *stats) acknowledged(signal Signal, d time.Duration) {
	c := &s.signals[signal]
	c.requests.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.since) > time.Minute {
		c.acks[1], c.acks[0] = c.acks[0], make([]uint32, ackBuckets)
		c.since = now
	}
	c.acks[0][store.LatencyBucket(uint64(d))/8]++
	if sec := now.Unix(); sec != c.ring[(c.next+10)%11].at {
		r := &c.ring[c.next]
		r.at, r.items, r.bytes = sec, c.items.Load(), c.bytes.Load()
		c.next = (c.next + 1) % 11
	}
}

func (s *stats) decoded(signal Signal, t *tally, bytes int) {
	c := &s.signals[signal]
	c.items.Add(int64(t.accepted))
	c.bytes.Add(int64(bytes))
	if len(t.reasons) == 0 {
		return
	}
	c.rejected.Add(int64(t.rejected))
	for _, r := range t.reasons {
		s.count(signal, r.reason, r.count, r.example)
	}
}

func (s *stats) count(signal Signal, reason string, n int, example string) {
	if reason == duplicateRequest {
		s.signals[signal].duplicates.Add(int64(n))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := reasonKey{signal, reason}
	r := s.reasons[k]
	if r == nil {
		r = &ReasonStats{Signal: signal.String(), Reason: reason}
		s.reasons[k] = r
	}
	r.Count += int64(n)
	r.Example, r.At = example, time.Now()
}

func (s *stats) refused(signal Signal, e *OverloadError) {
	s.signals[signal].refused.Add(1)
	example := ""
	if e.Err != nil {
		example = e.Err.Error()
	}
	s.count(signal, e.Reason, 1, example)
}

func (s *stats) spoolFailed(err error) {
	s.spoolErrors.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastError = err.Error()
}

// setAside counts rows that ClickHouse refused one by one.
func (s *stats) setAside(table string, rows int, cause error) {
	signal := Traces
	switch {
	case table == "logs":
		signal = Logs
	case strings.HasPrefix(table, "metric_"):
		signal = Metrics
	}
	s.asideRows.Add(int64(rows))
	s.count(signal, rejectedByStore, rows, table+": "+cause.Error())
}

func (s *stats) insertFailed(table string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inserts[table]++
	s.lastError = err.Error()
}

// flushed counts a committed batch.
func (s *stats) flushed(b *batch, took time.Duration) {
	s.batches.Add(1)
	s.batchRows.Store(int64(b.rows))
	s.batchNanos.Store(int64(took))
	s.stored[Traces].Add(int64(b.spans.rows()))
	s.stored[Logs].Add(int64(b.logs.rows()))
	s.stored[Metrics].Add(int64(b.metrics.rows()))
	counts := map[string]int64{}
	if n := b.spans.rows(); n > 0 {
		_, last := span64(b.spans.start)
		s.lagNanos.Store(time.Now().UnixNano() - last)
		countResources(counts, b.spans.resource, b.spans.resources.list)
		s.in.skew.observe(b.spans, b.closed)
	}
	countResources(counts, b.logs.resource, b.logs.resources.list)
	s.mu.Lock()
	defer s.mu.Unlock()
	for service, n := range counts {
		if _, ok := s.services[service]; !ok && len(s.services) >= maxServices {
			service = foldedOperation
		}
		s.services[service] += n
	}
}

func countResources(counts map[string]int64, ids []uint32, list []*resource) {
	n := make([]int64, len(list))
	for _, id := range ids {
		n[id]++
	}
	for id, r := range list {
		counts[r.service] += n[id]
	}
}

// Stats takes a snapshot.
func (in *Ingest) Stats() Stats {
	s := in.stats
	_, storing := in.Ready()
	out := Stats{
		Signals: map[string]SignalStats{}, Batches: s.batches.Load(), BatchRows: s.batchRows.Load(),
		BatchMillis: float64(s.batchNanos.Load()) / 1e6, InFlightBytes: in.inFlight.Load(), InFlightLimit: in.opts.InFlightBytes,
		Storing: storing, LagSeconds: float64(s.lagNanos.Load()) / 1e9, InsertErrors: map[string]int64{},
		Spool: SpoolStats{Files: in.spool.Files(), Pending: in.replay.depth(), Bytes: in.spool.Bytes(), Limit: in.opts.SpoolBytes,
			AgeSeconds: in.replay.age().Seconds(), Spooled: s.spooledBatches.Load(), Replayed: s.replayed.Load(),
			Quarantined: s.quarantined.Load(), SetAside: s.asideRows.Load(), Errors: s.spoolErrors.Load()},
		FoldedOperations: in.ops.counts(), RejectedSeries: in.series.counts(), CappedKeys: []string{},
		Services: []ServiceStats{}, Reasons: []ReasonStats{}, ClockSkews: s.in.skew.list(time.Now()),
	}
	for signal := range signals {
		out.Signals[signal.String()] = s.signals[signal].snapshot()
	}
	for _, k := range in.values.capped() {
		out.CappedKeys = append(out.CappedKeys, k.signal+" "+k.key)
	}
	sort.Strings(out.CappedKeys)
	s.mu.Lock()
	defer s.mu.Unlock()
	out.LastError = s.lastError
	for _, r := range s.reasons {
		out.Reasons = append(out.Reasons, *r)
	}
	for t, n := range s.inserts {
		out.InsertErrors[t] = n
	}
	for service, n := range s.services {
		out.Services = append(out.Services, ServiceStats{service, n})
	}
	sort.Slice(out.Reasons, func(i, j int) bool { return out.Reasons[i].Count > out.Reasons[j].Count })
	sort.Slice(out.Services, func(i, j int) bool {
		a, b := out.Services[i], out.Services[j]
		return a.Items > b.Items || a.Items == b.Items && a.Service < b.Service
	})
	out.Services = out.Services[:min(len(out.Services), 100)]
	return out
}

func (c *signalCounters) snapshot() SignalStats {
	out := SignalStats{Requests: c.requests.Load(), Items: c.items.Load(), Rejected: c.rejected.Load(), Bytes: c.bytes.Load(),
		Refused: c.refused.Load(), Duplicates: c.duplicates.Load()}
	c.mu.Lock()
	defer c.mu.Unlock()
	out.AckP50, out.AckP99 = c.quantile(0.5), c.quantile(0.99)
	now := time.Now().Unix()
	for i := range c.ring {
		r := c.ring[(c.next+i)%11] // oldest first
		if r.at != 0 && now-r.at <= 10 {
			seconds := float64(max(now-r.at, 1))
			out.ItemsPerS, out.BytesPerS = float64(out.Items-r.items)/seconds, float64(out.Bytes-r.bytes)/seconds
			break
		}
	}
	return out
}

// quantile of the acknowledgement times, in ms. Called with mu held.
func (c *signalCounters) quantile(q float64) float64 {
	var total uint64
	for _, h := range c.acks {
		for _, n := range h {
			total += uint64(n)
		}
	}
	if total == 0 {
		return 0
	}
	rank := uint64(q * float64(total-1))
	for i := range ackBuckets {
		var n uint64
		for _, h := range c.acks {
			if h != nil {
				n += uint64(h[i])
			}
		}
		if rank < n {
			return store.LatencyValue(int16(i*8+4)) / 1e6
		}
		rank -= n
	}
	return 0
}
