package main

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"
	_ "time/tzdata" // routing and silences name time zones, which small container images do not have

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/anomaly/notify"
	"github.com/tidemarkhq/tidemark/query"
)

// startNotify makes what tells people of incidents.
func (p *product) startNotify(ctx context.Context) error {
	if p.db == nil {
		return nil
	}
	keys, err := p.secretKeys()
	if err != nil {
		return err
	}
	networks, err := notify.ParseNetworks(p.config.NotifyAllow)
	if err != nil {
		return fmt.Errorf("--notify-allow: %w", err)
	}
	p.notify, err = notify.New(ctx, notify.Options{
		Conn: p.conn, Keys: keys, Networks: networks, BaseURL: p.baseURL, Reachable: p.config.PublicURL != "",
		Series: p.alarmSeries, Example: p.exampleTrace, Logger: p.log, Registerer: p.metrics,
	})
	if err != nil {
		return err
	}
	p.onStop(p.notify.Close)
	return nil
}

// secretKeys encrypt what must not be read from the store.
func (p *product) secretKeys() (*notify.Keys, error) {
	file := p.config.SecretKeyFile
	if file == "" {
		file = filepath.Join(p.dir.Path, "secret.key")
	}
	return notify.LoadKeys(file)
}

// baseURL is the web application's address in messages: as people reach it where that was said.
func (p *product) baseURL() string {
	scheme, addr := "http://", p.config.HTTPAddr
	if p.config.PublicURL != "" {
		return p.config.PublicURL
	}
	if a, ok := p.listening.Load().(string); ok {
		addr = a
	}
	if p.config.HTTPTLS.Cert != "" {
		scheme = "https://"
	}
	return scheme + reachable(addr)
}

// exampleTrace finds a failing or slow request of an incident that has not been explained.
func (p *product) exampleTrace(ctx context.Context, inc anomaly.Incident) (string, error) {
	if len(inc.Alarms) == 0 || inc.Alarms[0].Symptom == anomaly.SymptomTraffic || inc.Alarms[0].Code != nil {
		return "", nil
	}
	a := inc.Alarms[0]
	q, order := exampleQuery(a)
	ans, err := p.db.Traces(ctx, query.Window{From: a.Began, To: inc.UpdatedAt.Add(10 * time.Second)}, q, order, "", 1)
	if err != nil || len(ans.Spans) == 0 {
		return "", err
	}
	s := ans.Spans[0]
	return "/traces/" + s.TraceID + "?span=" + s.SpanID, nil
}

// exampleQuery is the search for what an alarm is about.
func exampleQuery(a anomaly.Alarm) (q, order string) {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	q, order = `service:"`+quote.Replace(a.Subject.Service)+`"`, "slowest"
	if a.Subject.Operation != "" {
		q += ` name:"` + quote.Replace(a.Subject.Operation) + `"`
	}
	if a.Symptom == anomaly.SymptomErrors {
		q, order = q+" status:error", "newest"
	}
	return q, order
}

// alarmSeries reads what the chart of an alarm shows: what detection expected, or for a metric the band that the alarm
// itself knows.
func (p *product) alarmSeries(ctx context.Context, a anomaly.Alarm, from, to time.Time) (notify.Series, error) {
	if a.Subject.Metric != "" {
		return p.metricSeries(ctx, a, from, to)
	}
	if p.watch == nil {
		return notify.Series{}, nil
	}
	found, err := p.watch.Series(ctx, a, from, to)
	if err != nil {
		return notify.Series{}, err
	}
	s := notify.Series{Unit: found.Unit, Value: numbers(found.Value), Expected: numbers(found.Expected), Lower: numbers(found.Lower), Upper: numbers(found.Upper)}
	for _, ms := range found.TS {
		s.TS = append(s.TS, time.UnixMilli(ms))
	}
	return s, nil
}

// numbers has NaN where there is nothing.
func numbers(list []*float64) []float64 {
	out := make([]float64, len(list))
	for i, v := range list {
		if out[i] = math.NaN(); v != nil {
			out[i] = *v
		}
	}
	return out
}

func (p *product) metricSeries(ctx context.Context, a anomaly.Alarm, from, to time.Time) (notify.Series, error) {
	filter := []string{"service:" + a.Subject.Service}
	if a.Subject.Instance != "" {
		filter = append(filter, "instance:"+a.Subject.Instance)
	}
	ans, err := p.db.MetricChart(ctx, query.Window{From: from, To: to}, query.MetricQuestion{Name: a.Subject.Metric, Agg: "auto", Filter: filter, Limit: 1})
	if err != nil || len(ans.Series) == 0 {
		return notify.Series{}, err
	}
	s := notify.Series{Unit: a.Unit}
	for i, v := range numbers(ans.Series[0].Values) {
		ms := ans.Range.FromMS + int64(i)*ans.Range.StepMS
		if ms >= ans.Range.CompleteToMS {
			break
		}
		s.TS, s.Value, s.Expected = append(s.TS, time.UnixMilli(ms)), append(s.Value, v), append(s.Expected, a.Expected)
		s.Lower, s.Upper = append(s.Lower, a.Lower), append(s.Upper, a.Upper)
	}
	return s, nil
}
