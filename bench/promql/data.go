package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
)

// data makes the samples of a fleet of services: counters of requests, classic histograms of their latencies, CPU
// seconds, and memory.
type data struct {
	from, to time.Time
	interval time.Duration
	series   []*generated
}

// generated is one series; its samples are made in the order of time.
type generated struct {
	labels []prompb.Label
	rand   *rand.Rand
	value  float64
	offset int64 // ms within the interval
	next   func(g *generated, at int64) float64
}

func newData(n int, from, to time.Time, interval time.Duration) *data {
	d := &data{from: from, to: to, interval: interval}
	for i := 0; len(d.series) < n; i++ {
		d.instance(i, n)
	}
	d.series = d.series[:n]
	return d
}

var bounds = []string{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"}

// instance adds the series of one process: 100 of them.
func (d *data) instance(i, n int) {
	job, instance := fmt.Sprintf("service-%d", i%10), fmt.Sprintf("10.0.%d.%d:9090", i/250, i%250)
	offset := rand.New(rand.NewPCG(1, uint64(i))).Int64N(d.interval.Milliseconds())
	add := func(next func(*generated, int64) float64, pairs ...string) {
		g := &generated{rand: rand.New(rand.NewPCG(2, uint64(len(d.series)))), offset: offset, next: next}
		pairs = append([]string{"__name__", pairs[0], "instance", instance, "job", job}, pairs[1:]...)
		for k := 0; k < len(pairs); k += 2 {
			g.labels = append(g.labels, prompb.Label{Name: pairs[k], Value: pairs[k+1]})
		}
		sortLabels(g.labels)
		d.series = append(d.series, g)
	}
	for h := range 5 {
		handler := fmt.Sprintf("/api/v1/resource-%d", h)
		for c, code := range []string{"200", "404", "500", "503"} {
			per := []float64{40, 3, 0.4, 0.1}[c] / float64(h+1)
			add(counter(per), "http_requests_total", "code", code, "handler", handler, "method", "GET")
		}
		shared := &histogram{per: 40 / float64(h+1)}
		for b, le := range bounds {
			add(shared.bucket(b), "http_request_duration_seconds_bucket", "handler", handler, "le", le)
		}
	}
	for cpu := range 2 {
		for m, mode := range []string{"idle", "user", "system", "iowait", "irq", "softirq", "nice", "steal"} {
			share := []float64{0.7, 0.2, 0.06, 0.02, 0, 0.01, 0, 0.01}[m]
			add(seconds(share*d.interval.Seconds()), "node_cpu_seconds_total", "cpu", fmt.Sprint(cpu), "mode", mode)
		}
	}
	for k, name := range []string{"process_resident_memory_bytes", "process_virtual_memory_bytes", "go_memstats_heap_inuse_bytes", "go_goroutines", "process_open_fds", "up"} {
		add(gauge([]float64{3e8, 1e9, 1e8, 200, 40, 0}[k], k < 3), name)
	}
	for k := range 8 {
		add(counter(float64(k)*2), "go_gc_events_total", "kind", fmt.Sprint(k))
	}
}

// daily is the load at a time of day, about 1.
func daily(at int64) float64 { return 1 + 0.6*math.Sin(float64(at%86_400_000)/86_400_000*2*math.Pi) }

func counter(per float64) func(*generated, int64) float64 {
	return func(g *generated, at int64) float64 {
		if g.rand.IntN(40_000) == 0 { // restarted
			g.value = 0
		}
		g.value += math.Max(0, math.Round(per*daily(at)+g.rand.NormFloat64()*math.Sqrt(per)))
		return g.value
	}
}

func seconds(per float64) func(*generated, int64) float64 {
	return func(g *generated, at int64) float64 {
		g.value += math.Round(per*100*(1+0.1*g.rand.NormFloat64())) / 100
		return math.Round(g.value*100) / 100
	}
}

func gauge(about float64, pages bool) func(*generated, int64) float64 {
	return func(g *generated, at int64) float64 {
		if about == 0 {
			return 1
		}
		if g.value == 0 {
			g.value = about
		}
		if g.rand.IntN(3) > 0 {
			g.value = math.Abs(g.value + g.rand.NormFloat64()*about/100)
		}
		if pages {
			return math.Round(g.value/4096) * 4096
		}
		return math.Round(g.value)
	}
}

// histogram is what the buckets of one classic histogram share.
type histogram struct {
	per    float64
	at     int64
	counts [10]float64
}

func (h *histogram) bucket(b int) func(*generated, int64) float64 {
	return func(g *generated, at int64) float64 {
		if at != h.at {
			h.at = at
			n := math.Max(0, math.Round(h.per*daily(at)+g.rand.NormFloat64()*math.Sqrt(h.per)))
			for i := range h.counts {
				h.counts[i] += math.Round(n * []float64{0.2, 0.45, 0.7, 0.85, 0.93, 0.97, 0.99, 0.996, 0.999, 1}[i])
			}
		}
		return h.counts[b]
	}
}

func sortLabels(l []prompb.Label) {
	for i := range l {
		for j := i; j > 0 && l[j].Name < l[j-1].Name; j-- {
			l[j], l[j-1] = l[j-1], l[j]
		}
	}
}

// samples is how many there are.
func (d *data) samples() int64 {
	return int64(d.to.Sub(d.from)/d.interval) * int64(len(d.series))
}

const (
	perRequest = 500 // series
	perSeries  = 20  // samples of each in a request
)

// load sends everything to both, the same requests in the same order of time.
func load(d *data, both [2]*server) error {
	begun, rounds := time.Now(), int(d.to.Sub(d.from)/d.interval)/perSeries
	log.Printf("sending %d samples to both", d.samples())
	for round := range rounds {
		var group sync.WaitGroup
		var failed atomic.Pointer[error]
		for first := 0; first < len(d.series); first += perRequest {
			body := d.request(round, d.series[first:min(first+perRequest, len(d.series))])
			for _, s := range both {
				group.Go(func() {
					if err := s.write(body); err != nil {
						failed.Store(&err)
					}
				})
			}
			if first/perRequest%4 == 3 {
				group.Wait()
			}
		}
		group.Wait()
		if err := failed.Load(); err != nil {
			return *err
		}
		if round%200 == 199 {
			log.Printf("%d %% after %v", 100*(round+1)/rounds, time.Since(begun).Round(time.Second))
		}
	}
	return nil
}

// request encodes the next samples of some series.
func (d *data) request(round int, series []*generated) []byte {
	var req prompb.WriteRequest
	for _, g := range series {
		req.Timeseries = append(req.Timeseries, prompb.TimeSeries{Labels: g.labels, Samples: make([]prompb.Sample, perSeries)})
	}
	for i := range perSeries { // by time: the buckets of a histogram share their counts
		base := d.from.UnixMilli() + int64(round*perSeries+i)*d.interval.Milliseconds()
		for k, g := range series {
			at := base + g.offset
			req.Timeseries[k].Samples[i] = prompb.Sample{Timestamp: at, Value: g.next(g, at)}
		}
	}
	b, err := req.Marshal()
	if err != nil {
		panic(err)
	}
	return snappy.Encode(nil, b)
}

// write sends one request until it is taken.
func (s *server) write(body []byte) error {
	for try := 0; ; try++ {
		req, err := http.NewRequest(http.MethodPost, s.ingest+"/api/v1/write", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Encoding", "snappy")
		req.Header.Set("Content-Type", "application/x-protobuf")
		req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		switch {
		case res.StatusCode/100 == 2:
			return nil
		case res.StatusCode/100 == 4 || try > 20:
			return fmt.Errorf("%s: %s: %.300s", s.ingest, res.Status, text)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
