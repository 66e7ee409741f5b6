package prom

import (
	"cmp"
	"maps"
	"net/http"
	"os"
	"runtime"
	rt "runtime/debug"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// emulated is the version of Prometheus whose language and API this is: clients switch features on by it.
const emulated = "3.15.0"

func (e *Engine) httpBuildInfo(*http.Request) (result, error) {
	return result{data: map[string]string{"version": emulated, "revision": e.o.Version, "branch": "tidemark", "buildUser": "", "buildDate": "", "goVersion": runtime.Version()}}, nil
}

func (e *Engine) httpRuntimeInfo(*http.Request) (result, error) {
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	return result{data: map[string]any{
		"startTime": e.began.UTC(), "CWD": dir, "hostname": host, "serverTime": time.Now().UTC(), "reloadConfigSuccess": true, "lastConfigTime": e.began.UTC(),
		"corruptionCount": 0, "goroutineCount": runtime.NumGoroutine(), "GOMAXPROCS": runtime.GOMAXPROCS(0), "GOMEMLIMIT": rt.SetMemoryLimit(-1),
		"GOGC": os.Getenv("GOGC"), "GODEBUG": os.Getenv("GODEBUG"), "storageRetention": "",
	}}, nil
}

func (e *Engine) httpConfig(*http.Request) (result, error) {
	return result{data: map[string]string{"yaml": "global: {}\n"}}, nil
}

func (e *Engine) httpFlags(*http.Request) (result, error) {
	flags := e.o.Flags
	if flags == nil {
		flags = map[string]string{}
	}
	return result{data: flags}, nil
}

func (e *Engine) httpWALReplay(*http.Request) (result, error) {
	return result{data: map[string]int{"min": 0, "max": 0, "current": 0}}, nil
}

func (e *Engine) httpFeatures(*http.Request) (result, error) {
	return result{data: map[string]map[string]bool{
		"api":    {"exclude_alerts": true, "label_values_match": true, "lifecycle": false, "query_stats": true, "query_warnings": true, "time_range_labels": true, "time_range_series": true},
		"promql": {"at_modifier": true, "negative_offset": true, "native_histograms": true, "experimental_functions": true, "duration_expr": true, "utf8_names": true},
	}}, nil
}

func (e *Engine) httpAlertmanagers(*http.Request) (result, error) {
	return result{data: map[string]any{"activeAlertmanagers": []any{}, "droppedAlertmanagers": []any{}}}, nil
}

type tsdbStat struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
}

func (e *Engine) httpTSDB(r *http.Request) (result, error) {
	byName, _, err := e.index.catalog(r.Context())
	if err != nil {
		return result{}, err
	}
	limit, err := numberParam(r, "limit")
	if err != nil {
		return result{}, err
	}
	if limit < 1 {
		limit = 10
	}
	counts := map[string]uint64{}
	var total uint64
	first, last := int64(0), int64(0)
	for name, sources := range byName {
		for _, s := range sources {
			if s.virtual == nil {
				counts[name] += s.series
				total += s.series
				last = max(last, s.last)
				if first == 0 || s.first < first {
					first = s.first
				}
			}
		}
	}
	top := make([]tsdbStat, 0, len(counts))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		top = append(top, tsdbStat{name, counts[name]})
	}
	slices.SortStableFunc(top, func(a, b tsdbStat) int { return cmp.Compare(b.Value, a.Value) })
	return result{data: map[string]any{
		"headStats":               map[string]any{"numSeries": total, "numLabelPairs": 0, "chunkCount": 0, "minTime": first, "maxTime": last},
		"seriesCountByMetricName": top[:min(limit, len(top))], "labelValueCountByLabelName": []tsdbStat{}, "memoryInBytesByLabelName": []tsdbStat{}, "seriesCountByLabelValuePair": []tsdbStat{},
	}}, nil
}

// target is a sender as Prometheus would show what it scrapes.
type target struct {
	DiscoveredLabels   labels.Labels `json:"discoveredLabels"`
	Labels             labels.Labels `json:"labels"`
	ScrapePool         string        `json:"scrapePool"`
	ScrapeURL          string        `json:"scrapeUrl"`
	GlobalURL          string        `json:"globalUrl"`
	LastError          string        `json:"lastError"`
	LastScrape         time.Time     `json:"lastScrape"`
	LastScrapeDuration float64       `json:"lastScrapeDuration"`
	Health             string        `json:"health"`
	ScrapeInterval     string        `json:"scrapeInterval"`
	ScrapeTimeout      string        `json:"scrapeTimeout"`
}

// quietAfter is how long after its last telemetry a sender's health is unknown. Its last_seen lags by seenLag.
const quietAfter = 15 * time.Minute

// httpTargets shows the senders of OTLP of the last hour: nothing is scraped here.
func (e *Engine) httpTargets(r *http.Request) (result, error) {
	all, err := e.index.resources(r.Context())
	if err != nil {
		return result{}, err
	}
	now := e.db.Now()
	targets := []target{}
	pool := r.FormValue("scrapePool")
	for _, s := range all {
		seen := time.UnixMilli(s.last)
		if job := s.job(); job != "" && now.Sub(seen) < time.Hour && (pool == "" || pool == job) && r.FormValue("state") != "dropped" {
			ls := labels.FromStrings(model.JobLabel, job, model.InstanceLabel, s.instance)
			t := target{DiscoveredLabels: ls, Labels: ls, ScrapePool: job, LastScrape: seen.UTC(), Health: "up", ScrapeInterval: "0s", ScrapeTimeout: "0s"}
			if now.Sub(seen) > quietAfter {
				t.Health = "unknown"
			}
			targets = append(targets, t)
		}
	}
	slices.SortFunc(targets, func(a, b target) int { return labels.Compare(a.Labels, b.Labels) })
	return result{data: map[string]any{"activeTargets": targets, "droppedTargets": []any{}, "droppedTargetCounts": map[string]int{}}}, nil
}

func (e *Engine) httpScrapePools(r *http.Request) (result, error) {
	all, err := e.index.resources(r.Context())
	if err != nil {
		return result{}, err
	}
	jobs := map[string]bool{}
	for _, s := range all {
		if job := s.job(); job != "" {
			jobs[job] = true
		}
	}
	names := slices.Sorted(maps.Keys(jobs))
	if names == nil {
		names = []string{}
	}
	return result{data: map[string]any{"scrapePools": names}}, nil
}

// httpTargetsMetadata answers metadata without naming targets: a family is described once, whoever sends it.
func (e *Engine) httpTargetsMetadata(r *http.Request) (result, error) {
	families, err := e.families(r)
	if err != nil {
		return result{}, err
	}
	limit, err := numberParam(r, "limit")
	if err != nil {
		return result{}, err
	}
	type row struct {
		Target labels.Labels    `json:"target"`
		Metric string           `json:"metric,omitempty"`
		Type   model.MetricType `json:"type"`
		Help   string           `json:"help"`
		Unit   string           `json:"unit"`
	}
	rows := []row{}
	only := r.FormValue("metric")
	for _, name := range slices.Sorted(maps.Keys(families)) {
		for _, m := range families[name] {
			if (only == "" || only == name) && (limit < 0 || len(rows) < limit) {
				rows = append(rows, row{labels.EmptyLabels(), name, m.Type, m.Help, m.Unit})
			}
		}
	}
	return result{data: rows}, nil
}
