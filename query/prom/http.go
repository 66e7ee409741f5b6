package prom

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/tidemarkhq/tidemark/query"
)

func typeName(v any) string { return reflect.TypeOf(v).String() }

// failure is an error as the API tells it: its type and the status that goes with it.
type failure struct {
	status int
	typ    string
	err    error
}

func (f *failure) Error() string { return f.err.Error() }

const statusClientGone = 499

func badData(err error) *failure { return &failure{http.StatusBadRequest, "bad_data", err} }

func badParam(err error, name string) *failure {
	return badData(fmt.Errorf("invalid parameter %q: %w", name, err))
}

// failed sorts an error in as Prometheus does.
func failed(err error) *failure {
	var f *failure
	var cancelled promql.ErrQueryCanceled
	var timeout promql.ErrQueryTimeout
	var storage promql.ErrStorage
	var exception *ch.Exception
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &cancelled), errors.Is(err, context.Canceled):
		return &failure{statusClientGone, "canceled", err}
	case errors.As(err, &timeout), errors.Is(err, context.DeadlineExceeded), errors.As(err, &exception) && exception.Code == proto.ErrTimeoutExceeded:
		return &failure{http.StatusServiceUnavailable, "timeout", err}
	case errors.Is(err, query.ErrBusy):
		return &failure{http.StatusServiceUnavailable, "unavailable", err}
	case errors.As(err, &storage):
		return &failure{http.StatusInternalServerError, "internal", err}
	}
	return &failure{http.StatusUnprocessableEntity, "execution", err}
}

// result is what an endpoint answers.
type result struct {
	data     any
	warnings annotations.Annotations
	after    func() // when the answer has been written
}

// Prefix is where the API is served.
const Prefix = "/prometheus"

// Handler answers the Prometheus HTTP API under Prefix.
func (e *Engine) Handler() http.Handler {
	mux := http.NewServeMux()
	both := func(path string, f func(*http.Request) (result, error)) {
		mux.HandleFunc("GET "+Prefix+"/api/v1"+path, e.serve(f))
		mux.HandleFunc("POST "+Prefix+"/api/v1"+path, e.serve(f))
	}
	get := func(path string, f func(*http.Request) (result, error)) {
		mux.HandleFunc("GET "+Prefix+"/api/v1"+path, e.serve(f))
	}
	both("/query", e.httpQuery)
	both("/query_range", e.httpQueryRange)
	both("/query_exemplars", e.httpExemplars)
	both("/format_query", e.httpFormat)
	both("/parse_query", e.httpParse)
	both("/labels", e.httpLabels)
	both("/series", e.httpSeries)
	get("/label/{name}/values", e.httpLabelValues)
	get("/metadata", e.httpMetadata)
	get("/targets", e.httpTargets)
	get("/targets/metadata", e.httpTargetsMetadata)
	get("/scrape_pools", e.httpScrapePools)
	get("/alertmanagers", e.httpAlertmanagers)
	get("/rules", e.httpRules)
	get("/alerts", e.httpAlerts)
	get("/status/buildinfo", e.httpBuildInfo)
	get("/status/runtimeinfo", e.httpRuntimeInfo)
	get("/status/config", e.httpConfig)
	get("/status/flags", e.httpFlags)
	get("/status/tsdb", e.httpTSDB)
	get("/status/walreplay", e.httpWALReplay)
	get("/features", e.httpFeatures)
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		mux.HandleFunc("GET "+Prefix+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Tidemark is ready.") })
	}
	mux.HandleFunc(Prefix+"/", func(w http.ResponseWriter, r *http.Request) {
		e.write(w, r, http.StatusNotFound, response{Status: "error", ErrorType: "not_found", Error: "there is nothing at " + r.URL.Path})
	})
	return mux
}

// maxForm bounds the body of a question, in bytes: a selection of many series is long.
const maxForm = 10 << 20

// serve adapts an endpoint. A client that goes away ends its question.
func (e *Engine) serve(f func(*http.Request) (result, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began, status := time.Now(), http.StatusOK
		defer func() {
			e.took.WithLabelValues(endpointOf(r), strconv.Itoa(status)).Observe(time.Since(began).Seconds())
		}()
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			status = http.StatusBadRequest
			e.fail(w, r, badData(fmt.Errorf("error parsing form values: %w", err)))
			return
		}
		res, err := guard(f, r)
		if res.after != nil {
			defer res.after()
		}
		if err != nil {
			f := failed(err)
			status = f.status
			e.fail(w, r, f)
			return
		}
		warnings, infos := res.warnings.AsStrings(r.FormValue("query"), 10, 10)
		e.write(w, r, http.StatusOK, response{Status: "success", Data: res.data, Warnings: warnings, Infos: infos})
	}
}

