package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/anomaly/explain"
	"github.com/tidemarkhq/tidemark/anomaly/watch"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/api"
)

// startWatch begins to learn what is normal, and to notice what is not.
func (p *product) startWatch(ctx context.Context) error {
	if p.db == nil {
		return nil
	}
	p.explain = explain.New(explain.Options{DB: p.db, Logger: p.log})
	var err error
	host, _ := os.Hostname()
	p.watch, err = watch.New(ctx, watch.Options{
		Holder: host + ":" + p.dir.Path, MetricSeries: p.config.DetectionMetricSeries,
		DB: p.db, Conn: p.conn, Explain: p.explain, Rules: p.evaluateRules, Logger: p.log, Registerer: p.metrics,
		Publish: func(inc anomaly.Incident, change watch.Change) {
			p.notify.Notify(context.Background(), inc, string(change))
		},
		Changed: func() { p.hub.Notify("incidents") },
	})
	if err != nil {
		return fmt.Errorf("start detection: %w", err)
	}
	p.onStop(p.watch.Close)
	return nil
}

// openIncidents is what viewers of the open incidents see.
func (p *product) openIncidents(ctx context.Context) (any, error) {
	if p.watch == nil {
		return api.IncidentsAnswer{Incidents: []anomaly.Incident{}}, nil
	}
	now := time.Now()
	list, err := p.watch.List(ctx, watch.Filter{Window: query.Window{From: now.Add(-400 * 24 * time.Hour), To: now.Add(time.Minute)}, Status: "open", Limit: 200})
	return api.IncidentsAnswer{Incidents: list}, err
}
