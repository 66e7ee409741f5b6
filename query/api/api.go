// Package api is the HTTP surface of everything that people and programs ask: one table of routes, from which the
// gin router and the OpenAPI document are both made, so that they cannot disagree. New is the whole of it; what it
// must not import (ingest, the browser application, the process's configuration) comes in through the functions of
// Options. Its invariants: an answer has exactly the shape of its Go type, every failure is an RFC 9457 problem with
// the request's id, and a client that leaves ends its queries.
package api

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidemarkhq/tidemark/anomaly/explain"
	"github.com/tidemarkhq/tidemark/anomaly/notify"
	"github.com/tidemarkhq/tidemark/anomaly/promrules"
	"github.com/tidemarkhq/tidemark/anomaly/rules"
	"github.com/tidemarkhq/tidemark/anomaly/watch"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/auth"
	"github.com/tidemarkhq/tidemark/query/dashboards"
	"github.com/tidemarkhq/tidemark/query/prom"
	"github.com/tidemarkhq/tidemark/store"
)

// Options say what the surface stands on. Fields that may be nil say what happens then.
type Options struct {
	DB     *query.DB
	Status func() Status // what the process knows of itself; the store's part is filled in

	Retention    func(context.Context) (map[string]int, error)                 // days by signal
	SetRetention func(context.Context, map[string]int) (map[string]int, error) // *store.RetentionError for days that cannot be set
	Usage        func(context.Context) ([]store.TableUsage, error)
	Disk         func(context.Context) (free, total uint64, err error)

	Caps           func(context.Context) (store.Caps, error) // nil: 404, as is SetCaps
	SetCaps        func(context.Context, store.Caps) error   // *store.CapsError for caps that cannot be set
	ConfiguredCaps store.Caps                                // what zeroes stand for

	Keys *auth.Keyring // nil: 404

	Deploy func(context.Context, query.Deployment) (query.Deployment, error) // stores a posted deployment; nil: 404

	Prom       *prom.Engine        // PromQL; nil: 404
	Dashboards *dashboards.Library // nil: 404

	Notify *notify.Notifier // who is told of incidents; nil: 404
	Rules  *rules.Engine    // thresholds and objectives; nil: 404

	PromRules *promrules.Engine // rules in Prometheus' format; nil: 404

	Watch   *watch.Watch       // detection and incidents; nil: 404
	Explain *explain.Explainer // with Watch

	ProfileTargets *ProfileTargets // nil: 404

	// The state of ingest, its last quarter of an hour, and its cardinality guards; nil: 404 (a process without the role).
	Ingest, IngestHistory, IngestCardinality func() any

	Flush   func(context.Context) error // nil: 404
	Live    http.Handler                // nil: 404
	Web     http.Handler                // every path that is not ours; nil: 404
	Metrics http.Handler                // /metrics; nil: 404
	Ready   func(context.Context) error // nil: always ready

	Timeout        time.Duration         // of one request (60 s)
	Origins        []string              // further browser origins whose pages may change things
	Logger         *slog.Logger          // (slog.Default())
	Registerer     prometheus.Registerer // nil: nothing is counted
	TracerProvider trace.TracerProvider  // nil: requests are not traced
}

// API answers the HTTP port.
type API struct {
	o        Options
	handler  http.Handler
	duration *prometheus.HistogramVec
	gone     prometheus.Counter
	document []byte
}

// New makes the handler of the HTTP port.
func New(o Options) (*API, error) {
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	a := &API{o: o}
	a.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tidemark_query_duration_seconds",
		Help: "Time to answer a question, by route and status.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}, []string{"route", "status"})
	a.gone = prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_query_cancelled_total", Help: "Questions whose asker left before the answer."})
	if o.Registerer != nil {
		for _, c := range []prometheus.Collector{a.duration, a.gone} {
			if err := o.Registerer.Register(c); err != nil {
				return nil, fmt.Errorf("register the query metrics: %w", err)
			}
		}
	}
	var err error
	if a.document, err = a.openapi(); err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	cross := http.NewCrossOriginProtection()
	for _, origin := range o.Origins {
		if err := cross.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("allowed origin %q: %w", origin, err)
		}
	}
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, Problem{Title: "A page of another origin may not change anything here", Status: http.StatusForbidden, RequestID: requestID(w, r)})
	}))
	a.handler = cross.Handler(a.router())
	return a, nil
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// router is the gin engine: our routes, and the browser application for every other path.
func (a *API) router() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	g := gin.New()
	g.UseRawPath, g.UnescapePathValues = true, true // service names may contain slashes
	g.HandleMethodNotAllowed = true
	g.RedirectTrailingSlash = false
	g.Use(func(c *gin.Context) {
		requestID(c.Writer, c.Request)
		c.Next()
	})
	for _, e := range a.routes() {
		g.Handle(e.method, "/api/v1"+e.path, a.serve(e))
	}
	g.GET("/api/v1/openapi.json", func(c *gin.Context) {
		secure(c.Writer.Header())
		writeBody(c.Writer, c.Request, http.StatusOK, "application/json", a.document)
	})
	optional := func(path string, h http.Handler) {
		if h != nil {
			g.GET(path, gin.WrapH(h))
		}
	}
	if a.o.Notify != nil {
		g.GET(notify.ChartPath+":name", a.chart)
	}
	optional("/api/v1/live", a.o.Live)
	if a.o.Prom != nil {
		g.Any(prom.Prefix+"/*path", gin.WrapH(a.o.Prom.Handler()))
	}
	optional("/metrics", a.o.Metrics)
	g.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	g.GET("/readyz", a.ready)
	g.NoRoute(a.other)
	g.NoMethod(func(c *gin.Context) {
		a.problem(c, Problem{Title: "This method is not allowed here", Status: http.StatusMethodNotAllowed})
	})
	return g
}

