package main

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/ingest"
)

// ingestState is what GET /api/v1/ingest answers: how ingest of this process is doing, in the words of the Ingest page.
// Counts are since the start, rates over the last 10 to 15 s, quantiles over the last one to two minutes.
type ingestState struct {
	NowMS            int64            `json:"now_ms"`
	StartedMS        int64            `json:"started_ms"`
	Signals          []ingestSignal   `json:"signals"`
	Services         []ingestService  `json:"services"`
	Problems         []ingestProblem  `json:"problems"`
	Spool            ingestSpool      `json:"spool"`
	InFlightBytes    int64            `json:"in_flight_bytes"`
	InFlightMaxBytes int64            `json:"in_flight_max_bytes"`
	Flushes          ingestFlushes    `json:"flushes"`
	LagMS            *float64         `json:"lag_ms"`  // from the newest span's start to its commit, of the newest batch
	Visible          *ingestQuantiles `json:"visible"` // from the end of spans to their visibility
	Commit           *ingestQuantiles `json:"commit"`  // from the receipt of a batch's first request to its commit
	Storing          bool             `json:"storing"` // ClickHouse takes batches at once
	InsertErrors     []insertErrors   `json:"insert_errors"`
	LastError        string           `json:"last_error"` // of the store or the spool
	Clocks           []ingestClock    `json:"clocks"`     // senders whose clocks differ from ours
	Engine           *ingestEngine    `json:"engine"`
}

type ingestQuantiles struct {
	P50MS float64 `json:"p50_ms"`
	P95MS float64 `json:"p95_ms"`
	P99MS float64 `json:"p99_ms"`
}

func quantilesOf(q ingest.Quantiles) *ingestQuantiles {
	if q.Count == 0 {
		return nil
	}
	return &ingestQuantiles{q.P50, q.P95, q.P99}
}

type ingestSignal struct {
	Signal         string   `json:"signal"`
	Requests       int64    `json:"requests"`
	Accepted       int64    `json:"accepted"`
	PerSecond      float64  `json:"per_second"`
	Bytes          int64    `json:"bytes"`
	BytesPerSecond float64  `json:"bytes_per_second"`
	Rejected       int64    `json:"rejected"` // items
	Refused        int64    `json:"refused"`  // requests
	Duplicates     int64    `json:"duplicates"`
	AckP50MS       *float64 `json:"ack_p50_ms"`
	AckP95MS       *float64 `json:"ack_p95_ms"`
	AckP99MS       *float64 `json:"ack_p99_ms"`
}

type ingestService struct {
	Service        string  `json:"service"`
	Signal         string  `json:"signal"`
	Accepted       int64   `json:"accepted"`
	PerSecond      float64 `json:"per_second"`
	Bytes          int64   `json:"bytes"`
	BytesPerSecond float64 `json:"bytes_per_second"`
}

type ingestProblem struct {
	Kind    string `json:"kind"` // rejected, refused, truncated, folded, repeated, set aside
	Signal  string `json:"signal"`
	Reason  string `json:"reason"`
	Count   int64  `json:"count"`
	LastMS  int64  `json:"last_ms"`
	Service string `json:"service"` // of the newest example; "" if it is not known
	Example string `json:"example"`
	Meaning string `json:"meaning"`
	Fix     string `json:"fix"`
}

type ingestSpool struct {
	Batches     int64  `json:"batches"`
	Bytes       int64  `json:"bytes"`
	MaxBytes    int64  `json:"max_bytes"`
	OldestMS    *int64 `json:"oldest_ms"`
	Spooled     int64  `json:"spooled"`  // batches left to the spool since the start
	Replayed    int64  `json:"replayed"` // of them and of those found at the start
	Quarantined int64  `json:"quarantined"`
	SetAside    int64  `json:"set_aside"` // rows
	Errors      int64  `json:"errors"`
}

// ingestFlushes is about batches: how many, the rows of the newest, how long its inserts took, and those of the last two
// minutes.
type ingestFlushes struct {
	Count     int64            `json:"count"`
	Rows      int64            `json:"rows"`
	NewestMS  *float64         `json:"newest_ms"`
	PerMinute float64          `json:"per_minute"`
	RowsP50   int64            `json:"rows_p50"`
	RowsMax   int64            `json:"rows_max"`
	BytesP50  int64            `json:"bytes_p50"`
	BytesMax  int64            `json:"bytes_max"`
	Took      *ingestQuantiles `json:"took"`
}

type insertErrors struct {
	Table string `json:"table"`
	Count int64  `json:"count"`
}

