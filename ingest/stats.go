package ingest

import (
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Stats is a snapshot for people: the page "Ingest" and the metrics are made of it.
type Stats struct {
	Signals       map[string]SignalStats `json:"signals"`
	Services      []ServiceStats         `json:"services"` // by items accepted, most first; at most 500
	Reasons       []ReasonStats          `json:"reasons"`
	Batches       int64                  `json:"batches"`
	BatchRows     int64                  `json:"batch_rows"` // of the newest batch
	BatchMillis   float64                `json:"batch_ms"`   // how long its inserts took
	Flushes       FlushStats             `json:"flushes"`
	InFlightBytes int64                  `json:"in_flight_bytes"`
	InFlightLimit int64                  `json:"in_flight_limit"`
	Storing       bool                   `json:"storing"` // ClickHouse takes batches at once
	Spool         SpoolStats             `json:"spool"`
	InsertErrors  map[string]int64       `json:"insert_errors"` // by table
	LastError     string                 `json:"last_error"`
	// LagSeconds is the time between the newest span's start and its commit, for the newest batch.
	LagSeconds float64 `json:"lag_seconds"`
	// Lag is the time from the end of spans to their visibility, and Commit that from the receipt of the first request
	// of a batch: the part of Lag that is ingest's, at most.
	Lag    Quantiles `json:"lag"`
	Commit Quantiles `json:"commit"`

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
	AckP95     float64 `json:"ack_p95_ms"`
	AckP99     float64 `json:"ack_p99_ms"`
	Refused    int64   `json:"refused"` // requests, whether to be tried again or not
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
	Service string    `json:"service"` // of the newest example; "" where the request was not read so far
	Example string    `json:"example"` // what the newest one was: a span's or metric's name, an attribute's key, an error
	Message string    `json:"message"` // what the reason means, with the limit
	Fix     string    `json:"fix"`     // what to do about it
	At      time.Time `json:"at"`      // of the example
}

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

	lag, commit, flushTook recent
	flushes                flushRing
	history                history

	mu        sync.Mutex
	reasons   map[reasonKey]*ReasonStats // guarded by mu, like all below
	inserts   map[string]int64
	lastError string
}

type reasonKey struct {
	signal Signal
	reason string
}

type signalCounters struct {
	requests, items, rejected, bytes, refused, duplicates atomic.Int64

	mu sync.Mutex
	// ring of the items and bytes counted at the last ten seconds' starts
	ring [11]struct{ at, items, bytes int64 }
	next int

	acks recent
}

func newStats(in *Ingest) *stats {
	s := &stats{in: in, reasons: map[reasonKey]*ReasonStats{}, inserts: map[string]int64{}}
	return s
}