// other serves the browser application; unknown paths of the API are problems, not pages.
func (a *API) other(c *gin.Context) {
	if strings.HasPrefix(c.Request.URL.Path, "/api/") || a.o.Web == nil {
		a.problem(c, Problem{Title: "There is nothing at this address", Status: http.StatusNotFound, Detail: c.Request.URL.Path})
		return
	}
	c.Status(http.StatusOK) // gin presets 404
	a.o.Web.ServeHTTP(c.Writer, c.Request)
}

func (a *API) ready(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), 5*time.Second)
	defer cancel()
	if a.o.Ready != nil {
		if err := a.o.Ready(ctx); err != nil {
			c.String(http.StatusServiceUnavailable, "not ready: %s\n", err)
			return
		}
	}
	c.String(http.StatusOK, "ready\n")
}

// serve adapts an endpoint: parameters in, a value or a problem out; timed, counted, traced and logged.
func (a *API) serve(e endpoint) gin.HandlerFunc {
	route, _ := openPath(e.path)
	name := e.method + " " + route
	answer := func(c *gin.Context) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(c.Request.Context(), max(a.o.Timeout, e.timeout))
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		secure(c.Writer.Header())
		status, err := http.StatusOK, error(nil)
		value, err := a.handle(e, c)
		if err == nil {
			status, err = write(c, e, value)
		}
		if err != nil {
			p := Describe(err, requestID(c.Writer, c.Request))
			if status = p.Status; status == statusClientGone {
				a.gone.Inc()
			}
			if status >= 500 {
				a.o.Logger.Error("a question failed", "route", name, "query", c.Request.URL.RawQuery, "request_id", p.RequestID, "error", err)
			}
			writeProblem(c.Writer, p)
		}
		took := time.Since(began)
		a.duration.WithLabelValues(route, fmt.Sprint(status)).Observe(took.Seconds())
		a.o.Logger.Debug("answered", "route", name, "query", c.Request.URL.RawQuery, "status", status, "took", took)
	}
	if a.o.TracerProvider == nil {
		return answer
	}
	return func(c *gin.Context) {
		otelhttp.NewHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			c.Request = r
			answer(c)
		}), name, otelhttp.WithTracerProvider(a.o.TracerProvider), otelhttp.WithSpanNameFormatter(func(string, *http.Request) string { return name })).
			ServeHTTP(c.Writer, c.Request)
	}
}

// own are the questions that a process without the query role answers too.
var own = map[string]bool{"/status": true, "/ingest": true, "/ingest/flush": true, "/settings/retention": true, "/settings/caps": true, "/settings/ingest-keys": true, "/settings/ingest-keys/:id/revoke": true, "/settings/ingest-keys/:id/restore": true, "/storage": true}

// handle answers a question; a defect fails this one question only, with its place in the log.
func (a *API) handle(e endpoint, c *gin.Context) (value any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if a.o.DB == nil && !own[e.path] {
		return nil, fmt.Errorf("this process only takes telemetry in; ask one with the query role: %w", query.ErrNotFound)
	}
	return e.handle(c)
}

func write(c *gin.Context, e endpoint, value any) (status int, err error) {
	if e.answer == nil {
		c.Writer.WriteHeader(http.StatusNoContent)
		c.Writer.WriteHeaderNow()
		return http.StatusNoContent, nil
	}
	if wantsCSV(c.Request) {
		b, err := csvOf(value)
		if err != nil {
			return 0, err
		}
		writeBody(c.Writer, c.Request, http.StatusOK, "text/csv; charset=utf-8", b)
		return http.StatusOK, nil
	}
	if _, ok := value.(streamed); ok {
		return http.StatusOK, nil
	}
	if f, ok := value.(file); ok {
		c.Header("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.name}))
		writeBody(c.Writer, c.Request, http.StatusOK, f.kind, f.data)
		return http.StatusOK, nil
	}
	b, err := json.Marshal(value)
	if err != nil {
		return 0, fmt.Errorf("write the answer: %w", err)
	}
	writeBody(c.Writer, c.Request, http.StatusOK, "application/json", b)
	return http.StatusOK, nil
}

// file is an answer that is not JSON.
type file struct {
	name, kind string
	data       []byte
}

func (a *API) problem(c *gin.Context, p Problem) {
	secure(c.Writer.Header())
	p.RequestID = requestID(c.Writer, c.Request)
	writeProblem(c.Writer, p)
}

// secure sets the headers of answers that are data, never pages.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

// requestID is the id of a request: the client's, where it is a plain one, or a new one.
func requestID(w http.ResponseWriter, r *http.Request) string {
	if id := w.Header().Get("X-Request-Id"); id != "" {
		return id
	}
	id := r.Header.Get("X-Request-Id")
	plain := id != "" && len(id) <= 64 && strings.IndexFunc(id, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	}) < 0
	if !plain {
		id = newRequestID()
	}
	w.Header().Set("X-Request-Id", id)
	return id
}

// compressFrom is the size in bytes from which compressing an answer is worth it: about one packet.
const compressFrom = 1400

var zippers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return z
}}

func writeBody(w http.ResponseWriter, r *http.Request, status int, contentType string, b []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Add("Vary", "Accept-Encoding")
	if len(b) < compressFrom || !acceptsGzip(r) {
		w.WriteHeader(status)
		_, _ = w.Write(b) // a client that has gone is nobody's problem
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(w)
	_, _ = z.Write(b)
	_ = z.Close()
}

// acceptsGzip reports whether the client lists gzip and does not refuse it by q=0.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" || name == "*" {
			q := strings.ReplaceAll(params, " ", "")
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}
