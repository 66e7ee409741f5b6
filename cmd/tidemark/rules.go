package main

import (
	"context"
	"errors"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/anomaly/promrules"
	"github.com/tidemarkhq/tidemark/anomaly/rules"
)

// startRules makes what judges the thresholds and objectives that people set, and rules in Prometheus' format;
// detection asks both in every round.
func (p *product) startRules(ctx context.Context) error {
	if p.db == nil {
		return nil
	}
	var err error
	if p.rules, err = rules.New(ctx, rules.Options{DB: p.db, Conn: p.conn, Registerer: p.metrics, Logger: p.log}); err != nil {
		return err
	}
	p.promRules, err = promrules.New(ctx, promrules.Options{Prom: p.prom, Conn: p.conn, Files: p.config.Rules(), ExternalURL: p.config.PublicURL, Registerer: p.metrics, Logger: p.log})
	if err != nil {
		return err
	}
	p.onStop(p.promRules.Close)
	return nil
}

// evaluateRules gives the alarms of everything that people wrote.
func (p *product) evaluateRules(ctx context.Context, now time.Time) ([]anomaly.Alarm, error) {
	alarms, err := p.rules.Evaluate(ctx, now)
	more, promErr := p.promRules.Evaluate(ctx, now)
	return append(alarms, more...), errors.Join(err, promErr)
}
