package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store"
)

// endpoint is one route: how it is described and how it is answered.
type endpoint struct {
	method, path string
	summary      string
	params       []param
	body, answer any // zero values of the types that are read and written
	handle       func(*gin.Context) (any, error)
	timeout      time.Duration // where it takes longer than other questions may
}

// param is a query or path parameter.
type param struct{ name, description string }

var (
	pRange   = []param{{"from", "RFC 3339, Unix milliseconds, or relative: now-15m"}, {"to", "as from; now by default"}}
	pEnv     = param{"env", "deployment environment"}
	pService = param{"service", "name of a service"}
	pQuery   = param{"q", "search language: service:checkout duration>500ms status:error"}
)

func params(groups ...any) []param {
	var out []param
	for _, g := range groups {
		switch g := g.(type) {
		case param:
			out = append(out, g)
		case []param:
			out = append(out, g...)
		}
	}
	return out
}

// overTime is an endpoint about a window.
func overTime(f func(*gin.Context, query.Window) (any, error)) func(*gin.Context) (any, error) {
	return func(c *gin.Context) (any, error) {
		w, err := window(c)
		if err != nil {
			return nil, err
		}
		return f(c, w)
	}
}

func (a *API) routes() []endpoint {
	db := a.o.DB
	var all []endpoint
	get := func(path, summary string, answer any, ps []param, handle func(*gin.Context) (any, error)) {
		all = append(all, endpoint{method: http.MethodGet, path: path, summary: summary, params: ps, answer: answer, handle: handle})
	}
	get("/status", "State of this process and its store", Status{}, nil, a.status)

	get("/services", "Services with rate, errors and latency", query.ServicesAnswer{}, params(pRange, pEnv),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			return db.Services(c.Request.Context(), w, c.Query("env"))
		}))
	get("/services/:service", "One service with instances and versions", query.ServiceAnswer{}, params(pRange, pEnv),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			return db.Service(c.Request.Context(), w, c.Param("service"), c.Query("env"))
		}))
	get("/services/:service/operations", "Operations of a service", query.OperationsAnswer{}, params(pRange, pEnv, param{"kind", "entry (calls that come in) or all"}),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			return db.Operations(c.Request.Context(), w, c.Param("service"), c.Query("env"), c.Query("kind") == "entry")
		}))
	get("/services/:service/dependencies", "Who calls a service and whom it calls", query.DependenciesAnswer{}, params(pRange, pEnv),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			return db.Dependencies(c.Request.Context(), w, c.Param("service"), c.Query("env"))
		}))
	get("/services/:service/errors", "Failures of a service, grouped", query.ErrorsAnswer{}, params(pRange, pEnv),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			return db.Errors(c.Request.Context(), w, c.Param("service"), c.Query("env"))
		}))
	selectionParams := params(pRange, pService, param{"operation", "name of a span"}, param{"kind", "kind of span"}, pEnv, param{"version", "version of the service"}, param{"instance", "instance of the service"})
	get("/red", "Rate, errors and latency over time", query.RedAnswer{}, params(selectionParams, param{"by", "none, service, operation, version, instance"}, param{"step", "width of a point"}),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			d, err := step(c)
			if err != nil {
				return nil, err
			}
			return db.Red(c.Request.Context(), w, selection(c), c.Query("by"), d)
		}))
	get("/heatmap", "Latency distribution over time", query.HeatmapAnswer{}, selectionParams,
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			return db.Heatmap(c.Request.Context(), w, selection(c))
		}))
	get("/map", "Service map", query.MapAnswer{}, params(pRange, pEnv, param{"focus", "id of a node"}, param{"depth", "steps around it, 1 to 5"}),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			depth, err := integer(c, "depth", 1, 1, 5)
			if err != nil {
				return nil, err
			}
			return db.Map(c.Request.Context(), w, c.Query("env"), c.Query("focus"), depth)
		}))

	page := []param{{"limit", "items a page"}, {"cursor", "next_cursor of the page before"}}
	get("/traces", "Traces with matching spans", query.TracesAnswer{}, params(pRange, pQuery, page, param{"sort", "newest or slowest"}),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			n, err := integer(c, "limit", 50, 1, 500)
			if err != nil {
				return nil, err
			}
			return db.Traces(c.Request.Context(), w, c.Query("q"), c.Query("sort"), c.Query("cursor"), n)
		}))
	get("/traces/heatmap", "Latency distribution of matching spans", query.TraceHeatmapAnswer{}, params(pRange, pQuery),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			return db.TracesHeatmap(c.Request.Context(), w, c.Query("q"))
		}))
	get("/traces/facets", "Values among matching spans", query.FacetsAnswer{}, params(pRange, pQuery),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			return db.TracesFacets(c.Request.Context(), w, c.Query("q"))
		}))
	get("/traces/compare", "What sets the spans in a rectangle apart from the rest", query.CompareAnswer{},
		params(pRange, pQuery, param{"sel_from", "beginning of the rectangle"}, param{"sel_to", "its end"}, param{"min_ns", "least duration"}, param{"max_ns", "greatest duration"}),
		overTime(a.compare))
	get("/traces/:trace_id", "One trace", query.TraceAnswer{}, nil, func(c *gin.Context) (any, error) {
		return db.Trace(c.Request.Context(), c.Param("trace_id"))
	})
	get("/spans/usual", "Where a duration stands among its kind", query.UsualAnswer{}, params(pService, param{"name", "name of the span"}, param{"kind", "its kind"}, param{"duration_ns", "its duration"}, pEnv),
		func(c *gin.Context) (any, error) {
			d, err := nanoseconds(c, "duration_ns", 0)
			if err != nil {
				return nil, err
			}
			return db.Usual(c.Request.Context(), c.Query("service"), c.Query("name"), c.Query("kind"), c.Query("env"), d)
		})

	get("/logs", "Log records", query.LogsAnswer{}, params(pRange, pQuery, page, param{"order", "newest or oldest"}),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			n, err := integer(c, "limit", 100, 1, 1000)
			if err != nil {
				return nil, err
			}
			return db.Logs(c.Request.Context(), w, c.Query("q"), c.Query("order"), c.Query("cursor"), n)
		}))
	get("/logs/histogram", "Log records over time by severity", query.LogHistogramAnswer{}, params(pRange, pQuery),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			return db.LogsHistogram(c.Request.Context(), w, c.Query("q"))
		}))
	get("/logs/facets", "Values among matching log records", query.FacetsAnswer{}, params(pRange, pQuery),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			return db.LogsFacets(c.Request.Context(), w, c.Query("q"))
		}))

	signal := param{"signal", "traces, logs or metrics"}
	get("/fields", "Keys of the search language", query.FieldsAnswer{}, params(signal, param{"q", "part of the key"}), func(c *gin.Context) (any, error) {
		return db.Fields(c.Request.Context(), c.Query("signal"), c.Query("q"))
	})
	get("/fields/values", "Values of a key", query.FieldValuesAnswer{}, params(pRange, signal, param{"key", "the key"}, param{"q", "part of the value"}),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			return db.FieldValues(c.Request.Context(), w, c.Query("signal"), c.Query("key"), c.Query("q"))
		}))

	get("/metrics", "Metrics", query.MetricsAnswer{}, params(pRange, param{"q", "part of the name or description"}, pService),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			return db.Metrics(c.Request.Context(), w, c.Query("q"), c.Query("service"))
		}))
	get("/metrics/chart", "One metric over time", query.MetricChartAnswer{},
		params(pRange, param{"name", "name of the metric"}, param{"agg", "auto, avg, sum, min, max, rate, count, p50, p90, p95, p99"}, param{"by", "labels, separated by commas"},
			param{"filter", "label:value, repeatable"}, param{"limit", "series shown"}),
		overTime(func(c *gin.Context, w query.Window) (any, error) {
			n, err := integer(c, "limit", 20, 1, 100)
			if err != nil {
				return nil, err
			}
			return db.MetricChart(c.Request.Context(), w, query.MetricQuestion{Name: c.Query("name"), Agg: c.Query("agg"), By: list(c.Query("by")), Filter: c.QueryArray("filter"), Limit: n})
		}))

	get("/hosts", "Machines that tell of themselves, with the services on them", query.HostsAnswer{}, params(pRange),
		overTime(func(c *gin.Context, w query.Window) (any, error) { return db.Hosts(c.Request.Context(), w) }))

	get("/settings/retention", "How long each signal is kept", RetentionAnswer{}, nil, a.retention)
	all = append(all, endpoint{method: http.MethodPut, path: "/settings/retention", summary: "Change how long signals are kept", body: RetentionAnswer{}, answer: RetentionAnswer{}, handle: a.setRetention})
	get("/storage", "What is stored", StorageAnswer{}, nil, a.storage)
	all = append(all, a.ingestEndpoints()...)
	all = append(all, a.keyEndpoints()...)
	if a.o.Flush != nil {
		all = append(all, endpoint{method: http.MethodPost, path: "/ingest/flush", summary: "Commit what has been acknowledged, so that the next question sees it",
			handle: func(c *gin.Context) (any, error) { return nil, a.o.Flush(c.Request.Context()) }})
	}
	all = append(all, a.deploymentEndpoints()...)
	all = append(all, a.notifyEndpoints()...)
	all = append(all, a.ruleEndpoints()...)
	all = append(all, a.promRuleEndpoints()...)
	all = append(all, a.profileEndpoints()...)
	all = append(all, a.profileLabelEndpoints()...)
	all = append(all, a.incidentEndpoints()...)
	all = append(all, a.watchedEndpoints()...)
	all = append(all, a.dashboardEndpoints()...)
	all = append(all, a.promqlEndpoints()...)
	return all
}