type ingestClock struct {
	Service  string  `json:"service"`
	Instance string  `json:"instance"`
	OffsetMS float64 `json:"offset_ms"` // ahead of ours; negative if behind
	Spans    int64   `json:"spans"`
	Rejected int64   `json:"rejected"`
	LastMS   int64   `json:"last_ms"`
}

type ingestEngine struct {
	Restarts int    `json:"restarts"`
	RSSBytes *int64 `json:"rss_bytes"`
}

func (p *product) ingestState() ingestState {
	s, now := p.ingest.Stats(), time.Now()
	st := ingestState{
		NowMS: now.UnixMilli(), StartedMS: p.began.UnixMilli(), Signals: []ingestSignal{}, Services: []ingestService{}, Problems: []ingestProblem{},
		InsertErrors: []insertErrors{}, Clocks: []ingestClock{}, InFlightBytes: s.InFlightBytes, InFlightMaxBytes: s.InFlightLimit,
		Spool: ingestSpool{Batches: int64(s.Spool.Pending), Bytes: s.Spool.Bytes, MaxBytes: s.Spool.Limit, Spooled: s.Spool.Spooled,
			Replayed: s.Spool.Replayed, Quarantined: s.Spool.Quarantined, SetAside: s.Spool.SetAside, Errors: s.Spool.Errors},
		Flushes: ingestFlushes{Count: s.Batches, Rows: s.BatchRows, PerMinute: s.Flushes.PerMinute, RowsP50: s.Flushes.RowsP50, RowsMax: s.Flushes.RowsMax,
			BytesP50: s.Flushes.BytesP50, BytesMax: s.Flushes.BytesMax, Took: quantilesOf(s.Flushes.Took)},
		Visible: quantilesOf(s.Lag), Commit: quantilesOf(s.Commit), Storing: s.Storing, LastError: s.LastError,
	}
	if s.Batches > 0 {
		took, lag := s.BatchMillis, s.LagSeconds*1000
		st.Flushes.NewestMS, st.LagMS = &took, &lag
	}
	if s.Spool.Pending > 0 {
		oldest := now.Add(-time.Duration(s.Spool.AgeSeconds * float64(time.Second))).UnixMilli()
		st.Spool.OldestMS = &oldest
	}
	for _, name := range []string{"traces", "logs", "metrics", "profiles"} {
		st.Signals = append(st.Signals, signalState(name, s.Signals[name]))
	}
	for _, x := range s.Services {
		st.Services = append(st.Services, ingestService{x.Service, x.Signal, x.Items, x.ItemsPerS, x.Bytes, x.BytesPerS})
	}
	for _, r := range s.Reasons {
		st.Problems = append(st.Problems, ingestProblem{problemKind(r.Reason), r.Signal, r.Reason, r.Count, r.At.UnixMilli(), r.Service, r.Example, r.Message, r.Fix})
	}
	for _, c := range s.ClockSkews {
		st.Clocks = append(st.Clocks, ingestClock{c.Service, c.Instance, float64(c.Offset) / 1e6, c.Spans, c.Rejected, c.LastSeen.UnixMilli()})
	}
	for _, table := range slices.Sorted(maps.Keys(s.InsertErrors)) {
		st.InsertErrors = append(st.InsertErrors, insertErrors{table, s.InsertErrors[table]})
	}
	if e := p.engine; e != nil {
		st.Engine = &ingestEngine{Restarts: e.Restarts(), RSSBytes: residentBytes(e.PID())}
	}
	return st
}

func signalState(name string, g ingest.SignalStats) ingestSignal {
	sig := ingestSignal{Signal: name, Requests: g.Requests, Accepted: g.Items, PerSecond: g.ItemsPerS, Bytes: g.Bytes, BytesPerSecond: g.BytesPerS,
		Rejected: g.Rejected, Refused: g.Refused, Duplicates: g.Duplicates}
	if g.AckP99 > 0 {
		sig.AckP50MS, sig.AckP95MS, sig.AckP99MS = &g.AckP50, &g.AckP95, &g.AckP99
	}
	return sig
}

// problemKind says what became of items, by the reason's name.
func problemKind(reason string) string {
	switch reason {
	case "operation_folded", "values_capped", "keys_capped":
		return "folded"
	case "attributes_dropped", "events_dropped", "links_dropped", "value_cut", "negative_duration":
		return "truncated"
	case "duplicate":
		return "repeated"
	case "in_flight_full", "spool_full", "store_unavailable", "shutting_down", "malformed", ingest.RefusedTooLarge, ingest.RefusedType, ingest.RefusedBody,
		ingest.RefusedTooMany, ingest.RefusedConnections, ingest.RefusedUnauthenticated, ingest.RefusedPermission, ingest.RefusedRate:
		return "refused"
	case "refused_by_store":
		return "set aside"
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
