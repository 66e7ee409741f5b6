package auth

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	descRequests = prometheus.NewDesc("tidemark_ingest_key_requests_total", "Requests admitted with an ingest key.", []string{"key", "name"}, nil)
	descItems    = prometheus.NewDesc("tidemark_ingest_key_items_total", "Spans, records, points and profiles taken in with an ingest key.", []string{"key", "name"}, nil)
	descBytes    = prometheus.NewDesc("tidemark_ingest_key_bytes_total", "Bytes of decompressed requests admitted with an ingest key.", []string{"key", "name"}, nil)
	descRefused  = prometheus.NewDesc("tidemark_ingest_key_refused_total", "Requests refused by key and reason; without a key that is known, both labels of the key are empty.", []string{"key", "name", "reason"}, nil)
	descLast     = prometheus.NewDesc("tidemark_ingest_key_last_use_timestamp_seconds", "When an ingest key was last used here.", []string{"key", "name"}, nil)
	descKeys     = prometheus.NewDesc("tidemark_ingest_keys", "Ingest keys by state.", []string{"state"}, nil)
	descAge      = prometheus.NewDesc("tidemark_ingest_keys_age_seconds", "Time since the ingest keys were last read from the store; revocations older than this are in force.", nil, nil)
)

// Describe and Collect make a Keyring a collector of Prometheus.
func (r *Keyring) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRequests, descItems, descBytes, descRefused, descLast, descKeys, descAge} {
		ch <- d
	}
}

func (r *Keyring) Collect(ch chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, n int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now, states := time.Now(), map[string]int{"active": 0, "expired": 0, "revoked": 0}
	for id, s := range *r.senders.Load() {
		k := s.key.Load()
		states[k.State(now)]++
		u := s.use.snapshot()
		count(descRequests, u.Requests, id, k.Name)
		count(descItems, u.Items, id, k.Name)
		count(descBytes, u.Bytes, id, k.Name)
		for reason, n := range u.Refused {
			count(descRefused, n, id, k.Name, reason)
		}
		if u.LastMS > 0 {
			gauge(descLast, float64(u.LastMS)/1000, id, k.Name)
		}
	}
	count(descRefused, r.missing.Load(), "", "", Missing)
	count(descRefused, r.unknown.Load(), "", "", Unknown)
	for state, n := range states {
		gauge(descKeys, float64(n), state)
	}
	if at := r.readMS.Load(); at > 0 {
		gauge(descAge, now.Sub(time.UnixMilli(at)).Seconds())
	}
}
