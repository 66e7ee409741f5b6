package prom

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/prometheus/prometheus/util/stats"
)

// queryData is the answer to an expression.
type queryData struct {
	ResultType parser.ValueType `json:"resultType"`
	Result     parser.Value     `json:"result"`
	Stats      stats.QueryStats `json:"stats,omitempty"`
}

// maxPoints is how many points a series of a range may have, as in Prometheus.
const maxPoints = 11000

func (e *Engine) httpQuery(r *http.Request) (result, error) {
	limit, err := limitParam(r)
	if err != nil {
		return result{}, err
	}
	at, err := timeParam(r, "time", e.db.Now())
	if err != nil {
		return result{}, err
	}
	return e.evaluate(r, limit, at, at, 0)
}

func (e *Engine) httpQueryRange(r *http.Request) (result, error) {
	limit, err := limitParam(r)
	if err != nil {
		return result{}, err
	}
	var times [2]time.Time
	for i, name := range []string{"start", "end"} {
		if times[i], err = parseTime(r.FormValue(name)); err != nil {
			return result{}, badParam(err, name)
		}
	}
	start, end := times[0], times[1]
	if end.Before(start) {
		return result{}, badParam(ErrEndBeforeStart, "end")
	}
	step, err := parseDuration(r.FormValue("step"))
	if err != nil {
		return result{}, badParam(err, "step")
	}
	if step <= 0 {
		return result{}, badParam(errors.New("zero or negative query resolution step widths are not accepted. Try a positive integer"), "step")
	}
	if end.Sub(start)/step > maxPoints {
		return result{}, badData(errors.New("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"))
	}
	return e.evaluate(r, limit, start, end, step)
}

// evaluate answers within the time that the client grants; a step of zero asks for one moment. Who asks for another
// lookback or what the engine counted is answered by the engine alone.
func (e *Engine) evaluate(r *http.Request, limit int, start, end time.Time, step time.Duration) (res result, err error) {
	ctx := r.Context()
	if to := r.FormValue("timeout"); to != "" {
		timeout, err := parseDuration(to)
		if err != nil {
			return res, badParam(err, "timeout")
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	var lookback time.Duration
	if s := r.FormValue("lookback_delta"); s != "" {
		if lookback, err = parseDuration(s); err != nil {
			return res, badData(fmt.Errorf("error parsing lookback delta duration: %w", err))
		}
	}
	expr, wanted := r.FormValue("query"), r.FormValue("stats")
	if wanted == "" && lookback == 0 {
		a, err := e.pushDown(ctx, expr, start, end, step)
		if err == nil {
			res.warnings = a.Annotations
			value := truncate(a.Value, limit, &res.warnings)
			res.data = &queryData{ResultType: value.Type(), Result: value}
			return res, nil
		}
		if !errors.Is(err, errNotPushed) {
			return res, err
		}
	}
	q, err := e.prepare(ctx, e, promql.NewPrometheusQueryOpts(wanted == "all", lookback), expr, start, end, step)
	if err != nil {
		return res, badParam(err, "query")
	}
	res.after = q.Close
	answer := q.Exec(ctx)
	if answer.Err != nil {
		return res, answer.Err
	}
	res.warnings = answer.Warnings
	value := truncate(answer.Value, limit, &res.warnings)
	data := &queryData{ResultType: value.Type(), Result: value}
	if wanted != "" {
		data.Stats = stats.NewQueryStats(q.Stats())
		if wanted != "true" && wanted != "all" {
			res.warnings.Add(fmt.Errorf("value %q for parameter \"stats\" is deprecated and will be rejected in the next major release, use %q or %q", wanted, "true", "all"))
		}
	}
	res.data = data
	return res, nil
}

func truncate(v parser.Value, limit int, warnings *annotations.Annotations) parser.Value {
	if limit == 0 {
		return v
	}
	switch all := v.(type) {
	case promql.Matrix:
		if len(all) > limit {
			warnings.Add(errTruncated)
			return all[:limit]
		}
	case promql.Vector:
		if len(all) > limit {
			warnings.Add(errTruncated)
			return all[:limit]
		}
	}
	return v
}

func (e *Engine) httpFormat(r *http.Request) (result, error) {
	expr, err := e.parser.ParseExpr(r.FormValue("query"))
	if err != nil {
		return result{}, badParam(err, "query")
	}
	return result{data: expr.Pretty(0)}, nil
}

func (e *Engine) httpParse(r *http.Request) (result, error) {
	expr, err := e.parser.ParseExpr(r.FormValue("query"))
	if err != nil {
		return result{}, badParam(err, "query")
	}
	return result{data: translateAST(expr)}, nil
}
