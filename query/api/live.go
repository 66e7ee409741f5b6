package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/live"
	"github.com/tidemarkhq/tidemark/query/prom"
)

// liveQuery is what a viewer subscribes to; see LiveQuery in web/src/api/types.ts.
type liveQuery struct {
	Kind      string   `json:"kind"`
	Service   string   `json:"service"`
	Operation string   `json:"operation"`
	SpanKind  string   `json:"span_kind"`
	Env       string   `json:"env"`
	By        string   `json:"by"`
	Version   string   `json:"version"`
	Instance  string   `json:"instance"`
	WindowMS  int64    `json:"window_ms"`
	Name      string   `json:"name"`
	Agg       string   `json:"agg"`
	Filter    []string `json:"filter"`
	Q         string   `json:"q"`

	// Of profiles.
	Type       string   `json:"type"`
	SampleType string   `json:"sample_type"`
	Label      []string `json:"label"` // KEY:VALUE
	Members    int      `json:"members"`
	liveProm
}

// lookBack is how far behind the newest point an update looks again, for spans that arrive late.
const lookBack = 40 * time.Second

// Evaluate answers live subscriptions with the answers of the GET endpoints. status is the answer of GET /status,
// incidents that of GET /incidents with those that are open; engine answers PromQL and may be nil.
func Evaluate(db *query.DB, engine *prom.Engine, status, incidents func(context.Context) (any, error)) live.Evaluate {
	return func(ctx context.Context, raw json.RawMessage, from string, since time.Time) (live.Answer, error) {
		var q liveQuery
		if err := json.Unmarshal(raw, &q); err != nil {
			return live.Answer{}, &query.InputError{Field: "query", Reason: err.Error()}
		}
		now := time.Now()
		if q.WindowMS > 0 {
			from = fmt.Sprint(now.Add(-time.Duration(q.WindowMS) * time.Millisecond).UnixMilli())
		}
		w, err := query.ParseWindow(from, "", now)
		if err != nil {
			return live.Answer{}, err
		}
		e := evaluation{db, engine, q, w, since, now}
		switch q.Kind {
		case "red":
			return e.red(ctx)
		case "heatmap":
			data, err := db.Heatmap(ctx, w, e.selection())
			return whole(data, now), err
		case "services":
			data, err := db.Services(ctx, w, q.Env)
			return whole(data, now), err
		case "map":
			data, err := db.Map(ctx, w, q.Env, "", 0)
			return whole(data, now), err
		case "metric":
			data, err := db.MetricChart(ctx, w, query.MetricQuestion{Name: q.Name, Agg: q.Agg, By: list(q.By), Filter: q.Filter})
			return whole(data, now), err
		case "logs":
			return e.logs(ctx)
		case "promql":
			return e.promql(ctx)
		case "profile_series":
			return e.profileSeries(ctx)
		case "incidents":
			data, err := incidents(ctx)
			return whole(data, now), err
		case "status":
			data, err := status(ctx)
			return whole(data, now), err
		}
		return live.Answer{}, &query.InputError{Field: "kind", Reason: fmt.Sprintf("%q is not red, heatmap, services, metric, promql, logs, map, profile_series, incidents or status", q.Kind)}
	}
}

// whole is an answer that replaces everything.
func whole(data any, now time.Time) live.Answer {
	return live.Answer{Data: data, DataMS: now.UnixMilli()}
}

type evaluation struct {
	db    *query.DB
	prom  *prom.Engine
	q     liveQuery
	w     query.Window
	since time.Time
	now   time.Time
}

func (e evaluation) selection() query.Selection {
	return query.Selection{Service: e.q.Service, Operation: e.q.Operation, Kind: e.q.SpanKind, Env: e.q.Env, Version: e.q.Version, Instance: e.q.Instance}
}

// red answers the whole window at first and then the steps that may have changed, in the same width.
func (e evaluation) red(ctx context.Context) (live.Answer, error) {
	step := e.db.StepFor(e.w)
	w := e.w
	if !e.since.IsZero() && e.since.After(w.From) {
		w.From = e.since.Truncate(step)
	}
	data, err := e.db.Red(ctx, w, e.selection(), e.q.By, step)
	if err != nil {
		return live.Answer{}, err
	}
	return live.Answer{Data: data, DataMS: e.now.UnixMilli(), Next: e.now.Add(-max(lookBack, 2*step))}, nil
}

// logs answers the newest records, and then those since.
func (e evaluation) logs(ctx context.Context) (live.Answer, error) {
	w := e.w
	if !e.since.IsZero() && e.since.After(w.From) {
		w.From = e.since
	}
	data, err := e.db.Logs(ctx, w, e.q.Q, "newest", "", 200)
	if err != nil {
		return live.Answer{}, err
	}
	return live.Answer{Data: data, DataMS: e.now.UnixMilli(), Next: e.now.Add(-10 * time.Second)}, nil
}

// profilesEvery is how often charts of profiles look for new ones, which come by the minute.
const profilesEvery = 5 * time.Second

// profileSeries answers the whole window each time: which functions are the largest changes with every profile.
func (e evaluation) profileSeries(ctx context.Context) (live.Answer, error) {
	labels, err := profileLabels("label", e.q.Label)
	if err != nil {
		return live.Answer{}, err
	}
	if e.q.Service == "" {
		return live.Answer{}, &query.InputError{Field: "service", Reason: "is missing"}
	}
	if e.q.Members < 0 || e.q.Members > maxSeriesMembers {
		return live.Answer{}, &query.InputError{Field: "members", Reason: fmt.Sprintf("is not 1 to %d", maxSeriesMembers)}
	}
	data, err := e.db.ProfileSeries(ctx, query.ProfileSelection{
		Window: e.w, Service: e.q.Service, Type: cmp.Or(e.q.Type, "cpu"), SampleType: e.q.SampleType, Version: e.q.Version, Instance: e.q.Instance, Env: e.q.Env, Labels: labels,
	}, e.q.By, cmp.Or(e.q.Members, 10))
	answer := whole(data, e.now)
	answer.Every = profilesEvery
	return answer, err
}