func (s *stats) acknowledged(signal Signal, d time.Duration) {
	c := &s.signals[signal]
	c.requests.Add(1)
	c.acks.add(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	if sec := time.Now().Unix(); sec != c.ring[(c.next+10)%11].at {
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
		s.countOf(signal, r.reason, r.count, r.service, r.example)
	}
}

func (s *stats) count(signal Signal, reason string, n int, example string) {
	s.countOf(signal, reason, n, "", example)
}

func (s *stats) countOf(signal Signal, reason string, n int, service, example string) {
	if reason == duplicateRequest {
		s.signals[signal].duplicates.Add(int64(n))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := reasonKey{signal, reason}
	r := s.reasons[k]
	if r == nil {
		r = &ReasonStats{Signal: signal.String(), Reason: reason, Message: meaning(reason, &s.in.opts.Limits), Fix: remedy(reason)}
		s.reasons[k] = r
	}
	r.Count += int64(n)
	r.Service, r.Example, r.At = service, example, time.Now()
}

func (s *stats) refused(signal Signal, e *OverloadError) {
	s.signals[signal].refused.Add(1)
	example := ""
	if e.Err != nil {
		example = e.Err.Error()
	}
	s.count(signal, e.Reason, 1, example)
}

// Refuse counts a request that a receiver refused before it came to Submit; reason is one of the Refused constants,
// example what the client was told.
func (in *Ingest) Refuse(signal Signal, reason, example string) {
	if signal < signals {
		in.stats.signals[signal].refused.Add(1)
	}
	in.stats.count(signal, reason, 1, string(cut([]byte(example), 200)))
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
	case strings.HasPrefix(table, "profile"):
		signal = Profiles
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
	s.stored[Profiles].Add(int64(b.profiles.rows()))
	s.flushTook.add(took)
	s.commit.add(time.Since(b.opened))
	s.flushes.add(flushed{rows: b.rows, bytes: b.bytes})
	if n := b.spans.rows(); n > 0 {
		_, last := span64(b.spans.start)
		s.lagNanos.Store(time.Now().UnixNano() - last)
		s.lagOf(b.spans)
		s.in.skew.observe(b.spans, b.closed)
	}
}

// lagSample is how many spans of a batch are asked how long ago they ended.
const lagSample = 200

func (s *stats) lagOf(c *spanColumns) {
	now := time.Now().UnixNano()
	for i := 0; i < c.rows(); i += c.rows()/lagSample + 1 {
		s.lag.add(time.Duration(now - c.start[i] - int64(c.duration[i])))
	}
}

// Stats takes a snapshot.
func (in *Ingest) Stats() Stats {
	s := in.stats
	_, storing := in.Ready()
	out := Stats{
		Signals: map[string]SignalStats{}, Batches: s.batches.Load(), BatchRows: s.batchRows.Load(),
		BatchMillis: float64(s.batchNanos.Load()) / 1e6, Flushes: s.flushes.stats(s.flushTook.quantiles()),
		Lag: s.lag.quantiles(), Commit: s.commit.quantiles(), InFlightBytes: in.inFlight.Load(), InFlightLimit: in.opts.InFlightBytes,
		Storing: storing, LagSeconds: float64(s.lagNanos.Load()) / 1e9, InsertErrors: map[string]int64{},
		Spool: SpoolStats{Files: in.spool.Files(), Pending: in.replay.depth(), Bytes: in.spool.Bytes(), Limit: in.opts.SpoolBytes,
			AgeSeconds: in.replay.age().Seconds(), Spooled: s.spooledBatches.Load(), Replayed: s.replayed.Load(),
			Quarantined: s.quarantined.Load(), SetAside: s.asideRows.Load(), Errors: s.spoolErrors.Load()},
		FoldedOperations: in.ops.counts(), RejectedSeries: in.series.counts(), CappedKeys: []string{},
		Services: in.resources.senders.list(500, time.Now()), Reasons: []ReasonStats{}, ClockSkews: s.in.skew.list(time.Now()),
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
	out.Reasons = append(out.Reasons, beyondCaps(foldedOperations, in.ops.cardinality(), &in.opts.Limits)...)
	out.Reasons = append(out.Reasons, beyondCaps(foldedValues, in.values.cardinality(), &in.opts.Limits)...)
	out.Reasons = append(out.Reasons, beyondCaps(foldedKeys, in.values.keysBeyond(), &in.opts.Limits)...)
	for t, n := range s.inserts {
		out.InsertErrors[t] = n
	}
	sort.Slice(out.Reasons, func(i, j int) bool { return out.Reasons[i].Count > out.Reasons[j].Count })
	return out
}

func (c *signalCounters) snapshot() SignalStats {
	out := SignalStats{Requests: c.requests.Load(), Items: c.items.Load(), Rejected: c.rejected.Load(), Bytes: c.bytes.Load(),
		Refused: c.refused.Load(), Duplicates: c.duplicates.Load()}
	acks := c.acks.quantiles()
	out.AckP50, out.AckP95, out.AckP99 = acks.P50, acks.P95, acks.P99
	c.mu.Lock()
	defer c.mu.Unlock()
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
