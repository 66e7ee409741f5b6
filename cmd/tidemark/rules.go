package main

import (
	"context"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly/rules"
)

// evaluateRules is how often rules and objectives are judged.
const evaluateRules = 10 * time.Second

// startRules makes what judges the thresholds and objectives that people set, and has it do so from now on.
func (p *product) startRules(ctx context.Context) error {
	if p.db == nil {
		return nil
	}
	var err error
	if p.rules, err = rules.New(ctx, rules.Options{DB: p.db, Conn: p.conn, Registerer: p.metrics, Logger: p.log}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(evaluateRules)
		defer tick.Stop()
		for {
			if _, err := p.rules.Evaluate(ctx, time.Now()); err != nil && ctx.Err() == nil {
				p.log.Warn("rules cannot be evaluated; it is tried again in ten seconds", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	p.onStop(func(context.Context) error {
		cancel()
		<-done
		return nil
	})
	return nil
}
