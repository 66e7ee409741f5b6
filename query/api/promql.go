package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/live"
	"github.com/tidemarkhq/tidemark/query/prom"
)

// PromMetricsAnswer is names that PromQL knows.
type PromMetricsAnswer struct {
	Metrics []prom.MetricInfo `json:"metrics"`
	More    bool              `json:"more"`
}

// promqlEndpoints answer PromQL in columns, as charts are drawn; programs have /prometheus/api/v1 for it.
func (a *API) promqlEndpoints() []endpoint {
	e := a.o.Prom
	if e == nil {
		return nil
	}
	return []endpoint{
		{method: http.MethodGet, path: "/promql", summary: "PromQL expressions over time, in columns", answer: prom.ChartAnswer{},
			params: params(pRange, param{"expr", "an expression; may be repeated. $__rate_interval, $__interval and $__range stand for what suits the range"},
				param{"step", "width of a point: 30s"}, param{"instant", "1: the values at the end only"}, param{"limit", "series an expression, 1 to 2000"}),
			handle: overTime(func(c *gin.Context, w query.Window) (any, error) {
				n, err := integer(c, "limit", 0, 1, 2000)
				if err != nil {
					return nil, err
				}
				q := prom.ChartQuestion{Exprs: c.QueryArray("expr"), Window: w, Instant: c.Query("instant") == "1", Limit: n}
				if s := c.Query("step"); s != "" {
					if q.Step, err = time.ParseDuration(s); err != nil || q.Step < time.Second {
						return nil, &query.InputError{Field: "step", Reason: "is no duration of a second or more, such as 30s"}
					}
				}
				return e.Chart(c.Request.Context(), q)
			})},
		{method: http.MethodGet, path: "/promql/metrics", summary: "Names that PromQL knows", answer: PromMetricsAnswer{},
			params: params(param{"q", "words in the name or the help"}, param{"limit", "names listed, 1 to 10000"}),
			handle: func(c *gin.Context) (any, error) {
				n, err := integer(c, "limit", 1000, 1, 10_000)
				if err != nil {
					return nil, err
				}
				list, total, err := e.Names(c.Request.Context(), c.Query("q"), n)
				return PromMetricsAnswer{Metrics: list, More: total > len(list)}, err
			}},
	}
}

// liveProm is a live question in PromQL.
type liveProm struct {
	Exprs   []string `json:"exprs"`
	Instant bool     `json:"instant"`
}

// How often a chart of PromQL moves: twice a step, as its points are that far apart.
const (
	leastPromTick = 2 * time.Second
	mostPromTick  = 30 * time.Second
)

// promql answers the whole window at first and then the steps that may have changed, in the same width.
func (e evaluation) promql(ctx context.Context) (live.Answer, error) {
	if e.prom == nil {
		return live.Answer{}, &query.InputError{Field: "kind", Reason: "promql is not answered by this process"}
	}
	w, step := e.w, prom.ChartStep(e.w)
	tick := min(max(step/2, leastPromTick), mostPromTick)
	q := prom.ChartQuestion{Exprs: e.q.Exprs, Window: w, Step: step, Instant: e.q.Instant}
	next := e.now.Add(-max(lookBack, 2*step))
	if q.Instant {
		next, tick = time.Time{}, max(tick, 5*time.Second)
	} else if !e.since.IsZero() && e.since.After(w.From) {
		q.From = e.since
	}
	data, err := e.prom.Chart(ctx, q)
	if err != nil {
		return live.Answer{}, err
	}
	return live.Answer{Data: data, DataMS: e.now.UnixMilli(), Next: next, Every: tick}, nil
}
