package main

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
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
	file := p.config.SecretKeyFile
	if file == "" {
		file = filepath.Join(p.dir.Path, "secret.key")
	}
	keys, err := notify.LoadKeys(file)
	if err != nil {
		return err
	}
	networks, err := notify.ParseNetworks(p.config.NotifyAllow)
	if err != nil {
		return fmt.Errorf("--notify-allow: %w", err)
	}
	p.notify, err = notify.New(ctx, notify.Options{
		Conn: p.conn, Keys: keys, Networks: networks, BaseURL: p.baseURL, Reachable: p.config.PublicURL != "",
		Series: p.alarmSeries, Logger: p.log, Registerer: p.metrics,
	})
	if err != nil {
		return err
	}
	p.onStop(p.notify.Close)
	return nil
}

// baseURL is the web application's address in messages: as people reach it where that was said.
func (p *product) baseURL() string {
	switch {
	case p.config.PublicURL != "":
		return p.config.PublicURL
	case p.addr != nil:
		return "http://" + reachable(p.addr.String())
	}
	return "http://" + reachable(p.config.HTTPAddr)
}

// alarmSeries reads what the chart of an alarm shows.
func (p *product) alarmSeries(ctx context.Context, a anomaly.Alarm, from, to time.Time) (notify.Series, error) {
	w := query.Window{From: from, To: to}
	var r query.Range
	var values []*float64
	if a.Subject.Metric != "" {
		ans, err := p.db.MetricChart(ctx, w, query.MetricQuestion{Name: a.Subject.Metric, Agg: "auto", Filter: metricFilter(a.Subject), Limit: 1})
		if err != nil || len(ans.Series) == 0 {
			return notify.Series{}, err
		}
		r, values = ans.Range, ans.Series[0].Values
	} else {
		s := a.Subject
		ans, err := p.db.Red(ctx, w, query.Selection{Service: s.Service, Operation: s.Operation, Kind: s.SpanKind, Env: s.Env, Version: s.Version}, "", 0)
		if err != nil || len(ans.Series) == 0 {
			return notify.Series{}, err
		}
		r, values = ans.Range, redValues(ans.Series[0], a.Symptom)
	}
	return banded(a, r, values), nil
}

func metricFilter(s anomaly.Subject) []string {
	filter := []string{"service:" + s.Service}
	if s.Instance != "" {
		filter = append(filter, "instance:"+s.Instance)
	}
	return filter
}

func redValues(s query.RedSeries, symptom anomaly.Symptom) []*float64 {
	switch symptom {
	case anomaly.SymptomErrors:
		return s.ErrorRatio
	case anomaly.SymptomTraffic:
		return s.Rate
	}
	return s.P50 // what is typical, as the detector judges it
}

// banded lays the alarm's expected band under what was observed.
func banded(a anomaly.Alarm, r query.Range, values []*float64) notify.Series {
	s := notify.Series{Unit: a.Unit}
	highest := math.Max(a.Observed, a.Expected)
	for _, v := range values {
		if v != nil {
			highest = math.Max(highest, *v)
		}
	}
	upper := a.Upper
	if upper < a.Expected { // there is no upper limit
		upper = highest
	}
	for i, v := range values {
		ms := r.FromMS + int64(i)*r.StepMS
		if ms >= r.CompleteToMS {
			break
		}
		value := math.NaN()
		if v != nil {
			value = *v
		}
		s.TS, s.Value = append(s.TS, time.UnixMilli(ms)), append(s.Value, value)
		s.Expected, s.Lower, s.Upper = append(s.Expected, a.Expected), append(s.Lower, a.Lower), append(s.Upper, upper)
	}
	return s
}
