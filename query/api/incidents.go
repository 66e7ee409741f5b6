package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/anomaly/explain"
	"github.com/tidemarkhq/tidemark/anomaly/watch"
	"github.com/tidemarkhq/tidemark/query"
)

// IncidentsAnswer lists incidents, the newest first.
type IncidentsAnswer struct {
	Incidents []anomaly.Incident `json:"incidents"`
	Next      string             `json:"next"` // cursor of the next page; "" at the end
}

// IncidentAnswer is one incident with all that is known around it.
type IncidentAnswer struct {
	Incident anomaly.Incident `json:"incident"`
	Events   []watch.Event    `json:"events"`
	Series   []watch.Affected `json:"series"`
	explain.Context
}

// MutesAnswer lists mutes.
type MutesAnswer struct {
	Mutes []watch.Mute `json:"mutes"`
}

// NormalAnswer lists what was said to be normal.
type NormalAnswer struct {
	Normal []watch.Learned `json:"normal"`
}

// NoteBody is a note on an incident.
type NoteBody struct {
	Text string `json:"text"`
}

// BacktestBody asks what detection would have found.
type BacktestBody struct {
	From        string          `json:"from"` // RFC 3339, Unix milliseconds or relative
	To          string          `json:"to"`
	Sensitivity *watch.Settings `json:"sensitivity,omitempty"` // what is set by default
}

// BandsAnswer is what was expected over time, with what happened.
type BandsAnswer struct {
	watch.Bands
	Incidents   []BandIncident   `json:"incidents"`
	Deployments []BandDeployment `json:"deployments"`
}

// BandIncident is an incident as a mark on a chart.
type BandIncident struct {
	ID       string           `json:"id"`
	Title    string           `json:"title"`
	From     time.Time        `json:"from"`
	To       *time.Time       `json:"to"` // null while it is open
	Severity anomaly.Severity `json:"severity"`
}

// BandDeployment is a deployment as a mark on a chart.
type BandDeployment struct {
	TS      time.Time `json:"ts"`
	Version string    `json:"version"`
	Service string    `json:"service"`
}

// backtestTime is how long a backtest may take.
const backtestTime = 15 * time.Minute

func (a *API) incidentEndpoints() []endpoint {
	w := a.o.Watch
	if w == nil {
		return nil
	}
	get, post, put, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	incident := func(f func(*gin.Context, string) (any, error)) func(*gin.Context) (any, error) {
		return func(c *gin.Context) (any, error) { return f(c, c.Param("id")) }
	}
	return []endpoint{
		{method: get, path: "/incidents", summary: "Incidents that went on in a range, the newest first", answer: IncidentsAnswer{},
			params: params(pRange, param{"status", "open or resolved"}, param{"severity", "critical, warning or info"}, pService, param{"limit", "at most 500; 100 by default"}, param{"cursor", "next of the page before"}),
			handle: overTime(a.incidents)},
		{method: get, path: "/incidents/:id", summary: "One incident: what was done, the series it shows in, what lies around it", answer: IncidentAnswer{}, handle: incident(a.incident)},
		{method: post, path: "/incidents/:id/notes", summary: "Write a note", body: NoteBody{}, answer: IncidentAnswer{},
			handle: read(func(c *gin.Context, body NoteBody) (any, error) {
				if err := w.Note(c.Request.Context(), c.Param("id"), body.Text); err != nil {
					return nil, err
				}
				return a.incident(c, c.Param("id"))
			})},
		{method: post, path: "/incidents/:id/acknowledge", summary: "Say that somebody looks after it", answer: anomaly.Incident{}, handle: incident(func(c *gin.Context, id string) (any, error) {
			if err := w.Acknowledge(c.Request.Context(), id); err != nil {
				return nil, err
			}
			return w.Get(c.Request.Context(), id)
		})},
		{method: post, path: "/incidents/:id/resolve", summary: "Close it by hand", answer: anomaly.Incident{}, handle: incident(func(c *gin.Context, id string) (any, error) { return w.Resolve(c.Request.Context(), id) })},
		{method: post, path: "/incidents/:id/normal", summary: "Teach that this is normal", answer: anomaly.Incident{}, handle: incident(func(c *gin.Context, id string) (any, error) { return w.Normal(c.Request.Context(), id) })},
		{method: del, path: "/incidents/:id/normal", summary: "Take back that this is normal", answer: anomaly.Incident{}, handle: incident(func(c *gin.Context, id string) (any, error) { return w.NotNormal(c.Request.Context(), id) })},
		{method: get, path: "/normal", summary: "What was said to be normal, by incident", answer: NormalAnswer{}, handle: func(*gin.Context) (any, error) { return NormalAnswer{w.Learned()}, nil }},
		{method: get, path: "/mutes", summary: "What is muted", answer: MutesAnswer{}, handle: func(*gin.Context) (any, error) { return MutesAnswer{w.Mutes()}, nil }},
		{method: post, path: "/mutes", summary: "Mute a service, or one of its operations or symptoms", body: watch.Mute{}, answer: watch.Mute{},
			handle: read(func(c *gin.Context, body watch.Mute) (any, error) { return w.Mute(c.Request.Context(), body) })},
		{method: del, path: "/mutes/:id", summary: "Lift a mute", handle: incident(func(c *gin.Context, id string) (any, error) { return nil, w.Unmute(c.Request.Context(), id) })},
		{method: get, path: "/sensitivity", summary: "How sensitive detection is: expected false alarms a day", answer: watch.Settings{}, handle: func(*gin.Context) (any, error) { return w.Sensitivity(), nil }},
		{method: put, path: "/sensitivity", summary: "Change how sensitive detection is", body: watch.Settings{}, answer: watch.Settings{},
			handle: read(func(c *gin.Context, body watch.Settings) (any, error) {
				return w.SetSensitivity(c.Request.Context(), body)
			})},
		{method: get, path: "/detection", summary: "How far detection has got", answer: watch.State{}, handle: func(*gin.Context) (any, error) { return w.State(), nil }},
		{method: get, path: "/bands", summary: "What is expected of a service, operation or watched metric over time", answer: BandsAnswer{},
			params: params(pRange, pService, pEnv, param{"operation", "name of a span"}, param{"span_kind", "kind of the operation's spans"}, param{"symptom", "latency, errors or traffic; cpu or alloc of a function"}, param{"function", "whose cost a request is meant, with cpu and alloc"}, param{"file", "where the function is, if there are several of its name"}, param{"version", "with a function: of the service"},
				param{"metric", "a metric that services are known by, instead of a symptom; for others nothing is expected"}, param{"label", "the metric's pool, queue group or cache, where there are several"}, param{"peer", "the metric's queue, where there are several"}, param{"step", "width of a point"}),
			handle: overTime(a.bands)},
		{method: post, path: "/backtest", summary: "What detection would have found in a past range; with Accept: text/event-stream its progress is told", body: BacktestBody{}, answer: IncidentsAnswer{}, timeout: backtestTime,
			handle: read(a.backtest)},
	}
}