func (a *API) compare(c *gin.Context, w query.Window) (any, error) {
	sel := w
	var err error
	for name, t := range map[string]*time.Time{"sel_from": &sel.From, "sel_to": &sel.To} {
		if s := c.Query(name); s != "" {
			if *t, err = query.ParseTime(s, time.Now()); err != nil {
				return nil, &query.InputError{Field: name, Reason: err.Error()}
			}
		}
	}
	low, err := nanoseconds(c, "min_ns", 0)
	if err != nil {
		return nil, err
	}
	high, err := nanoseconds(c, "max_ns", 1<<62)
	if err != nil {
		return nil, err
	}
	return a.o.DB.Compare(c.Request.Context(), w, sel, c.Query("q"), low, high)
}

// Status is the state of this process and its store.
type Status struct {
	Version       string         `json:"version"`
	NowMS         int64          `json:"now_ms"`
	StartedMS     int64          `json:"started_ms"`
	HasData       bool           `json:"has_data"`
	FirstSpanMS   *int64         `json:"first_span_ms"`
	OTLPGRPC      string         `json:"otlp_grpc"`
	OTLPHTTP      string         `json:"otlp_http"`
	Role          string         `json:"role"`
	Store         StoreStatus    `json:"store"`
	IngestKeys    KeysStatus     `json:"ingest_keys"`
	RetentionDays map[string]int `json:"retention_days"`
	Environments  []string       `json:"environments"`
}