// endpointOf is the path of a request as it was registered: label/{name}/values.
func endpointOf(r *http.Request) string {
	_, path, _ := strings.Cut(r.Pattern, Prefix+"/api/v1/")
	return path
}

// guard keeps a defect from more than one question.
func guard(f func(*http.Request) (result, error), r *http.Request) (res result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &failure{http.StatusInternalServerError, "internal", fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	return f(r)
}

func (e *Engine) fail(w http.ResponseWriter, r *http.Request, f *failure) {
	if f.status >= 500 {
		e.o.Logger.Error("a PromQL question failed", "path", r.URL.Path, "query", r.FormValue("query"), "error", f.err)
	}
	e.write(w, r, f.status, response{Status: "error", ErrorType: f.typ, Error: f.err.Error()})
}

// compressFrom is the size in bytes from which compressing an answer is worth it: about one packet.
const compressFrom = 1400

func (e *Engine) write(w http.ResponseWriter, r *http.Request, status int, body response) {
	b, err := codec().Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept-Encoding")
	if len(b) < compressFrom || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(status)
		_, _ = w.Write(b) // a client that has gone is nobody's problem
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	_, _ = z.Write(b)
	_ = z.Close()
}

// The times that stand for no bound, as Prometheus writes them.
var (
	minTime = time.Unix(math.MinInt64/1000+62135596801, 0).UTC()
	maxTime = time.Unix(math.MaxInt64/1000-62135596801, 999999999).UTC()
)

func parseTime(s string) (time.Time, error) {
	if t, err := strconv.ParseFloat(s, 64); err == nil {
		s, ns := math.Modf(t)
		ns = math.Round(ns*1000) / 1000
		return time.Unix(int64(s), int64(ns*float64(time.Second))).UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	switch s { // years of more than four digits
	case minTime.Format(time.RFC3339Nano):
		return minTime, nil
	case maxTime.Format(time.RFC3339Nano):
		return maxTime, nil
	}
	return time.Time{}, fmt.Errorf("cannot parse %q to a valid timestamp", s)
}

func timeParam(r *http.Request, name string, otherwise time.Time) (time.Time, error) {
	val := r.FormValue(name)
	if val == "" {
		return otherwise, nil
	}
	t, err := parseTime(val)
	if err != nil {
		return time.Time{}, badParam(fmt.Errorf("invalid time value for '%s': %w", name, err), name)
	}
	return t, nil
}

// span are the parameters start and end.
func span(r *http.Request) (start, end time.Time, err error) {
	if start, err = timeParam(r, "start", minTime); err != nil {
		return start, end, err
	}
	end, err = timeParam(r, "end", maxTime)
	return start, end, err
}

func parseDuration(s string) (time.Duration, error) {
	if d, err := strconv.ParseFloat(s, 64); err == nil {
		ts := d * float64(time.Second)
		if ts > float64(math.MaxInt64) || ts < float64(math.MinInt64) {
			return 0, fmt.Errorf("cannot parse %q to a valid duration. It overflows int64", s)
		}
		return time.Duration(ts), nil
	}
	if d, err := model.ParseDuration(s); err == nil {
		return time.Duration(d), nil
	}
	return 0, fmt.Errorf("cannot parse %q to a valid duration", s)
}

// limitParam is the parameter limit; 0 for none.
func limitParam(r *http.Request) (int, error) {
	s := r.FormValue("limit")
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err == nil && n < 0 {
		err = errors.New("limit must be non-negative")
	}
	if err != nil {
		return 0, badParam(err, "limit")
	}
	return n, nil
}

// more is one more than a limit, so that cutting off is noticed.
func more(limit int) int {
	if limit > 0 && limit < math.MaxInt {
		return limit + 1
	}
	return limit
}

var errTruncated = errors.New("results truncated due to limit")

// matcherSets are the parameters match[].
func (e *Engine) matcherSets(r *http.Request) ([][]*labels.Matcher, error) {
	sets, err := e.parser.ParseMetricSelectors(r.Form["match[]"])
	if err != nil {
		return nil, err
	}
	for _, set := range sets {
		if !slices.ContainsFunc(set, func(m *labels.Matcher) bool { return m != nil && !m.Matches("") }) {
			return nil, errors.New("match[] must contain at least one non-empty matcher")
		}
	}
	return sets, nil
}
