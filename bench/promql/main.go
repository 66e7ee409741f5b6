// Command promql compares Tidemark with a Prometheus server on the same machine and the same data: it sends both the
// same samples by remote write, waits until Tidemark's merges have settled, and asks both the ten commonest questions of
// dashboards in turn, first after a restart (cold), then several times (warm). It prints tables in markdown: times, CPU
// time, whether the answers agree, and bytes a sample on disk.
//
//	go run ./bench/promql -prometheus PATH [-tidemark bin/tidemark] [-series 2000] [-hours 24] [-runs 5] [-dir DIR]
//	go run ./bench/promql -prometheus PATH -memory 100000,300000,1000000
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

type settings struct {
	prometheus, tidemark, dir string
	series, hours, runs       int
	interval, step            time.Duration
	keep                      bool
}

func main() {
	runtime.LockOSThread() // the servers end with the thread that started them
	log.SetFlags(log.Ltime)
	var s settings
	flag.StringVar(&s.prometheus, "prometheus", "prometheus", "Prometheus' binary")
	flag.StringVar(&s.tidemark, "tidemark", "bin/tidemark", "Tidemark's binary")
	flag.StringVar(&s.dir, "dir", filepath.Join(os.TempDir(), "tidemark-promql"), "where both keep their data")
	flag.IntVar(&s.series, "series", 2000, "series")
	flag.IntVar(&s.hours, "hours", 24, "hours of samples, up to now")
	flag.IntVar(&s.runs, "runs", 5, "warm runs of each question")
	flag.DurationVar(&s.interval, "interval", 15*time.Second, "between two samples of a series")
	flag.DurationVar(&s.step, "step", 0, "of the questions (an 1440th of the time)")
	flag.BoolVar(&s.keep, "keep", false, "ask what an earlier run left in -dir instead of sending anew")
	sizes := flag.String("memory", "", "instead, the memory of both with so many active series: numbers with commas, growing")
	flag.Parse()
	if *sizes != "" {
		if err := memory(s, *sizes); err != nil {
			log.Fatal(err)
		}
		return
	}
	if s.step == 0 {
		s.step = max(time.Duration(s.hours)*time.Hour/1440, s.interval).Round(time.Second)
	}
	if err := run(s); err != nil {
		log.Fatal(err)
	}
}

func run(s settings) error {
	end := time.Now().Truncate(time.Minute)
	stamp := filepath.Join(s.dir, "end")
	if s.keep {
		b, err := os.ReadFile(stamp)
		if err != nil {
			return err
		}
		sec, err := strconv.ParseInt(string(b), 10, 64)
		if err != nil {
			return err
		}
		end = time.Unix(sec, 0)
	} else if err := os.RemoveAll(s.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(stamp, []byte(fmt.Sprint(end.Unix())), 0o644); err != nil {
		return err
	}
	both, err := start(s)
	if err != nil {
		return err
	}
	defer func() { stop(both) }()
	d := newData(s.series, end.Add(-time.Duration(s.hours)*time.Hour), end, s.interval)
	if !s.keep {
		if err := load(d, both); err != nil {
			return err
		}
	}
	if err := settle(both[0]); err != nil {
		return err
	}
	if err := sizes(s, d, both); err != nil {
		return err
	}
	stop(both)
	if both, err = start(s); err != nil {
		return err
	}
	return ask(s, d, both)
}

// questions are the shapes, ten of them, of which dashboards consist.
var questions = []struct{ what, expr string }{
	{"rate of all", `sum(rate(http_requests_total[5m]))`},
	{"rate by service", `sum by (job) (rate(http_requests_total[5m]))`},
	{"rate by code of one service", `sum by (code) (rate(http_requests_total{job="service-1"}[5m]))`},
	{"share of errors", `sum by (job) (rate(http_requests_total{code=~"5.."}[5m])) / sum by (job) (rate(http_requests_total[5m]))`},
	{"p99", `histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))`},
	{"p95 by service", `histogram_quantile(0.95, sum by (le, job) (rate(http_request_duration_seconds_bucket[5m])))`},
	{"five busiest", `topk(5, sum by (handler) (rate(http_requests_total[5m])))`},
	{"CPU by instance", `1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))`},
	{"mean of a gauge", `max by (job) (avg_over_time(process_resident_memory_bytes[10m]))`},
	{"gauges as they are", `sum by (job) (process_resident_memory_bytes)`},
}

// answer is what query_range says.
type answer struct {
	Status, Error string
	Data          struct {
		Result []struct {
			Metric map[string]string
			Values [][2]any
		}
	}
}

func query(base, expr string, from, to time.Time, step time.Duration) (*answer, time.Duration, error) {
	v := url.Values{"query": {expr}, "start": {fmt.Sprintf("%.3f", float64(from.UnixMilli())/1000)}, "end": {fmt.Sprintf("%.3f", float64(to.UnixMilli())/1000)}, "step": {fmt.Sprint(step.Seconds())}}
	begun := time.Now()
	res, err := http.Get(base + "/api/v1/query_range?" + v.Encode())
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		return nil, 0, err
	}
	took := time.Since(begun)
	var a answer
	if err := json.Unmarshal(b.Bytes(), &a); err != nil || a.Status != "success" {
		return nil, 0, fmt.Errorf("%s: %s: %w: %.300s", base, expr, err, b.String())
	}
	return &a, took, nil
}