// StoreStatus is the state of the store.
type StoreStatus struct {
	Ready    bool    `json:"ready"`
	Embedded bool    `json:"embedded"`
	Version  string  `json:"version"`
	Error    *string `json:"error"`
}

// status answers even when the store does not.
func (a *API) status(c *gin.Context) (any, error) { return a.CurrentStatus(c.Request.Context()) }

// CurrentStatus is the answer of GET /status, for live viewers too. It answers even when the store does not.
func (a *API) CurrentStatus(ctx context.Context) (any, error) {
	s := a.o.Status()
	s.NowMS = time.Now().UnixMilli()
	s.Environments, s.RetentionDays = []string{}, map[string]int{}
	fail := func(err error) (any, error) {
		text := Describe(err, "").Title
		s.Store.Ready, s.Store.Error = false, &text
		return s, nil
	}
	var err error
	if a.o.DB != nil {
		has, first, err := a.o.DB.HasData(ctx)
		if err != nil {
			return fail(err)
		}
		if s.HasData = has; has {
			s.FirstSpanMS = &first
		}
		if s.Environments, err = a.o.DB.Environments(ctx); err != nil {
			return fail(err)
		}
	}
	if s.RetentionDays, err = a.o.Retention(ctx); err != nil {
		return fail(err)
	}
	s.Store.Ready = true
	return s, nil
}

