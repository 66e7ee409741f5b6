package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/ingest"
)

// ingestState is what GET /api/v1/ingest answers: how ingest is doing, in the words of the Ingest page. Rates of
// services are over the time since they were asked for before.
type ingestState struct {
	NowMS            int64           `json:"now_ms"`
	Signals          []ingestSignal  `json:"signals"`
	Services         []ingestService `json:"services"`
	Problems         []ingestProblem `json:"problems"`
	Spool            ingestSpool     `json:"spool"`
	InFlightBytes    int64           `json:"in_flight_bytes"`
	InFlightMaxBytes int64           `json:"in_flight_max_bytes"`
	Flushes          ingestFlushes   `json:"flushes"`
	LagMS            *float64        `json:"lag_ms"` // from the newest span's start to its commit, of the newest batch
	Engine           *ingestEngine   `json:"engine"`
}

type ingestSignal struct {
	Signal         string   `json:"signal"`
	Accepted       int64    `json:"accepted"`
	PerSecond      float64  `json:"per_second"`
	BytesPerSecond float64  `json:"bytes_per_second"`
	Rejected       int64    `json:"rejected"`
	Refused        int64    `json:"refused"`
	AckP50MS       *float64 `json:"ack_p50_ms"`
	AckP99MS       *float64 `json:"ack_p99_ms"`
}

type ingestService struct {
	Service   string  `json:"service"`
	Signal    string  `json:"signal"`
	PerSecond float64 `json:"per_second"`
}

type ingestProblem struct {
	Kind    string `json:"kind"` // rejected, refused, truncated, folded
	Signal  string `json:"signal"`
	Reason  string `json:"reason"`
	Count   int64  `json:"count"`
	LastMS  int64  `json:"last_ms"`
	Example string `json:"example"`
}

type ingestSpool struct {
	Batches     int64  `json:"batches"`
	Bytes       int64  `json:"bytes"`
	MaxBytes    int64  `json:"max_bytes"`
	OldestMS    *int64 `json:"oldest_ms"`
	Quarantined int64  `json:"quarantined"`
}

// ingestFlushes is about batches: how many, the rows of the newest, and how long its inserts took.
type ingestFlushes struct {
	Count    int64    `json:"count"`
	Rows     int64    `json:"rows"`
	NewestMS *float64 `json:"newest_ms"`
}

type ingestEngine struct {
	Restarts int    `json:"restarts"`
	RSSBytes *int64 `json:"rss_bytes"`
}

// ingestStates turns snapshots of ingest into states, remembering the one before for rates.
type ingestStates struct {
	p      *product
	before map[string]int64
	at     time.Time
	rates  []ingestService
}

// minRatePeriod keeps rates from being taken over too short a time when several people look.
const minRatePeriod = 2 * time.Second

func (i *ingestStates) state() ingestState {
	s, now := i.p.ingest.Stats(), time.Now()
	st := ingestState{
		NowMS: now.UnixMilli(), Signals: []ingestSignal{}, Services: i.serviceRates(s.Services, now), Problems: []ingestProblem{},
		InFlightBytes: s.InFlightBytes, InFlightMaxBytes: s.InFlightLimit,
		Spool:   ingestSpool{Batches: int64(s.Spool.Pending), Bytes: s.Spool.Bytes, MaxBytes: s.Spool.Limit, Quarantined: s.Spool.Quarantined},
		Flushes: ingestFlushes{Count: s.Batches, Rows: s.BatchRows},
	}
	if s.Batches > 0 {
		took, lag := s.BatchMillis, s.LagSeconds*1000
		st.Flushes.NewestMS, st.LagMS = &took, &lag
	}
	if s.Spool.Pending > 0 {
		oldest := now.Add(-time.Duration(s.Spool.AgeSeconds * float64(time.Second))).UnixMilli()
		st.Spool.OldestMS = &oldest
	}
	for _, name := range []string{"traces", "logs", "metrics"} {
		g := s.Signals[name]
		sig := ingestSignal{Signal: name, Accepted: g.Items, PerSecond: g.ItemsPerS, BytesPerSecond: g.BytesPerS, Rejected: g.Rejected, Refused: g.Refused}
		if g.Requests > 0 {
			sig.AckP50MS, sig.AckP99MS = &g.AckP50, &g.AckP99
		}
		st.Signals = append(st.Signals, sig)
	}
	for _, r := range s.Reasons {
		st.Problems = append(st.Problems, ingestProblem{problemKind(r.Reason), r.Signal, r.Reason, r.Count, r.At.UnixMilli(), r.Example})
	}
	if e := i.p.engine; e != nil {
		st.Engine = &ingestEngine{Restarts: e.Restarts(), RSSBytes: residentBytes(e.PID())}
	}
	return st
}

func (i *ingestStates) serviceRates(services []ingest.ServiceStats, now time.Time) []ingestService {
	i.p.mu.Lock()
	defer i.p.mu.Unlock()
	period := now.Sub(i.at)
	if i.before != nil && period < minRatePeriod {
		return i.rates
	}
	counts := make(map[string]int64, len(services))
	i.rates = []ingestService{}
	for _, s := range services {
		counts[s.Service] = s.Items
		if i.before != nil {
			i.rates = append(i.rates, ingestService{s.Service, "all", float64(s.Items-i.before[s.Service]) / period.Seconds()})
		}
	}
	i.before, i.at = counts, now
	return i.rates
}

// problemKind says what became of items, by the reason's name.
func problemKind(reason string) string {
	switch {
	case strings.HasSuffix(reason, "_folded"), strings.HasSuffix(reason, "_capped"):
		return "folded"
	case strings.HasSuffix(reason, "_dropped"), strings.HasSuffix(reason, "_cut"), reason == "negative_duration":
		return "truncated"
	case strings.HasSuffix(reason, "_full"), reason == "store_unavailable", reason == "shutting_down", reason == "malformed":
		return "refused"
	}
	return "rejected"
}

// residentBytes is a process's resident memory where the system tells.
func residentBytes(pid int) *int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return nil
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return nil
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return nil
	}
	n := pages * int64(os.Getpagesize())
	return &n
}