func (a *API) incidents(c *gin.Context, w query.Window) (any, error) {
	n, err := integer(c, "limit", 100, 1, 500)
	if err != nil {
		return nil, err
	}
	if s := c.Query("status"); s != "" && s != "open" && s != "resolved" {
		return nil, &query.InputError{Field: "status", Reason: "is open or resolved"}
	}
	list, err := a.o.Watch.List(c.Request.Context(), watch.Filter{Window: w, Status: c.Query("status"), Service: c.Query("service"), Severity: c.Query("severity"), Limit: n, Before: c.Query("cursor")})
	if err != nil {
		return nil, err
	}
	ans := IncidentsAnswer{Incidents: list}
	if len(list) > n {
		ans.Incidents, ans.Next = list[:n], list[n-1].ID
	}
	for i := range ans.Incidents {
		complete(&ans.Incidents[i])
	}
	return ans, nil
}

// complete makes lists of an incident that are missing empty ones.
func complete(inc *anomaly.Incident) {
	if inc.Services == nil {
		inc.Services = []string{}
	}
	if inc.RootCauses == nil {
		inc.RootCauses = []anomaly.RootCause{}
	}
	for i := range inc.RootCauses {
		if inc.RootCauses[i].Evidence == nil {
			inc.RootCauses[i].Evidence = []anomaly.Evidence{}
		}
	}
}

// mostSeriesShown is how many of an incident's series are read for its page.
const mostSeriesShown = 12

func (a *API) incident(c *gin.Context, id string) (any, error) {
	ctx := c.Request.Context()
	inc, err := a.o.Watch.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	complete(&inc)
	ans := IncidentAnswer{Incident: inc, Series: []watch.Affected{}}
	if ans.Events, err = a.o.Watch.Events(ctx, id); err != nil {
		return nil, err
	}
	end := time.Now()
	if inc.ResolvedAt != nil {
		end = *inc.ResolvedAt
	}
	around := max(30*time.Minute, end.Sub(inc.StartedAt)/2)
	from, to := inc.StartedAt.Add(-around), end.Add(min(around, 30*time.Minute))
	for _, alarm := range inc.Alarms[:min(len(inc.Alarms), mostSeriesShown)] {
		s, err := a.o.Watch.Series(ctx, alarm, from, to)
		if err != nil {
			return nil, err
		}
		ans.Series = append(ans.Series, s)
	}
	ans.Context, err = a.o.Explain.Context(ctx, inc)
	return ans, err
}