// RetentionAnswer is how long each signal is kept.
type RetentionAnswer struct {
	Signals []RetentionSignal `json:"signals"`
}

// RetentionSignal is one signal's keeping time and its bounds.
type RetentionSignal struct {
	Signal      string `json:"signal"`
	Days        int    `json:"days"`
	MinDays     int    `json:"min_days"`
	MaxDays     int    `json:"max_days"`
	Description string `json:"description"`
}

func retentionAnswer(days map[string]int) RetentionAnswer {
	ans := RetentionAnswer{Signals: []RetentionSignal{}}
	for _, s := range store.Signals {
		ans.Signals = append(ans.Signals, RetentionSignal{s.Name, days[s.Name], s.Min, s.Max, s.Description})
	}
	return ans
}

func (a *API) retention(c *gin.Context) (any, error) {
	days, err := a.o.Retention(c.Request.Context())
	if err != nil {
		return nil, err
	}
	return retentionAnswer(days), nil
}

func (a *API) setRetention(c *gin.Context) (any, error) {
	var body RetentionAnswer
	d := json.NewDecoder(http.MaxBytesReader(c.Writer, c.Request.Body, 64<<10))
	if err := d.Decode(&body); err != nil {
		return nil, &query.InputError{Field: "body", Reason: "is not the JSON that GET answers: " + err.Error()}
	}
	change := map[string]int{}
	for _, s := range body.Signals {
		change[s.Signal] = s.Days
	}
	if len(change) == 0 {
		return nil, &query.InputError{Field: "signals", Reason: "names no signal"}
	}
	days, err := a.o.SetRetention(c.Request.Context(), change)
	if err != nil {
		return nil, err
	}
	return retentionAnswer(days), nil
}

// StorageAnswer is what is stored.
type StorageAnswer struct {
	Tables    []StorageTable `json:"tables"`
	DiskFree  *uint64        `json:"disk_free_bytes"`
	DiskTotal *uint64        `json:"disk_total_bytes"`
}

// StorageTable is one table.
type StorageTable struct {
	Table    string `json:"table"`
	Signal   string `json:"signal"`
	Rows     uint64 `json:"rows"`
	Bytes    uint64 `json:"bytes"`
	OldestMS *int64 `json:"oldest_ms"`
	NewestMS *int64 `json:"newest_ms"`
}

func (a *API) storage(c *gin.Context) (any, error) {
	usage, err := a.o.Usage(c.Request.Context())
	if err != nil {
		return nil, err
	}
	ans := StorageAnswer{Tables: []StorageTable{}}
	for _, u := range usage {
		ans.Tables = append(ans.Tables, StorageTable{u.Table, u.Signal, u.Rows, u.Bytes, millis(u.Oldest), millis(u.Newest)})
	}
	if free, total, err := a.o.Disk(c.Request.Context()); err == nil {
		ans.DiskFree, ans.DiskTotal = &free, &total
	}
	return ans, nil
}

func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

// openPath writes a gin path as OpenAPI does: /services/{service}.
func openPath(path string) (string, []string) {
	var names []string
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "{" + name + "}"
			names = append(names, name)
		}
	}
	return "/api/v1" + strings.Join(parts, "/"), names
}

func operationID(e endpoint) string {
	return strings.ToLower(e.method) + strings.NewReplacer("/", "_", ":", "", "-", "_").Replace(e.path)
}