// ask asks all questions of both in turn.
func ask(s settings, d *data, both [2]*server) error {
	from, to := d.from.Add(7*time.Second+3*time.Millisecond), d.to // between the samples
	fmt.Printf("\n%d series, %d h, every %v: step %v, median of %d warm runs\n\n", s.series, s.hours, s.interval, s.step, s.runs)
	fmt.Printf("| question | cold ms: Tidemark | Prometheus | ratio | warm ms: Tidemark | Prometheus | ratio | warm CPU ms: Tidemark | Prometheus | answers |\n|---|---|---|---|---|---|---|---|---|---|\n")
	var warmRatios, coldRatios []float64
	for _, q := range questions {
		var cold, warm, cpu [2]float64
		var answers [2]*answer
		var all [2][]float64
		for n := range s.runs + 1 {
			for i, srv := range both {
				before := srv.cpu()
				a, took, err := query(srv.base, q.expr, from, to, s.step)
				if err != nil {
					return err
				}
				ms := float64(took.Microseconds()) / 1000
				if n == 0 {
					cold[i], answers[i] = ms, a
					continue
				}
				all[i] = append(all[i], ms)
				cpu[i] += (srv.cpu() - before) * 1000 / float64(s.runs)
			}
		}
		for i := range both {
			warm[i] = median(all[i])
		}
		fmt.Printf("| %s | %.0f | %.0f | **%.2f** | %.0f | %.0f | **%.2f** | %.0f | %.0f | %s |\n", q.what, cold[0], cold[1], cold[0]/cold[1], warm[0], warm[1], warm[0]/warm[1],
			cpu[0], cpu[1], agreement(answers[0], answers[1]))
		warmRatios, coldRatios = append(warmRatios, warm[0]/warm[1]), append(coldRatios, cold[0]/cold[1])
	}
	fmt.Printf("| median | | | **%.2f** | | | **%.2f** | | | |\n", median(coldRatios), median(warmRatios))
	return nil
}

func median(x []float64) float64 {
	x = slices.Clone(x)
	sort.Float64s(x)
	if n := len(x); n%2 == 0 {
		return (x[n/2-1] + x[n/2]) / 2
	}
	return x[len(x)/2]
}

// agreement compares two answers. Prometheus 2 counts a sample at the very beginning of a window, 3 does not.
func agreement(a, b *answer) string {
	index := map[string]float64{}
	n := 0
	for _, r := range b.Data.Result {
		key := labelsOf(r.Metric)
		for _, v := range r.Values {
			index[fmt.Sprintf("%s@%.3f", key, v[0])], n = number(v[1]), n+1
		}
	}
	same, worst, total := 0, 0.0, 0
	for _, r := range a.Data.Result {
		key := labelsOf(r.Metric)
		for _, v := range r.Values {
			total++
			if w, ok := index[fmt.Sprintf("%s@%.3f", key, v[0])]; ok {
				x := number(v[1])
				off := math.Abs(x-w) / max(math.Abs(x), math.Abs(w), 1e-12)
				if off <= 1e-9 || math.IsNaN(x) && math.IsNaN(w) {
					same++
				} else {
					worst = max(worst, off)
				}
			}
		}
	}
	if total == n && same == total {
		return fmt.Sprintf("%d points equal", total)
	}
	return fmt.Sprintf("%d of %d equal, worst %.1e", same, max(total, n), worst)
}

func labelsOf(m map[string]string) string {
	var out []string
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	sort.Strings(out)
	return strings.Join(out, ",")
}

func number(v any) float64 {
	x, err := strconv.ParseFloat(v.(string), 64)
	if err != nil {
		return math.NaN()
	}
	return x
}