func (a *API) bands(c *gin.Context, w query.Window) (any, error) {
	d, err := step(c)
	if err != nil {
		return nil, err
	}
	service := c.Query("service")
	if service == "" {
		return nil, &query.InputError{Field: "service", Reason: "is missing"}
	}
	symptom, metric := anomaly.Symptom(c.Query("symptom")), c.Query("metric")
	switch symptom {
	case anomaly.SymptomSaturation:
		if metric == "" {
			return nil, &query.InputError{Field: "metric", Reason: "is missing"}
		}
	case "":
		symptom = anomaly.SymptomLatency
	case anomaly.SymptomLatency, anomaly.SymptomErrors, anomaly.SymptomTraffic:
	case anomaly.SymptomCPU, anomaly.SymptomAlloc:
		if c.Query("function") == "" {
			return nil, &query.InputError{Field: "function", Reason: "is missing"}
		}
	default:
		return nil, &query.InputError{Field: "symptom", Reason: "is latency, errors, traffic, cpu or alloc"}
	}
	ctx := c.Request.Context()
	subject := anomaly.Subject{Service: service, Operation: c.Query("operation"), SpanKind: c.Query("span_kind"), Env: c.Query("env")}
	ans := BandsAnswer{Incidents: []BandIncident{}, Deployments: []BandDeployment{}}
	switch {
	case symptom == anomaly.SymptomCPU || symptom == anomaly.SymptomAlloc:
		of := watch.CostOf{Env: c.Query("env"), Service: service, Version: c.Query("version"), Function: c.Query("function"), File: c.Query("file"), Symptom: symptom}
		ans.Bands, err = a.o.Watch.CostBands(ctx, of, a.o.DB.Lay(w, d))
	case metric != "":
		subject = anomaly.Subject{Service: service, Env: c.Query("env"), Metric: metric, Label: c.Query("label"), Peer: c.Query("peer")}
		ans.Bands, err = a.o.Watch.MetricBands(ctx, subject, a.o.DB.Lay(w, d))
	default:
		ans.Bands = a.o.Watch.BandsOf(subject, symptom, a.o.DB.Lay(w, d))
	}
	if err != nil {
		return nil, err
	}
	list, err := a.o.Watch.List(ctx, watch.Filter{Window: w, Service: service, Limit: 50})
	if err != nil {
		return nil, err
	}
	for _, inc := range list {
		ans.Incidents = append(ans.Incidents, BandIncident{inc.ID, inc.Title, inc.StartedAt, inc.ResolvedAt, inc.Severity})
	}
	deployments, err := a.o.DB.Deployments(ctx, w, []string{service}, c.Query("env"))
	for _, x := range deployments {
		ans.Deployments = append(ans.Deployments, BandDeployment{x.TS, x.Version, x.Service})
	}
	return ans, err
}

// streamed is the answer of a handler that has written it already.
type streamed struct{}

func (a *API) backtest(c *gin.Context, body BacktestBody) (any, error) {
	w, err := query.ParseWindow(body.From, body.To, time.Now())
	if err != nil {
		return nil, err
	}
	s := a.o.Watch.Sensitivity()
	if body.Sensitivity != nil {
		s = *body.Sensitivity
	}
	run := func(progress func(float64)) (any, error) {
		list, err := a.o.Watch.Backtest(c.Request.Context(), w.From, w.To, s, progress)
		for i := range list {
			complete(&list[i])
		}
		return IncidentsAnswer{Incidents: list}, err
	}
	if !strings.Contains(c.GetHeader("Accept"), "text/event-stream") {
		return run(nil)
	}
	if err := s.Check(); err != nil {
		return nil, &query.InputError{Field: "sensitivity", Reason: err.Error()}
	}
	h := c.Writer.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	c.Writer.WriteHeader(http.StatusOK)
	tell := func(event string, data any) {
		b, _ := json.Marshal(data) // plain values only
		c.Writer.WriteString("event: " + event + "\ndata: " + string(b) + "\n\n")
		c.Writer.Flush()
	}
	tell("progress", map[string]float64{"done": 0})
	answer, err := run(func(done float64) { tell("progress", map[string]float64{"done": done}) })
	if err != nil {
		if c.Request.Context().Err() == nil {
			tell("error", Describe(err, requestID(c.Writer, c.Request)))
		}
		return streamed{}, nil
	}
	tell("result", answer)
	return streamed{}, nil
}
